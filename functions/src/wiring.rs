//! The only file that reads the environment. It builds what the operation asks for and nothing else.
//!
//! `POSTQ_TABLES`: what the names of the deployment's DynamoDB tables begin with. `POSTQ_SIGNING_KEK`, `POSTQ_SIGNING_KEK_PREVIOUS`: 32 bytes in base64.
//! `POSTQ_CORS_ORIGINS`: origins that may call from a browser, separated by commas; none if unset.

use std::{env, sync::Arc, time::Duration};

use api::{
    http::{self, NoOrigin, Origin},
    routes::{self, Operation},
};
use async_trait::async_trait;
use aws_config::BehaviorVersion;
use axum::Router;
use custody_local::{EnvKek, EnvKekError, KEK_VARIABLE, PREVIOUS_KEK_VARIABLE};
use store_dynamodb::DynamoStore;
use vault::{
    custody::Custody,
    ledger_access::{LedgerAccess, Timer},
    ops::{
        api_tokens, append_ledger, create_key, create_org, get_key, key_audit, key_lineage, list_keys,
        public_key, read_ledger, receipt, recover, revoke_key, rewrap, rotate_key, rotate_ledger_key,
        seal_ledger, sign, usage, verify, whoami,
    },
    sequencing::Sequencer,
    store::Store,
};
use zeroize::Zeroizing;

use crate::workers::SequenceEvents;

/// What is wrong with the environment.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// No tables.
    #[error("set POSTQ_TABLES to what the names of the deployment's tables begin with")]
    NoTables,
    /// No key-encryption key.
    #[error(transparent)]
    Kek(#[from] EnvKekError),
    /// Not an origin.
    #[error("POSTQ_CORS_ORIGINS: {0}")]
    Origin(#[from] NoOrigin),
}

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
    locked(&routes::WHOAMI, store, ports)
}

/// `create-key`
///
/// # Errors
/// [`WiringError`].
pub async fn create_key() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = create_key::Ports { custody: custody()?, writes: store.clone(), replies: store.clone() };
    locked(&routes::CREATE_KEY, store, ports)
}

/// `list-keys`
///
/// # Errors
/// [`WiringError`].
pub async fn list_keys() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = list_keys::Ports { keys: store.clone(), usage: store.clone() };
    locked(&routes::LIST_KEYS, store, ports)
}

/// `get-key`
///
/// # Errors
/// [`WiringError`].
pub async fn get_key() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = get_key::Ports { keys: store.clone(), usage: store.clone() };
    locked(&routes::GET_KEY, store, ports)
}

/// `public-key`
///
/// # Errors
/// [`WiringError`].
pub async fn public_key() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = public_key::Ports { keys: store.clone() };
    locked(&routes::PUBLIC_KEY, store, ports)
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
        custody: custody()?,
        signatures: store.clone(),
        events: store.clone(),
        replies: store.clone(),
    };
    locked(&routes::SIGN, store, ports)
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
        events: store.clone(),
        replies: store.clone(),
    };
    locked(&routes::VERIFY, store, ports)
}

/// `revoke-key`
///
/// # Errors
/// [`WiringError`].
pub async fn revoke_key() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = revoke_key::Ports { keys: store.clone(), writes: store.clone() };
    locked(&routes::REVOKE_KEY, store, ports)
}

/// `rotate-key`
///
/// # Errors
/// [`WiringError`].
pub async fn rotate_key() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = rotate_key::Ports {
        keys: store.clone(),
        sealed: store.clone(),
        custody: custody()?,
        writes: store.clone(),
        replies: store.clone(),
    };
    locked(&routes::ROTATE_KEY, store, ports)
}

/// `key-lineage`
///
/// # Errors
/// [`WiringError`].
pub async fn key_lineage() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = key_lineage::Ports { keys: store.clone(), access: ledger_access(&store)? };
    locked(&routes::KEY_LINEAGE, store, ports)
}

/// `key-audit`
///
/// # Errors
/// [`WiringError`].
pub async fn key_audit() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = key_audit::Ports { keys: store.clone(), sequencer: sequencer(&store) };
    locked(&routes::KEY_AUDIT, store, ports)
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
    locked(&routes::API_TOKENS, store, ports)
}

/// `usage`
///
/// # Errors
/// [`WiringError`].
pub async fn usage() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = usage::Ports { sequencer: sequencer(&store), usage: store.clone() };
    locked(&routes::USAGE, store, ports)
}

/// `read-ledger`
///
/// # Errors
/// [`WiringError`].
pub async fn read_ledger() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = read_ledger::Ports { access: ledger_access(&store)? };
    locked(&routes::READ_LEDGER, store, ports)
}

