//! Makes a hybrid key.

use std::sync::Arc;

use composite::Algorithm;
use ledger::Content;
use serde::Deserialize;
use utoipa::ToSchema;

use super::get_key::{AlgorithmName, KeyWithPublicKey};
use crate::{
    Error, Timestamp,
    accounts::Accounts,
    caller::Caller,
    custody::Custody,
    events::Scene,
    idempotency, input,
    key_material::{self, Blueprint},
    providers::{KekProvider, KeyProvider, PqProvider},
    store::{Intents, KeyKind, KeyWrites, Lease, Record, Replies, Settings},
};

/// What making a key touches.
#[derive(Clone)]
pub struct Ports {
    /// Halves are made, sealed and tagged.
    pub custody: Arc<Custody>,
    /// Who wraps if the caller does not say, and which accounts are the organisation's, is read.
    pub settings: Arc<dyn Settings>,
    /// Noted before anything is made in them.
    pub intents: Arc<dyn Intents>,
    /// The key, its sealed halves and its event are written.
    pub writes: Arc<dyn KeyWrites>,
    /// Answers are kept for retries.
    pub replies: Arc<dyn Replies>,
}

/// Which key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreateKeyRequest)]
pub struct Request {
    /// 1 to 128 characters.
    pub name: String,
    /// The composite algorithm; `mldsa65+ed25519` if left out.
    #[serde(default = "default_algorithm")]
    #[schema(value_type = AlgorithmName, required = false)]
    pub algorithm: Algorithm,
    /// Who wraps the data key; if left out, whoever the settings name, else `env`.
    pub kek_provider: Option<KekProvider>,
    /// Who holds the classical half; `postq-managed` if left out.
    pub key_provider: Option<KeyProvider>,
    /// Who holds the ML-DSA half; `postq-managed` if left out.
    pub pq_provider: Option<PqProvider>,
    /// At most 16 members and 1 KiB in canonical JSON, numbers integers; it never changes.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    pub metadata: Content,
    /// Whether a caller that asks for it (`followSuccessor`) may have the line's newest key sign once this one is
    /// superseded; inherited by rotation. False if left out.
    #[serde(default)]
    #[schema(required = false)]
    pub allow_follow: bool,
}

const fn default_algorithm() -> Algorithm {
    Algorithm::DEFAULT
}

/// Makes a key and writes its event with it.
///
/// # Errors
/// [`Error::Invalid`], [`Error::KeyNotAllowed`] for a token that is for certain keys, [`Error::UnsupportedCombination`],
/// [`Error::ProviderUnavailable`], [`Error::NoAccount`], [`Error::SettingsChanged`], [`Error::Cloud`],
/// [`Error::StoreUnavailable`].
pub async fn create_key(
    ports: &Ports,
    caller: &Caller,
    request: Request,
    lease: Option<Lease>,
) -> Result<KeyWithPublicKey, Error> {
    if caller.lines.is_some() {
        return Err(Error::KeyNotAllowed { key: "a new key".to_owned() });
    }
    input::name(&request.name)?;
    input::metadata(&request.metadata)?;
    let now = Timestamp::now();
    let accounts =
        Accounts::of(&ports.custody, ports.settings.as_ref(), &caller.org).for_making(ports.intents.as_ref());
    let kek = match request.kek_provider {
        Some(kek) => kek,
        None => accounts.settings().await?.map_or(KekProvider::Env, |settings| settings.default_kek),
    };
    let blueprint = Blueprint {
        org: &caller.org,
        kind: KeyKind::User,
        name: request.name,
        metadata: request.metadata,
        algorithm: request.algorithm,
        kek,
        classical: request.key_provider.unwrap_or(KeyProvider::PostqManaged),
        pq: request.pq_provider.unwrap_or(PqProvider::PostqManaged),
        allow_follow: request.allow_follow,
        follows: None,
        now,
    };
    let (key, sealed) = key_material::generate(&accounts, blueprint).await?;
    let store = async {
        let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now };
        let event = scene.key_created(&key)?;
        let answer = KeyWithPublicKey::from(key.clone());
        let reply = idempotency::reply(lease.as_ref(), &answer, None)?;
        ports.writes.create(&key, &sealed, Record { events: vec![event], reply }).await?;
        Ok(answer)
    };
    let stored = store.await;
    if stored.is_err() {
        // Where it was stored nevertheless, its intent is gone, and there is nothing to take back.
        key_material::discard(&accounts, &key).await;
    }
    stored
}
