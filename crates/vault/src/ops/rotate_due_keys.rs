//! Rotates the keys whose time has come. It is on no route: a schedule runs it, and the ledger names it as who rotated.

use futures::{StreamExt, stream};

use super::rotate_key;
use crate::{
    Error, Timestamp,
    id::KeyId,
    store::{DueRotation, DueRotations, KeyStatus},
};

/// What rotating keys whose time has come touches.
#[derive(Clone)]
pub struct Ports {
    /// Which are due is read.
    pub due: std::sync::Arc<dyn DueRotations>,
    /// Each is rotated as a caller would.
    pub rotate: rotate_key::Ports,
}

/// What was done.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Response {
    /// Keys that were followed, and by which.
    pub rotated: Vec<(KeyId, KeyId)>,
    /// Keys that could not be, and are tried again the next time.
    pub failed: Vec<KeyId>,
}

/// Rotates, some at a time, so that a cloud which does not answer does not keep the keys of others waiting. What fails is told in the log
/// and tried again the next time; it does not keep the rest from being done.
///
/// # Errors
/// [`Error::StoreUnavailable`], [`Error::StoreRestored`].
pub async fn rotate_due_keys(ports: &Ports, now: Timestamp) -> Result<Response, Error> {
    let mut done = Response::default();
    let mut after: Option<DueRotation> = None;
    loop {
        let page = ports.due.due(now, after.as_ref(), PAGE).await?;
        let Some(last) = page.last().cloned() else { return Ok(done) };
        let rotations = page.into_iter().map(|due| async move {
            let outcome = rotate_or_settle(ports, &due).await;
            (due, outcome)
        });
        // All of them come to their end, whatever comes of one.
        let outcomes: Vec<_> = stream::iter(rotations).buffered(AT_A_TIME).collect().await;
        for (due, outcome) in outcomes {
            match outcome {
                Ok(Some(successor)) => done.rotated.push((due.key.clone(), successor)),
                Ok(None) => {}
                Err(restored @ Error::StoreRestored) => return Err(restored),
                Err(error) => {
                    let cause =
                        std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::error!(org = %due.org, key = %due.key, %error, cause, "a key whose time has come was not rotated");
                    done.failed.push(due.key.clone());
                }
            }
        }
        after = Some(last);
    }
}

/// The successor; `None` where there is nothing to do for the key any more.
async fn rotate_or_settle(ports: &Ports, due: &DueRotation) -> Result<Option<KeyId>, Error> {
    let successor = rotate(ports, due).await?;
    if successor.is_none() {
        ports.due.settle_rotation(due).await?;
    }
    Ok(successor)
}

/// The successor; `None` where the key has ended, by whomever.
async fn rotate(ports: &Ports, due: &DueRotation) -> Result<Option<KeyId>, Error> {
    let key = ports.rotate.keys.key(&due.org, &due.key).await?;
    let Some(key) = key.filter(|key| key.status == KeyStatus::Active) else { return Ok(None) };
    let as_it_is = rotate_key::Request::default();
    match rotate_key::rotate(&ports.rotate, WORKER, &key, as_it_is, None).await {
        Ok(successor) => Ok(Some(successor.key.id.parse()?)),
        Err(Error::KeySuperseded { .. } | Error::KeyRevoked { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Who acts, as the ledger names it.
const WORKER: &str = "worker:rotate-due-keys";

const PAGE: usize = 100;

const AT_A_TIME: usize = 8;
