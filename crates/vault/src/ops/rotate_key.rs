//! Has a key followed by a new one.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;

use super::get_key::KeyWithPublicKey;
use crate::{
    Error,
    accounts::Accounts,
    caller::Caller,
    custody::Custody,
    idempotency, key_material,
    providers::{KekProvider, KeyProvider, PqProvider},
    rotation::{self, Successor},
    store::{Change, Intents, KeyKind, KeyWrites, Keys, Lease, Record, Replies, SealedHalves, Settings},
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
    /// Noted before anything is made in them.
    pub intents: Arc<dyn Intents>,
    /// The successor is written, and the key's own halves are deleted.
    pub writes: Arc<dyn KeyWrites>,
    /// Answers are kept for retries.
    pub replies: Arc<dyn Replies>,
}

/// What is to be different about the successor. What is left out is inherited.
#[derive(Debug, Deserialize, ToSchema)]
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
/// [`Error::UnsupportedCombination`], [`Error::ProviderUnavailable`], [`Error::NoAccount`], [`Error::Cloud`],
/// [`Error::KeyIntegrity`], [`Error::StoreUnavailable`].
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
    super::refuse_inactive(&key)?;
    let accounts =
        Accounts::of(&ports.custody, ports.settings.as_ref(), &caller.org).for_making(ports.intents.as_ref());
    let kek = match request.kek_provider.or(key.kek.as_ref().map(|kek| kek.provider)) {
        Some(kek) => Some(kek),
        // A key of which nothing is sealed has no wrapping to hand down.
        None => accounts.settings().await?.map(|settings| settings.default_kek),
    };
    let successor = Successor {
        kind: KeyKind::User,
        name: request.name.unwrap_or_else(|| key.name.clone()),
        kek,
        classical: request.key_provider.unwrap_or(key.classical.provider),
        pq: request.pq_provider.unwrap_or(key.pq.provider),
    };
    let actor = caller.token.as_str();
    let prepared = rotation::prepare(&accounts, ports.sealed.as_ref(), &key, successor, actor).await;
    let (rotation, event) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return Err(super::why_not(ports.keys.as_ref(), &key, error).await),
    };
    let answer = KeyWithPublicKey::from(rotation.successor.clone());
    let store = async {
        let reply = idempotency::reply(lease.as_ref(), &answer, None)?;
        Ok::<_, Error>(ports.writes.supersede(&rotation, Record { events: vec![event], reply }).await?)
    };
    let stored = store.await;
    if !matches!(stored, Ok(Change::Done)) {
        // Where it was stored nevertheless, its intent is gone, and there is nothing to take back.
        key_material::discard(&accounts, &rotation.successor).await;
    }
    match stored? {
        Change::Done => Ok(answer),
        // Somebody was first: what became of the key says which refusal it is.
        Change::NotActive => {
            let now = super::find_user_key(ports.keys.as_ref(), caller, id).await?;
            super::refuse_inactive(&now)?;
            Err(Error::ledger("the change that a rotation lost to"))
        }
    }
}
