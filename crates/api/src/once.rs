//! A call that has one effect, however often it is retried.

use serde::Serialize;
use vault::{
    Error,
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
    match idempotency::turn(replies, attempt.as_ref()).await? {
        Turn::Run(lease) => {
            let outcome = run(lease.clone()).await;
            let answer = idempotency::settle(replies, lease.as_ref(), outcome).await?;
            Ok(Answer { json: idempotency::to_json(&answer)?, replayed: false })
        }
        Turn::Replay { json, .. } => Ok(Answer { json, replayed: true }),
    }
}
