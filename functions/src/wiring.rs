//! The only file that reads the environment. It builds what the operation asks for and nothing else.
//!
//! `POSTQ_TABLES`: what the names of the deployment's DynamoDB tables begin with. `POSTQ_SIGNING_KEK_CIPHERTEXT`,
//! `POSTQ_SIGNING_KEK_PREVIOUS_CIPHERTEXT`: key-encryption keys as KMS wrapped them, in base64; opened before the first request, or
//! when they are first needed.
//! `POSTQ_SIGNING_KEK`, `POSTQ_SIGNING_KEK_PREVIOUS`: the same in the clear, 32 bytes in base64, where there is no ciphertext.
//! `POSTQ_SEAL_FUNCTION`: the Lambda that seals, for those that make evidence.
//! `POSTQ_SINGLE_ORG`: `true` where the deployment serves one organisation, whose settings may do without a role.
//! `RUST_LOG`: `info` if unset; a level, or levels by the crate that speaks (`info,store_dynamodb=debug`).
//! `POSTQ_CORS_ORIGINS`: origins that may call from a browser, separated by commas; none if unset.

mod workers;

use std::{env, sync::Arc, time::Duration};

use api::{
    http::{self, Origin},
    routes::{self, Operation},
};
use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_types::SdkConfig;
use axum::Router;
use custody_aws::{AwsCloud, OwnIdentity};
use custody_azure::AzureCloud;
use custody_gcp::GcpCloud;
use custody_local::{EnvKek, KEK_VARIABLE, PREVIOUS_KEK_VARIABLE};
use outbound::Network;
use store_dynamodb::DynamoStore;
use tokio::sync::OnceCell;
use tracing_subscriber::filter::{LevelFilter, Targets};
use vault::{
    custody::Custody,
    ledger_access::{LedgerAccess, Timer},
    ops::{
        api_tokens, append_ledger, clear_settings, create_key, get_key, get_settings, key_audit, key_lineage,
        list_keys, policies, public_key, put_settings, read_ledger, receipt, revoke_key, rotate_key,
        seal_ledger, sign, usage, verify, whoami,
    },
    sequencing::Sequencer,
    store::Store,
};
use zeroize::Zeroizing;

pub use crate::wiring_error::WiringError;
use crate::{assertions::OwnAssertions, sealing::InvokedSealer, warm_up::warm_up, wrapped_kek::WrappedKeks};
pub use workers::{
    create_org, reconcile_keys, recover, rewrap_keys, rotate_due_keys, rotate_ledger_key, sequence_events,
};

/// `health`
///
/// # Errors
/// [`WiringError`].
pub async fn health() -> Result<Router, WiringError> {
    finish(routes::HEALTH.open_router(()))
}

/// `not-found`
///
/// # Errors
/// [`WiringError`].
pub async fn not_found() -> Result<Router, WiringError> {
    finish(routes::NOT_FOUND.open_router(()))
}

/// `whoami`
///
/// # Errors
/// [`WiringError`].
pub async fn whoami() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = whoami::Ports { orgs: store.clone() };
    locked(&routes::WHOAMI, store, ports).await
}

/// `create-key`
///
/// # Errors
/// [`WiringError`].
pub async fn create_key() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = create_key::Ports {
        custody: custody_with_clouds().await?,
        settings: store.clone(),
        secrets: store.clone(),
        intents: store.clone(),
        policies: store.clone(),
        events: store.clone(),
        writes: store.clone(),
        replies: store.clone(),
    };
    locked_with_key(&routes::CREATE_KEY, store, ports.custody.clone(), ports).await
}

/// `list-keys`
///
/// # Errors
/// [`WiringError`].
pub async fn list_keys() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = list_keys::Ports { keys: store.clone(), usage: store.clone(), settings: store.clone() };
    locked(&routes::LIST_KEYS, store, ports).await
}

