//! The only file that reads the environment. It builds what the operation asks for and nothing else.
//!
//! `POSTQ_DATA`: the directory of the store's file. `POSTQ_SIGNING_KEK`, `POSTQ_SIGNING_KEK_PREVIOUS`: 32 bytes in base64.
//! `POSTQ_CORS_ORIGINS`: origins that may call from a browser, separated by commas; none if unset.

use std::{env, path::Path, sync::Arc};

use api::{
    http::{self, NoOrigin, Origin},
    routes::{self, Operation},
};
use axum::Router;
use custody_local::{EnvKek, EnvKekError, KEK_VARIABLE, PREVIOUS_KEK_VARIABLE};
use store_sqlite::{OpenError, SqliteStore};
use vault::{
    custody::Custody,
    ops::{create_key, get_key, list_keys, public_key, sign, verify, whoami},
    store::Store,
};
use zeroize::Zeroizing;

/// What is wrong with the environment.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// No data directory.
    #[error("set POSTQ_DATA to the directory of the store's file")]
    NoData,
    /// A directory without a store.
    #[error("POSTQ_DATA names a directory without `vault.db`; `postq-vault serve --data DIR` makes one")]
    NoStore,
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] OpenError),
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
pub fn health() -> Result<Router, WiringError> {
    finish(routes::HEALTH.open_router(()))
}

/// `not-found`
///
/// # Errors
/// [`WiringError`].
pub fn not_found() -> Result<Router, WiringError> {
    finish(routes::NOT_FOUND.open_router(()))
}

/// `whoami`
///
/// # Errors
/// [`WiringError`].
pub fn whoami() -> Result<Router, WiringError> {
    let store = store()?;
    let ports = whoami::Ports { orgs: store.clone() };
    locked(&routes::WHOAMI, store, ports)
}

/// `create-key`
///
/// # Errors
/// [`WiringError`].
pub fn create_key() -> Result<Router, WiringError> {
    let store = store()?;
    let ports = create_key::Ports { custody: custody()?, writes: store.clone() };
    locked(&routes::CREATE_KEY, store, ports)
}

/// `list-keys`
///
/// # Errors
/// [`WiringError`].
pub fn list_keys() -> Result<Router, WiringError> {
    let store = store()?;
    let ports = list_keys::Ports { keys: store.clone() };
    locked(&routes::LIST_KEYS, store, ports)
}

/// `get-key`
///
/// # Errors
/// [`WiringError`].
pub fn get_key() -> Result<Router, WiringError> {
    let store = store()?;
    let ports = get_key::Ports { keys: store.clone() };
    locked(&routes::GET_KEY, store, ports)
}

/// `public-key`
///
/// # Errors
/// [`WiringError`].
pub fn public_key() -> Result<Router, WiringError> {
    let store = store()?;
    let ports = public_key::Ports { keys: store.clone() };
    locked(&routes::PUBLIC_KEY, store, ports)
}

/// `sign`
///
/// # Errors
/// [`WiringError`].
pub fn sign() -> Result<Router, WiringError> {
    let store = store()?;
    let ports = sign::Ports {
        keys: store.clone(),
        sealed: store.clone(),
        custody: custody()?,
        signatures: store.clone(),
        events: store.clone(),
    };
    locked(&routes::SIGN, store, ports)
}

/// `verify`
///
/// # Errors
/// [`WiringError`].
pub fn verify() -> Result<Router, WiringError> {
    let store = store()?;
    let ports = verify::Ports { keys: store.clone(), issued: store.clone(), events: store.clone() };
    locked(&routes::VERIFY, store, ports)
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

fn store() -> Result<Arc<dyn Store>, WiringError> {
    let dir = variable("POSTQ_DATA").ok_or(WiringError::NoData)?;
    let file = Path::new(dir.as_str()).join("vault.db");
    // A store made here would have no organisation, and answer 401 to everybody.
    if !file.exists() {
        return Err(WiringError::NoStore);
    }
    Ok(Arc::new(SqliteStore::open(&file)?))
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
