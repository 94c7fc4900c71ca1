//! Brings a restored store's revocations back. It is on no route: an operator runs it.

use std::sync::Arc;

use crate::{
    Error, Timestamp,
    events::Scene,
    id::KeyId,
    store::{Record, Recovery},
};

/// What recovering touches.
#[derive(Clone)]
pub struct Ports {
    /// Tombstones that are kept apart are read and applied again.
    pub recovery: Arc<dyn Recovery>,
}

/// How to recover.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request {
    /// Take the revocations although they name another store: for one that was restored from before it had an identity.
    pub adopt: bool,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// Whether the store was a restored one.
    pub restored: bool,
    /// The keys that were revoked again.
    pub revoked_again: Vec<KeyId>,
}

/// Applies every tombstone that the store lost, each in a transaction of its own with an event that says so, and then lets
/// the store write again. It can be killed at any moment and run again.
///
/// # Errors
/// [`Error::Invalid`] where the revocations are another store's and are not to be adopted, [`Error::StoreUnavailable`].
pub async fn recover(ports: &Ports, request: Request) -> Result<Response, Error> {
    let mut response = Response { restored: ports.recovery.is_restored().await?, ..Response::default() };
    if !response.restored {
        return Ok(response);
    }
    if ports.recovery.is_foreign().await? && !request.adopt {
        return Err(Error::invalid("--revocations", FOREIGN));
    }
    for tombstone in ports.recovery.lost_tombstones().await? {
        let scene = Scene { org: &tombstone.org, actor: WORKER, now: Timestamp::now() };
        let record = Record::from(scene.key_revoked(&tombstone)?);
        ports.recovery.revoke_again(&tombstone, record).await?;
        response.revoked_again.push(tombstone.key);
    }
    ports.recovery.declare_recovered().await?;
    Ok(response)
}

const FOREIGN: &str = "the file names another store; name the one that belongs to this store, or, if this one was restored \
                       from before it kept revocations apart, say --adopt";

const WORKER: &str = "worker:recover";