/// `get-key`
///
/// # Errors
/// [`WiringError`].
pub async fn get_key() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = get_key::Ports { keys: store.clone(), usage: store.clone(), settings: store.clone() };
    locked(&routes::GET_KEY, store, ports).await
}

/// `public-key`
///
/// # Errors
/// [`WiringError`].
pub async fn public_key() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = public_key::Ports { keys: store.clone() };
    locked(&routes::PUBLIC_KEY, store, ports).await
}

/// `sign`
///
/// # Errors
/// [`WiringError`].
pub async fn sign() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = sign::Ports {
        keys: store.clone(),
        lines: store.clone(),
        sealed: store.clone(),
        custody: custody_with_clouds().await?,
        settings: store.clone(),
        secrets: store.clone(),
        signatures: store.clone(),
        policies: store.clone(),
        events: store.clone(),
        replies: store.clone(),
    };
    locked_with_key(&routes::SIGN, store, ports.custody.clone(), ports).await
}

/// `verify`
///
/// # Errors
/// [`WiringError`].
pub async fn verify() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = verify::Ports {
        keys: store.clone(),
        issued: store.clone(),
        policies: store.clone(),
        events: store.clone(),
        replies: store.clone(),
    };
    locked(&routes::VERIFY, store, ports).await
}

/// `revoke-key`
///
/// # Errors
/// [`WiringError`].
pub async fn revoke_key() -> Result<Router, WiringError> {
    let store = store().await?;
    // Nothing is ever opened in this process.
    let ports = revoke_key::Ports { keys: store.clone(), writes: store.clone(), opened: Arc::default() };
    locked(&routes::REVOKE_KEY, store, ports).await
}

/// `rotate-key`
///
/// # Errors
/// [`WiringError`].
pub async fn rotate_key() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = rotating(&store).await?;
    locked_with_key(&routes::ROTATE_KEY, store, ports.custody.clone(), ports).await
}

/// `key-lineage`
///
/// # Errors
/// [`WiringError`].
pub async fn key_lineage() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = key_lineage::Ports { keys: store.clone(), access: ledger_access(&store).await? };
    locked(&routes::KEY_LINEAGE, store, ports).await
}

/// `key-audit`
///
/// # Errors
/// [`WiringError`].
pub async fn key_audit() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = key_audit::Ports { keys: store.clone(), sequencer: sequencer(&store) };
    locked(&routes::KEY_AUDIT, store, ports).await
}

/// `api-tokens`
///
/// # Errors
/// [`WiringError`].
pub async fn api_tokens() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = api_tokens::Ports {
        orgs: store.clone(),
        keys: store.clone(),
        tokens: store.clone(),
        writes: store.clone(),
        replies: store.clone(),
    };
    locked(&routes::API_TOKENS, store, ports).await
}

/// `policies`
///
/// # Errors
/// [`WiringError`].
pub async fn policies() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = policies::Ports { policies: store.clone(), writes: store.clone(), replies: store.clone() };
    locked(&routes::POLICIES, store, ports).await
}

/// `get-settings`
///
/// # Errors
/// [`WiringError`].
pub async fn get_settings() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = get_settings::Ports { settings: store.clone() };
    locked(&routes::GET_SETTINGS, store, ports).await
}

/// `put-settings`
///
/// # Errors
/// [`WiringError`].
pub async fn put_settings() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = trying_out(&store).await?;
    locked(&routes::PUT_SETTINGS, store, ports).await
}

/// `clear-settings`
///
/// # Errors
/// [`WiringError`].
pub async fn clear_settings() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = clear_settings::Ports { writes: store.clone() };
    locked(&routes::CLEAR_SETTINGS, store, ports).await
}

/// `test-settings`
///
/// # Errors
/// [`WiringError`].
pub async fn test_settings() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = trying_out(&store).await?;
    locked(&routes::TEST_SETTINGS, store, ports).await
}

