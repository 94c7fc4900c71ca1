//! The ports of those that are on no route.

use vault::ops::{create_org, reconcile_keys, recover, rewrap, rotate_due_keys, rotate_ledger_key};

use super::{WiringError, custody, custody_with_clouds, rotating, sequencer, store};
use crate::workers::SequenceEvents;

/// `create-org`
///
/// # Errors
/// [`WiringError`].
pub async fn create_org() -> Result<create_org::Ports, WiringError> {
    Ok(create_org::Ports { custody: custody().await?, writes: store().await? })
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
        custody: custody().await?,
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
    Ok(rewrap::Ports { custody: custody().await?, rows: store().await? })
}

/// `reconcile-keys`
///
/// # Errors
/// [`WiringError`].
pub async fn reconcile_keys() -> Result<reconcile_keys::Ports, WiringError> {
    let store = store().await?;
    Ok(reconcile_keys::Ports {
        orgs: store.clone(),
        settings: store.clone(),
        secrets: store.clone(),
        keys: store.clone(),
        rows: store,
        custody: custody_with_clouds().await?,
    })
}

/// `sequence-events`
///
/// # Errors
/// [`WiringError`].
pub async fn sequence_events() -> Result<SequenceEvents, WiringError> {
    let store = store().await?;
    Ok(SequenceEvents { intake: store.clone(), sequencer: sequencer(&store) })
}

/// `rotate-due-keys`
///
/// # Errors
/// [`WiringError`].
pub async fn rotate_due_keys() -> Result<rotate_due_keys::Ports, WiringError> {
    let store = store().await?;
    Ok(rotate_due_keys::Ports { rotate: rotating(&store).await?, due: store })
}
