//! Has an organisation's ledger key followed by a new one. It is on no route: an operator runs it.

use std::sync::Arc;

use crate::{
    Error,
    accounts::Accounts,
    custody::Custody,
    id::{KeyId, OrgId},
    providers::KekProvider,
    rotation::{self, Successor},
    store::{Change, KeyKind, KeyWrites, Keys, Orgs, Record, SealedHalves},
};

/// What rotating a ledger key touches.
#[derive(Clone)]
pub struct Ports {
    /// The organisation is read.
    pub orgs: Arc<dyn Orgs>,
    /// Its ledger key is read.
    pub keys: Arc<dyn Keys>,
    /// Its sealed halves are read, for it to vouch for its successor.
    pub sealed: Arc<dyn SealedHalves>,
    /// The successor is made, and both sign the succession.
    pub custody: Arc<Custody>,
    /// The successor is written, and the key's own halves are deleted.
    pub writes: Arc<dyn KeyWrites>,
}

/// The new ledger key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The key that was followed.
    pub predecessor: KeyId,
    /// The key that signs checkpoints from now on.
    pub successor: KeyId,
    /// Its fingerprint, lower-case hex, for those who pin it.
    pub fingerprint: String,
}

/// Rotates. Checkpoints that the old key signed go on verifying: the link between the two travels in every bundle.
///
/// # Errors
/// [`Error::Invalid`] for an unknown organisation, [`Error::KeySuperseded`] where another rotation was first, [`Error::KeyIntegrity`],
/// [`Error::StoreUnavailable`].
pub async fn rotate_ledger_key(ports: &Ports, org: &OrgId) -> Result<Response, Error> {
    let unknown = || Error::invalid("ORG", format_args!("there is no organisation {org} in this vault"));
    let record = ports.orgs.org(org).await?.ok_or_else(unknown)?;
    let key = ports.keys.key(org, &record.ledger_key).await?.ok_or(Error::ledger("its key"))?;
    let successor = Successor {
        kind: KeyKind::Ledger,
        name: key.name.clone(),
        kek: key.kek.as_ref().map_or(KekProvider::Env, |kek| kek.provider),
        classical: key.classical.provider,
        pq: key.pq.provider,
    };
    let prepared =
        rotation::prepare(&Accounts::none(&ports.custody), ports.sealed.as_ref(), &key, successor, WORKER)
            .await;
    let (rotation, event) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Err(super::why_not(ports.keys.as_ref(), &key, error).await),
    };
    let next = &rotation.successor;
    let fingerprint = hex::encode(next.public_key.fingerprint());
    match ports.writes.supersede(&rotation, Record::from(event)).await? {
        Change::Done => {
            ports.custody.opened.forget(org, &key.id);
            Ok(Response { predecessor: key.id, successor: next.id.clone(), fingerprint })
        }
        Change::NotActive => {
            ports.custody.opened.forget(org, &next.id);
            let record = ports.orgs.org(org).await?.ok_or_else(unknown)?;
            Err(Error::KeySuperseded { key: key.id, successor: record.ledger_key })
        }
    }
}

const WORKER: &str = "worker:rotate-ledger-key";