/// `usage`
///
/// # Errors
/// [`WiringError`].
pub async fn usage() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = usage::Ports { sequencer: sequencer(&store), usage: store.clone() };
    locked(&routes::USAGE, store, ports).await
}

/// `read-ledger`
///
/// # Errors
/// [`WiringError`].
pub async fn read_ledger() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = read_ledger::Ports { access: ledger_access(&store).await? };
    locked(&routes::READ_LEDGER, store, ports).await
}

/// `append-ledger`
///
/// # Errors
/// [`WiringError`].
pub async fn append_ledger() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports =
        append_ledger::Ports { events: store.clone(), sequencer: sequencer(&store), replies: store.clone() };
    locked(&routes::APPEND_LEDGER, store, ports).await
}

/// `seal-ledger`
///
/// # Errors
/// [`WiringError`].
pub async fn seal_ledger() -> Result<(Router, seal_ledger::Ports), WiringError> {
    let store = store().await?;
    let ports = seal_ledger::Ports {
        orgs: store.clone(),
        keys: store.clone(),
        sealed: store.clone(),
        custody: custody().await?,
        sequencer: sequencer(&store),
        checkpoints: store.clone(),
        timer: Arc::new(TokioTimer),
        replies: store.clone(),
        events: store.clone(),
    };
    let router = locked_with_key(&routes::SEAL_LEDGER, store, ports.custody.clone(), ports.clone()).await?;
    Ok((router, ports))
}

/// `receipt`
///
/// # Errors
/// [`WiringError`].
pub async fn receipt() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = receipt::Ports { keys: store.clone(), access: ledger_access(&store).await? };
    locked(&routes::RECEIPT, store, ports).await
}

async fn rotating(store: &Arc<dyn Store>) -> Result<rotate_key::Ports, WiringError> {
    Ok(rotate_key::Ports {
        keys: store.clone(),
        sealed: store.clone(),
        custody: custody_with_clouds().await?,
        settings: store.clone(),
        secrets: store.clone(),
        intents: store.clone(),
        policies: store.clone(),
        events: store.clone(),
        writes: store.clone(),
        replies: store.clone(),
    })
}

async fn trying_out(store: &Arc<dyn Store>) -> Result<put_settings::Ports, WiringError> {
    Ok(put_settings::Ports {
        orgs: store.clone(),
        keys: store.clone(),
        settings: store.clone(),
        secrets: store.clone(),
        writes: store.clone(),
        custody: custody_with_clouds().await?,
    })
}

fn sequencer(store: &Arc<dyn Store>) -> Sequencer {
    Sequencer { intake: store.clone(), ledger: store.clone(), placing: store.clone() }
}

/// What makes evidence holds no key: the sealer is a Lambda of its own.
async fn ledger_access(store: &Arc<dyn Store>) -> Result<LedgerAccess, WiringError> {
    let function = variable(SEALER).ok_or(WiringError::NoSealer)?;
    let sealer = InvokedSealer {
        client: aws_sdk_lambda::Client::new(&aws().await),
        function: function.to_string(),
        ledger: store.clone(),
    };
    Ok(LedgerAccess {
        orgs: store.clone(),
        keys: store.clone(),
        lines: store.clone(),
        sequencer: sequencer(store),
        sealer: Arc::new(sealer),
    })
}

/// Waits on the runtime.
struct TokioTimer;

#[async_trait]
impl Timer for TokioTimer {
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

async fn locked<P: Clone + Send + Sync + 'static>(
    operation: &Operation<P>,
    store: Arc<dyn Store>,
    ports: P,
) -> Result<Router, WiringError> {
    warm_up(store.as_ref(), None).await;
    finish(operation.router(store, ports))
}

/// The same for an operation that signs, or seals what will.
async fn locked_with_key<P: Clone + Send + Sync + 'static>(
    operation: &Operation<P>,
    store: Arc<dyn Store>,
    custody: Arc<Custody>,
    ports: P,
) -> Result<Router, WiringError> {
    warm_up(store.as_ref(), Some(&custody)).await;
    finish(operation.router(store, ports))
}

