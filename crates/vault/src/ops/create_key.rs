//! Makes a hybrid key.

use std::sync::Arc;

use composite::Algorithm;
use ledger::Content;
use serde::Deserialize;
use utoipa::ToSchema;

use super::get_key::{AlgorithmName, KeyWithPublicKey};
use crate::{
    Error, Timestamp,
    accounts::{Accounts, Kept},
    caller::Caller,
    custody::Custody,
    events::Scene,
    idempotency, input,
    key_material::{self, Blueprint},
    policies::{self, Judged, MatchOperation},
    providers::{KekProvider, KeyProvider, PqProvider, Tier},
    store::{
        EventWrites, Intents, KeyKind, KeyWrites, Lease, Policies, ProviderSecrets, Record, Replies, Settings,
    },
};

/// What making a key touches.
#[derive(Clone)]
pub struct Ports {
    /// Halves are made, sealed and tagged.
    pub custody: Arc<Custody>,
    /// Who wraps if the caller does not say, and which accounts are the organisation's, is read.
    pub settings: Arc<dyn Settings>,
    /// What some of them are entered by is read.
    pub secrets: Arc<dyn ProviderSecrets>,
    /// Noted before anything is made in them.
    pub intents: Arc<dyn Intents>,
    /// What a new key must be is read.
    pub policies: Arc<dyn Policies>,
    /// That it was refused is written down.
    pub events: Arc<dyn EventWrites>,
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
    /// After so many days, 1 to 3,650, the vault rotates the key by itself; inherited by rotation. It takes `allowFollow`: callers
    /// that do not follow would stop.
    #[schema(minimum = 1, maximum = 3650)]
    pub rotate_after_days: Option<u16>,
}

const fn default_algorithm() -> Algorithm {
    Algorithm::DEFAULT
}

/// Makes a key and writes its event with it.
///
/// # Errors
/// [`Error::Invalid`], [`Error::KeyNotAllowed`] for a token that is for certain keys, [`Error::PolicyViolated`],
/// [`Error::PolicyUnreadable`], [`Error::FollowRequired`], [`Error::UnsupportedCombination`],
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
    match request.rotate_after_days {
        Some(days) if !(1..=MAX_ROTATE_AFTER_DAYS).contains(&days) => {
            let reason = format!("it is 1 to {MAX_ROTATE_AFTER_DAYS} days");
            return Err(Error::invalid("rotateAfterDays", reason));
        }
        Some(_) if !request.allow_follow => return Err(Error::FollowRequired),
        _ => {}
    }
    let now = Timestamp::now();
    let accounts = Accounts::of(&ports.custody, Kept::of(&ports.settings, &ports.secrets), &caller.org)
        .for_making(ports.intents.as_ref());
    let kek = match request.kek_provider {
        Some(kek) => kek,
        None => accounts.settings().await?.map_or(KekProvider::Env, |settings| settings.default_kek),
    };
    let (classical, pq) = (
        request.key_provider.unwrap_or(KeyProvider::PostqManaged),
        request.pq_provider.unwrap_or(PqProvider::PostqManaged),
    );
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now };
    let judged = Judged {
        operation: MatchOperation::KeyCreate,
        key: None,
        algorithm: request.algorithm,
        tier: Tier::derive(Some(kek), classical, pq),
        metadata: &request.metadata,
    };
    let in_force = policies::read(ports.policies.as_ref(), &caller.org).await?;
    let violated = policies::hold_against(&in_force, ports.events.as_ref(), scene, &judged).await?;
    let blueprint = Blueprint {
        org: &caller.org,
        kind: KeyKind::User,
        name: request.name,
        metadata: request.metadata,
        algorithm: request.algorithm,
        kek,
        classical,
        pq,
        allow_follow: request.allow_follow,
        rotate_after_days: request.rotate_after_days,
        follows: None,
        now,
    };
    let (key, sealed) = key_material::generate(&accounts, blueprint).await?;
    let store = async {
        let events = [scene.key_created(&key)?].into_iter().chain(violated).collect();
        let mut answer = KeyWithPublicKey::from(key.clone());
        answer.key.dek_cache_ttl_seconds = accounts.cache_ttl(&key).await?;
        let reply = idempotency::reply(lease.as_ref(), &answer, None)?;
        ports.writes.create(&key, &sealed, Record { events, reply }).await?;
        Ok(answer)
    };
    let stored = store.await;
    if stored.is_err() {
        // Where it was stored nevertheless, its intent is gone, and there is nothing to take back.
        key_material::discard(&accounts, &key).await;
    }
    stored
}

/// Ten years.
const MAX_ROTATE_AFTER_DAYS: u16 = 3650;
