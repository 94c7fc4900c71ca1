//! `POST /v1/ledger/seal`

use axum::{extract::State, response::Response};
use vault::ops::seal_ledger;

use crate::{
    auth::Authenticated,
    http::{ErrorBody, Failure, PostOrNothing, Success},
    once::once,
};

/// Seal the ledger
///
/// Signs a checkpoint over everything that happened until now, unless the newest one covers it already. At most one checkpoint
/// a second is made; who comes sooner waits until then.
#[utoipa::path(
    post, path = "/v1/ledger/seal", tag = "seal-ledger", operation_id = "sealLedger",
    request_body = Option<seal_ledger::Request>,
    responses(
        (status = 200, description = "The newest checkpoint.", body = Success<seal_ledger::Response>),
        (
            status = "default",
            description = "invalid_request, unsupported_media_type, unauthenticated, missing_scope, key_integrity, kek_unavailable, idempotency_mismatch, \
                idempotency_in_progress, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn seal_ledger(
    State(ports): State<seal_ledger::Ports>,
    Authenticated(caller): Authenticated,
    PostOrNothing { request: _, attempt }: PostOrNothing<seal_ledger::Request>,
) -> Result<Response, Failure> {
    let run = |lease| seal_ledger::seal_ledger(&ports, &caller.org, lease);
    Ok(once(ports.replies.as_ref(), attempt, run).await?.ok())
}
