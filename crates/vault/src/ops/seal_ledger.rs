//! Seals the ledger: signs a checkpoint over everything that happened until now.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use ledger::{CheckpointBody, tree};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::read_ledger::LedgerCheckpoint;
use crate::{
    Error, Timestamp,
    accounts::Accounts,
    custody::Custody,
    id::{CheckpointId, OrgId},
    idempotency, key_material,
    ledger_access::{Sealer, Timer},
    sequencing::{Sequencer, over_tree},
    store::{
        CheckpointRecord, CheckpointWrites, EventWrites, KeyRecord, KeyStatus, Keys, Lease, Orgs, Record,
        Replies, SealedHalves, Sealing, StoreError,
    },
};

/// What sealing touches.
#[derive(Clone)]
pub struct Ports {
    /// The organisation is read.
    pub orgs: Arc<dyn Orgs>,
    /// Its ledger key is read.
    pub keys: Arc<dyn Keys>,
    /// The ledger key's halves are read.
    pub sealed: Arc<dyn SealedHalves>,
    /// They sign.
    pub custody: Arc<Custody>,
    /// Events are given their place, and the tree is read.
    pub sequencer: Sequencer,
    /// The checkpoint is kept.
    pub checkpoints: Arc<dyn CheckpointWrites>,
    /// Who comes within a second of the last checkpoint waits.
    pub timer: Arc<dyn Timer>,
    /// Answers are kept for retries,
    pub replies: Arc<dyn Replies>,
    /// also those that nothing else is written with.
    pub events: Arc<dyn EventWrites>,
}

/// Nothing is to be chosen.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SealRequest)]
pub struct Request {}

/// The newest checkpoint.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SealResponse)]
pub struct Response {
    /// The checkpoint.
    #[serde(flatten)]
    pub checkpoint: LedgerCheckpoint,
    /// Whether this call made it; not where nothing happened since the last one.
    pub fresh: bool,
}

/// Seals. At most one checkpoint a second is made of a ledger; who comes sooner waits until then.
///
/// # Errors
/// [`Error::KeyIntegrity`] of the ledger key, [`Error::StoreUnavailable`], [`Error::StoreRestored`].
pub async fn seal_ledger(ports: &Ports, org: &OrgId, lease: Option<Lease>) -> Result<Response, Error> {
    let (checkpoint, fresh) = seal(ports, org, lease.as_ref()).await?;
    let answer = Response { checkpoint: (&checkpoint).into(), fresh };
    if !fresh && let Some(reply) = idempotency::reply(lease.as_ref(), &answer, None)? {
        ports.events.append(Record { events: Vec::new(), reply: Some(reply) }).await?;
    }
    Ok(answer)
}

/// Seals every ledger that has entries which its newest checkpoint does not cover, and tells how many. One organisation's trouble
/// does not keep the others from it.
///
/// # Errors
/// The first that an organisation's sealing ended with, once all were tried.
pub async fn seal_all(ports: &Ports) -> Result<usize, Error> {
    let ledger = ports.sequencer.ledger.as_ref();
    let (mut after, mut sealed, mut done): (Option<OrgId>, usize, Result<(), Error>) = (None, 0, Ok(()));
    loop {
        let orgs = ports.orgs.orgs(after.as_ref(), PAGE).await?;
        let Some(last) = orgs.last().cloned() else {
            return done.map(|()| sealed);
        };
        for org in &orgs {
            let one = async {
                let size = ledger.head(org).await?.size;
                let covered = ledger.checkpoints(org, None, 1).await?.pop().map_or(0, |last| last.tree_size);
                Ok::<_, Error>(size > covered && seal(ports, org, None).await?.1)
            };
            match one.await {
                Ok(fresh) => sealed += usize::from(fresh),
                Err(error) => done = done.and(Err(error)),
            }
        }
        after = Some(last);
    }
}

#[async_trait]
impl Sealer for Ports {
    async fn seal(&self, org: &OrgId) -> Result<CheckpointRecord, Error> {
        Ok(seal(self, org, None).await?.0)
    }
}

async fn seal(ports: &Ports, org: &OrgId, lease: Option<&Lease>) -> Result<(CheckpointRecord, bool), Error> {
    let unknown = Error::NotFound { what: "organisation" };
    let org_record = ports.orgs.org(org).await?.ok_or(unknown)?;
    let mut key_id = org_record.ledger_key;
    let mut waited_for = None;
    for _ in 0..ATTEMPTS {
        // The key is read before events are placed: what made it the ledger's key is then in the tree that it signs.
        let key = ports.keys.key(org, &key_id).await?.ok_or(Error::ledger("its key"))?;
        if let (KeyStatus::Superseded, Some(successor)) = (key.status, &key.successor) {
            key_id = successor.clone();
            continue;
        }
        let ledger = ports.sequencer.ledger.as_ref();
        let head = ports.sequencer.sequence(org).await?;
        let last = ledger.checkpoints(org, None, 1).await?.pop();
        if let Some(last) = last {
            if last.tree_size >= head.size {
                return Ok((last, false));
            }
            let age = Timestamp::now().as_millis().saturating_sub(last.created_at.as_millis());
            // A clock that was put back is no reason to wait longer, nor twice for one checkpoint.
            if age < INTERVAL_MILLIS && waited_for != Some(last.tree_size) {
                waited_for = Some(last.tree_size);
                ports.timer.sleep(Duration::from_millis(INTERVAL_MILLIS - age)).await;
                continue;
            }
        }
        let checkpoint = match sign(ports, &key, head.size).await {
            Ok(checkpoint) => checkpoint,
            Err(error) => match super::why_not(ports.keys.as_ref(), &key, error).await {
                Error::KeySuperseded { successor, .. } => {
                    key_id = successor;
                    continue;
                }
                error => return Err(error),
            },
        };
        let answer = Response { checkpoint: (&checkpoint).into(), fresh: true };
        let reply = idempotency::reply(lease, &answer, None)?;
        match ports.checkpoints.seal(org, &checkpoint, reply).await? {
            Sealing::Done => return Ok((checkpoint, true)),
            // Somebody else sealed, or the key was followed: look again.
            Sealing::NotNewer | Sealing::KeyNotActive => {}
        }
    }
    Err(StoreError::Unavailable("other sealers were first, again and again".into()).into())
}

async fn sign(ports: &Ports, key: &KeyRecord, size: u64) -> Result<CheckpointRecord, Error> {
    let root = over_tree(ports.sequencer.ledger.as_ref(), &key.org, |nodes| tree::root(size, nodes)).await?;
    let now = Timestamp::now();
    let issued = now.to_string();
    let body = CheckpointBody { org: key.org.as_str(), tree_size: size, root: &root, issued: &issued };
    let input = body.signing_input(key.public_key.algorithm());
    let accounts = Accounts::none(&ports.custody);
    let signature = key_material::sign(&accounts, ports.sealed.as_ref(), key, &input).await?;
    Ok(CheckpointRecord {
        id: CheckpointId::generate(now)?,
        tree_size: size,
        root,
        signature: signature.to_bytes(),
        key: key.id.clone(),
        created_at: now,
    })
}

const ATTEMPTS: usize = 8;

/// Organisations that are looked at in one read.
const PAGE: usize = 100;

const INTERVAL_MILLIS: u64 = 1000;
