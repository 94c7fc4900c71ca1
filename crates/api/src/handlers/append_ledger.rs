//! `POST /v1/ledger/entries`

use axum::{extract::State, response::Response};
use vault::{
    idempotency::to_json,
    ops::{append_ledger, read_ledger::LedgerEntry},
};

use crate::{
    auth::Authenticated,
    http::{ErrorBody, Failure, Post, Success},
    once::once_or,
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
    let run = |lease| append_ledger::append_ledger(&ports, &caller, request, lease);
    let replay = async |kept: Vec<u8>, _| to_json(&append_ledger::replay(&ports, &caller, &kept).await?);
    Ok(once_or(ports.replies.as_ref(), attempt.as_ref(), run, replay).await?.created())
}
