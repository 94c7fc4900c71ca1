//! One idempotency key, one effect: the first call runs, and a retry gets its answer, byte for byte.
//!
//! A call holds a lease while it runs. Its answer is committed with its effect, under that lease, so that there is never one
//! without the other; a call whose lease was taken over commits nothing.

use serde::Serialize;

use crate::{
    Error, Timestamp,
    error::InternalFault,
    id::KeyId,
    store::{Attempt, Begin, Lease, Replies, Reply, StoredAnswer},
};

/// What a call is to do.
#[derive(Debug)]
pub enum Turn {
    /// Run; with a lease where it has an idempotency key.
    Run(Option<Lease>),
    /// Answer as the call before did.
    Replay {
        /// Its answer, JSON.
        json: Vec<u8>,
        /// The key without which it may not leave.
        signer: Option<KeyId>,
    },
}

/// Finds out what became of the call before, if there was one.
///
/// # Errors
/// [`Error::IdempotencyMismatch`], [`Error::IdempotencyInProgress`], [`Error::AlreadyCreated`],
/// [`Error::StoreUnavailable`].
pub async fn turn(replies: &dyn Replies, attempt: Option<&Attempt>) -> Result<Turn, Error> {
    let Some(attempt) = attempt else {
        return Ok(Turn::Run(None));
    };
    match replies.begin(attempt, Timestamp::now()).await? {
        Begin::Run(lease) => Ok(Turn::Run(Some(lease))),
        Begin::InProgress => Err(Error::IdempotencyInProgress),
        Begin::OtherBody => Err(Error::IdempotencyMismatch),
        Begin::Answered(StoredAnswer::Data { json, signer }) => Ok(Turn::Replay { json, signer }),
        Begin::Answered(StoredAnswer::Secret { id }) => Err(Error::AlreadyCreated { id }),
    }
}

/// Frees the lease of a call that failed before its commit, so that a retry runs anew. After the commit there is an answer,
/// and nothing to free.
///
/// # Errors
/// The call's own.
pub async fn settle<T>(
    replies: &dyn Replies,
    lease: Option<&Lease>,
    outcome: Result<T, Error>,
) -> Result<T, Error> {
    if let (Some(lease), Err(_)) = (lease, &outcome)
        && let Err(error) = replies.release(lease).await
    {
        // It ends by itself.
        tracing::warn!(%error, "a lease could not be released");
    }
    outcome
}

/// The answer to keep, where there is a lease to keep it under.
pub(crate) fn reply(
    lease: Option<&Lease>,
    answer: &impl Serialize,
    signer: Option<&KeyId>,
) -> Result<Option<Reply>, Error> {
    let Some(lease) = lease else {
        return Ok(None);
    };
    let json = to_json(answer)?;
    Ok(Some(Reply { lease: lease.clone(), answer: StoredAnswer::Data { json, signer: signer.cloned() } }))
}

/// An answer's JSON: what is kept, and what leaves.
///
/// # Errors
/// [`Error::Internal`], which no answer of the vault's gives rise to.
pub fn to_json(answer: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(answer).map_err(|_| Error::Internal { source: InternalFault::Json })
}
