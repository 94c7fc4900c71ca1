//! A call that has one effect, however often it is retried.

use std::future::ready;

use serde::Serialize;
use vault::{
    Error,
    id::KeyId,
    idempotency::{self, Turn},
    store::{Attempt, Lease, Replies},
};

use crate::http::{Answer, Failure};

/// Runs a call, or answers as the one before it did.
pub(crate) async fn once<T: Serialize, F: Future<Output = Result<T, Error>>>(
    replies: &dyn Replies,
    attempt: Option<Attempt>,
    run: impl FnOnce(Option<Lease>) -> F,
) -> Result<Answer, Failure> {
    once_or(replies, attempt.as_ref(), run, |json, _| ready(Ok(json))).await
}

/// The same, where what was kept does not leave as it is: `replay` is handed it, with the key without which it may not leave.
pub(crate) async fn once_or<T, F, G>(
    replies: &dyn Replies,
    attempt: Option<&Attempt>,
    run: impl FnOnce(Option<Lease>) -> F,
    replay: impl FnOnce(Vec<u8>, Option<KeyId>) -> G,
) -> Result<Answer, Failure>
where
    T: Serialize,
    F: Future<Output = Result<T, Error>>,
    G: Future<Output = Result<Vec<u8>, Error>>,
{
    match idempotency::turn(replies, attempt).await? {
        Turn::Run(lease) => {
            let outcome = run(lease.clone()).await;
            let answer = idempotency::settle(replies, lease.as_ref(), outcome).await?;
            Ok(Answer { json: idempotency::to_json(&answer)?, replayed: false })
        }
        Turn::Replay { json, signer } => Ok(Answer { json: replay(json, signer).await?, replayed: true }),
    }
}