/// `append-ledger`
///
/// # Errors
/// [`WiringError`].
pub async fn append_ledger() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports =
        append_ledger::Ports { events: store.clone(), sequencer: sequencer(&store), replies: store.clone() };
    locked(&routes::APPEND_LEDGER, store, ports)
}

/// `seal-ledger`
///
/// # Errors
/// [`WiringError`].
pub async fn seal_ledger() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = seal_ports(&store)?;
    locked(&routes::SEAL_LEDGER, store, ports)
}

/// `receipt`
///
/// # Errors
/// [`WiringError`].
pub async fn receipt() -> Result<Router, WiringError> {
    let store = store().await?;
    let ports = receipt::Ports { keys: store.clone(), access: ledger_access(&store)? };
    locked(&routes::RECEIPT, store, ports)
}

/// `create-org`
///
/// # Errors
/// [`WiringError`].
pub async fn create_org() -> Result<create_org::Ports, WiringError> {
    Ok(create_org::Ports { custody: custody()?, writes: store().await? })
}

/// `rotate-ledger-key`
///
/// # Errors
/// [`WiringError`].
pub async fn rotate_ledger_key() -> Result<rotate_ledger_key::Ports, WiringError> {
    let store = store().await?;
    Ok(rotate_ledger_key::Ports {
        orgs: store.clone(),
        keys: store.clone(),
        sealed: store.clone(),
        custody: custody()?,
        writes: store,
    })
}

/// `recover`
///
/// # Errors
/// [`WiringError`].
pub async fn recover() -> Result<recover::Ports, WiringError> {
    Ok(recover::Ports { recovery: store().await? })
}

/// `rewrap-keys`
///
/// # Errors
/// [`WiringError`].
pub async fn rewrap_keys() -> Result<rewrap::Ports, WiringError> {
    Ok(rewrap::Ports { custody: custody()?, rows: store().await? })
}

/// `sequence-events`
///
/// # Errors
/// [`WiringError`].
pub async fn sequence_events() -> Result<SequenceEvents, WiringError> {
    let store = store().await?;
    Ok(SequenceEvents { intake: store.clone(), sequencer: sequencer(&store) })
}

fn sequencer(store: &Arc<dyn Store>) -> Sequencer {
    Sequencer { intake: store.clone(), ledger: store.clone(), placing: store.clone() }
}

fn seal_ports(store: &Arc<dyn Store>) -> Result<seal_ledger::Ports, WiringError> {
    Ok(seal_ledger::Ports {
        orgs: store.clone(),
        keys: store.clone(),
        sealed: store.clone(),
        custody: custody()?,
        sequencer: sequencer(store),
        checkpoints: store.clone(),
        timer: Arc::new(TokioTimer),
        replies: store.clone(),
        events: store.clone(),
    })
}

/// The sealer is in this process too.
fn ledger_access(store: &Arc<dyn Store>) -> Result<LedgerAccess, WiringError> {
    Ok(LedgerAccess {
        orgs: store.clone(),
        keys: store.clone(),
        lines: store.clone(),
        sequencer: sequencer(store),
        sealer: Arc::new(seal_ports(store)?),
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

fn locked<P: Clone + Send + Sync + 'static>(
    operation: &Operation<P>,
    store: Arc<dyn Store>,
    ports: P,
) -> Result<Router, WiringError> {
    finish(operation.router(store, ports))
}

fn finish(router: Router) -> Result<Router, WiringError> {
    let origins = Origin::list(&variable("POSTQ_CORS_ORIGINS").unwrap_or_default())?;
    Ok(http::finish(router, &origins))
}

async fn store() -> Result<Arc<dyn Store>, WiringError> {
    let prefix = variable("POSTQ_TABLES").ok_or(WiringError::NoTables)?;
    // Region, credentials and endpoints as every AWS program finds them; in a Lambda they are the function's own.
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    Ok(Arc::new(DynamoStore::new(&config, &prefix)))
}

fn custody() -> Result<Arc<Custody>, WiringError> {
    let (current, previous) = (variable(KEK_VARIABLE), variable(PREVIOUS_KEK_VARIABLE));
    let kek = EnvKek::from_variables(
        current.as_ref().map(|kek| kek.as_str()),
        previous.as_ref().map(|kek| kek.as_str()),
    )?;
    Ok(Arc::new(custody_local::custody(kek)))
}

fn variable(name: &str) -> Option<Zeroizing<String>> {
    env::var(name).ok().map(Zeroizing::new)
}
