//! `POST /v1/ledger/entries`

use axum::{extract::State, response::Response};
use vault::{
    idempotency::{self, Turn},
    ops::{append_ledger, read_ledger::LedgerEntry},
};

use crate::{
    auth::Authenticated,
    http::{Answer, ErrorBody, Failure, Post, Success},
};

/// Append an event of your own to the ledger
///
/// Its type is always `custom.event`; all that you send stands in the payload's `data`.
#[utoipa::path(
    post, path = "/v1/ledger/entries", tag = "append-ledger", operation_id = "appendLedgerEntry",
    request_body = append_ledger::Request,
    responses(
        (status = 201, description = "The entry at its place.", body = Success<LedgerEntry>),
        (
            status = "default",
            description = "invalid_request, unsupported_media_type, unauthenticated, missing_scope, \
                idempotency_mismatch, idempotency_in_progress, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn append_ledger(
    State(ports): State<append_ledger::Ports>,
    Authenticated(caller): Authenticated,
    Post { request, attempt }: Post<append_ledger::Request>,
) -> Result<Response, Failure> {
    let (entry, replayed) = match idempotency::turn(ports.replies.as_ref(), attempt.as_ref()).await? {
        Turn::Run(lease) => {
            let entry = append_ledger::append_ledger(&ports, &caller, request, lease.clone()).await;
            (idempotency::settle(ports.replies.as_ref(), lease.as_ref(), entry).await?, false)
        }
        Turn::Replay { json, .. } => (append_ledger::replay(&ports, &caller, &json).await?, true),
    };
    Ok(Answer { json: idempotency::to_json(&entry)?, replayed }.created())
}
