//! Has a key followed by a new one.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;

use super::get_key::KeyWithPublicKey;
use crate::{
    Error, Timestamp,
    accounts::{Accounts, Kept},
    caller::Caller,
    custody::Custody,
    events::Scene,
    idempotency, key_material,
    policies::{self, Judged, MatchOperation},
    providers::{KekProvider, KeyProvider, PqProvider, Tier},
    rotation::{self, Successor},
    store::{
        Change, EventWrites, Intents, KeyKind, KeyRecord, KeyWrites, Keys, Lease, Policies, ProviderSecrets,
        Record, Replies, SealedHalves, Settings,
    },
};

/// What rotating touches.
#[derive(Clone)]
pub struct Ports {
    /// The key is read.
    pub keys: Arc<dyn Keys>,
    /// Its sealed halves are read, for it to vouch for its successor.
    pub sealed: Arc<dyn SealedHalves>,
    /// The successor is made, and both sign the succession.
    pub custody: Arc<Custody>,
    /// Which accounts are whose is read, where a cloud has a part in either key.
    pub settings: Arc<dyn Settings>,
    /// What some of them are entered by is read.
    pub secrets: Arc<dyn ProviderSecrets>,
    /// Noted before anything is made in them.
    pub intents: Arc<dyn Intents>,
    /// What a new key must be is read.
    pub policies: Arc<dyn Policies>,
    /// That it was refused is written down.
    pub events: Arc<dyn EventWrites>,
    /// The successor is written, and the key's own halves are deleted.
    pub writes: Arc<dyn KeyWrites>,
    /// Answers are kept for retries.
    pub replies: Arc<dyn Replies>,
}

/// What is to be different about the successor. What is left out is inherited.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RotateKeyRequest)]
pub struct Request {
    /// 1 to 128 characters.
    pub name: Option<String>,
    /// Who wraps the data key. Where the key has none to hand down, whoever the settings name, else `env`.
    pub kek_provider: Option<KekProvider>,
    /// Who holds the classical half.
    pub key_provider: Option<KeyProvider>,
    /// Who holds the ML-DSA half.
    pub pq_provider: Option<PqProvider>,
}

/// Rotates: the successor has the predecessor's algorithm and metadata, and the predecessor verifies and signs no more.
///
/// # Errors
/// [`Error::NotFound`], [`Error::KeyNotAllowed`], [`Error::KeyRevoked`], [`Error::KeySuperseded`], [`Error::Invalid`],
/// [`Error::PolicyViolated`], [`Error::PolicyUnreadable`], [`Error::UnsupportedCombination`], [`Error::ProviderUnavailable`],
/// [`Error::NoAccount`], [`Error::Cloud`], [`Error::KeyIntegrity`], [`Error::StoreUnavailable`].
pub async fn rotate_key(
    ports: &Ports,
    caller: &Caller,
    id: &str,
    request: Request,
    lease: Option<Lease>,
) -> Result<KeyWithPublicKey, Error> {
    if let Some(name) = &request.name {
        crate::input::name(name)?;
    }
    let key = super::find_user_key(ports.keys.as_ref(), caller, id).await?;
    rotate(ports, caller.token.as_str(), &key, request, lease.as_ref()).await
}

/// Rotates a key on somebody's behalf: a token's, or a worker's.
pub(super) async fn rotate(
    ports: &Ports,
    actor: &str,
    key: &KeyRecord,
    request: Request,
    lease: Option<&Lease>,
) -> Result<KeyWithPublicKey, Error> {
    super::refuse_inactive(key)?;
    let accounts = Accounts::of(&ports.custody, Kept::of(&ports.settings, &ports.secrets), &key.org)
        .for_making(ports.intents.as_ref());
    let kek = match request.kek_provider.or(key.kek.as_ref().map(|kek| kek.provider)) {
        Some(kek) => kek,
        // A key of which nothing is sealed has no wrapping to hand down.
        None => accounts.settings().await?.map_or(KekProvider::Env, |settings| settings.default_kek),
    };
    let successor = Successor {
        kind: KeyKind::User,
        name: request.name.unwrap_or_else(|| key.name.clone()),
        kek,
        classical: request.key_provider.unwrap_or(key.classical.provider),
        pq: request.pq_provider.unwrap_or(key.pq.provider),
    };
    let judged = Judged {
        operation: MatchOperation::KeyCreate,
        key: Some(&key.id),
        algorithm: key.public_key.algorithm(),
        tier: Tier::derive(Some(kek), successor.classical, successor.pq),
        metadata: &key.metadata,
    };
    let in_force = policies::read(ports.policies.as_ref(), &key.org).await?;
    let scene = Scene { org: &key.org, actor, now: Timestamp::now() };
    let violated = policies::hold_against(&in_force, ports.events.as_ref(), scene, &judged).await?;
    let prepared = rotation::prepare(&accounts, ports.sealed.as_ref(), key, successor, actor).await;
    let (rotation, rotated) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Err(super::why_not(ports.keys.as_ref(), key, error).await),
    };
    let store = async {
        let mut answer = KeyWithPublicKey::from(rotation.successor.clone());
        answer.key.dek_cache_ttl_seconds = accounts.cache_ttl(&rotation.successor).await?;
        let reply = idempotency::reply(lease, &answer, None)?;
        let events = [rotated].into_iter().chain(violated).collect();
        Ok::<_, Error>((ports.writes.supersede(&rotation, Record { events, reply }).await?, answer))
    };
    let stored = store.await;
    if !matches!(stored, Ok((Change::Done, _))) {
        // Where it was stored nevertheless, its intent is gone, and there is nothing to take back.
        key_material::discard(&accounts, &rotation.successor).await;
        ports.custody.opened.forget(&rotation.successor.org, &rotation.successor.id);
    }
    match stored? {
        (Change::Done, answer) => {
            ports.custody.opened.forget(&key.org, &key.id);
            Ok(answer)
        }
        // Somebody was first: what became of the key says which refusal it is.
        (Change::NotActive, _) => {
            let now = ports.keys.key(&key.org, &key.id).await?.ok_or(Error::NotFound { what: "key" })?;
            super::refuse_inactive(&now)?;
            Err(Error::ledger("the change that a rotation lost to"))
        }
    }
}