fn finish(router: Router) -> Result<Router, WiringError> {
    let origins = Origin::list(&variable("POSTQ_CORS_ORIGINS").unwrap_or_default())?;
    Ok(http::finish(router, &origins))
}

async fn store() -> Result<Arc<dyn Store>, WiringError> {
    let prefix = variable("POSTQ_TABLES").ok_or(WiringError::NoTables)?;
    Ok(Arc::new(DynamoStore::new(&aws().await, &prefix)))
}

/// Region, credentials and endpoints as every AWS program finds them; in a Lambda they are the function's own. Found once: all
/// clients share its connections and credentials.
async fn aws() -> SdkConfig {
    static FOUND: OnceCell<SdkConfig> = OnceCell::const_new();
    FOUND.get_or_init(|| aws_config::load_defaults(BehaviorVersion::latest())).await.clone()
}

/// What is worth a line. A word that is no level is as if it were not there.
pub(crate) fn log_levels() -> Targets {
    let named = env::var("RUST_LOG").ok().and_then(|levels| levels.parse().ok());
    named.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO))
}

async fn custody_with_clouds() -> Result<Arc<Custody>, WiringError> {
    with_clouds(custody().await?.as_ref()).await
}

async fn with_clouds(here: &Custody) -> Result<Arc<Custody>, WiringError> {
    let own = match variable("POSTQ_SINGLE_ORG").as_ref().map(|value| value.as_str()) {
        Some("true") => OwnIdentity::SingleOrganisation,
        Some("false" | "") | None => OwnIdentity::Never,
        Some(_) => return Err(WiringError::SingleOrg),
    };
    let mut custody = here.clone();
    let aws = aws().await;
    custody.clouds.push(Arc::new(AwsCloud::new(&aws, own)));
    let assertions = Arc::new(OwnAssertions { sts: aws_sdk_sts::Client::new(&aws) });
    let network = Network::public();
    custody.clouds.push(Arc::new(AzureCloud::new(&network, assertions.clone())?));
    custody.clouds.push(Arc::new(GcpCloud::new(&network, assertions)?));
    Ok(Arc::new(custody))
}

async fn custody() -> Result<Arc<Custody>, WiringError> {
    let ciphertexts = (ciphertext(KEK_CIPHERTEXT)?, ciphertext(PREVIOUS_KEK_CIPHERTEXT)?);
    let (current, previous) = (variable(KEK_VARIABLE), variable(PREVIOUS_KEK_VARIABLE));
    let kek = match ciphertexts {
        (Some(_), _) if current.is_some() || previous.is_some() => return Err(WiringError::TwoKeks),
        (Some(current), previous) => {
            EnvKek::opened_on_first_use(Box::new(WrappedKeks { aws: aws().await, current, previous }))
        }
        (None, Some(_)) => return Err(WiringError::NotACiphertext(KEK_CIPHERTEXT)),
        (None, None) => EnvKek::from_variables(
            current.as_ref().map(|kek| kek.as_str()),
            previous.as_ref().map(|kek| kek.as_str()),
        )?,
    };
    Ok(Arc::new(custody_local::custody(kek)))
}

fn ciphertext(name: &'static str) -> Result<Option<Vec<u8>>, WiringError> {
    variable(name).and_then(|value| WrappedKeks::parse(name, &value)).transpose()
}

const SEALER: &str = "POSTQ_SEAL_FUNCTION";
const KEK_CIPHERTEXT: &str = "POSTQ_SIGNING_KEK_CIPHERTEXT";
const PREVIOUS_KEK_CIPHERTEXT: &str = "POSTQ_SIGNING_KEK_PREVIOUS_CIPHERTEXT";

fn variable(name: &str) -> Option<Zeroizing<String>> {
    env::var(name).ok().map(Zeroizing::new)
}
