//! `GET /v1/ledger/entries`, `/checkpoints`, `/checkpoints/latest`, `/proof/{eventId}`, `/consistency`, `/bundle`

use axum::{extract::State, response::Response};
use vault::ops::read_ledger::{
    self, ConsistencyProof, InclusionProof, LedgerCheckpoint, LedgerEntry, shapes,
};

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, IdPath, NoParams, Page, Params, Success},
};

/// Read the ledger's entries, in their order
#[utoipa::path(
    get, path = "/v1/ledger/entries", tag = "read-ledger", operation_id = "ledgerEntries",
    params(read_ledger::EntriesRequest),
    responses(
        (status = 200, description = "One page of entries.", body = Page<LedgerEntry>),
        (
            status = "default",
            description = "invalid_request, unauthenticated, missing_scope, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn entries(
    State(ports): State<read_ledger::Ports>,
    Authenticated(caller): Authenticated,
    Params(request): Params<read_ledger::EntriesRequest>,
) -> Result<Response, Failure> {
    let page = read_ledger::entries(&ports, &caller, request).await?;
    Ok(http::page(page.items, page.limit, page.next_cursor))
}

/// List checkpoints, newest first
#[utoipa::path(
    get, path = "/v1/ledger/checkpoints", tag = "read-ledger", operation_id = "ledgerCheckpoints",
    params(read_ledger::CheckpointsRequest),
    responses(
        (status = 200, description = "One page of checkpoints.", body = Page<LedgerCheckpoint>),
        (status = "default", description = "invalid_request, unauthenticated, missing_scope, store_unavailable.", body = ErrorBody),
    )
)]
pub(crate) async fn checkpoints(
    State(ports): State<read_ledger::Ports>,
    Authenticated(caller): Authenticated,
    Params(request): Params<read_ledger::CheckpointsRequest>,
) -> Result<Response, Failure> {
    let page = read_ledger::checkpoints(&ports, &caller, &request).await?;
    Ok(http::page(page.items, page.limit, page.next_cursor))
}

/// Show the newest checkpoint
#[utoipa::path(
    get, path = "/v1/ledger/checkpoints/latest", tag = "read-ledger", operation_id = "latestLedgerCheckpoint",
    responses(
        (
            status = 200,
            description = "The checkpoint; null where the ledger was never sealed.",
            body = Success<Option<LedgerCheckpoint>>
        ),
        (status = "default", description = "unauthenticated, missing_scope, store_unavailable.", body = ErrorBody),
    )
)]
pub(crate) async fn latest(
    State(ports): State<read_ledger::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
) -> Result<Response, Failure> {
    Ok(http::ok(read_ledger::latest(&ports, &caller).await?))
}

/// Prove that an event is in the ledger
///
/// Where no checkpoint covers it yet, one is made first.
#[utoipa::path(
    get, path = "/v1/ledger/proof/{eventId}", tag = "read-ledger", operation_id = "ledgerProof",
    params(("eventId" = String, Path, description = "`evt_…`")),
    responses(
        (status = 200, description = "The proof.", body = Success<InclusionProof>),
        (
            status = "default",
            description = "unauthenticated, missing_scope, not_found, key_integrity, kek_unavailable, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn proof(
    State(ports): State<read_ledger::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
    IdPath(event): IdPath,
) -> Result<Response, Failure> {
    Ok(http::ok(read_ledger::proof(&ports, &caller, &event).await?))
}

/// Prove that the ledger only grew
#[utoipa::path(
    get, path = "/v1/ledger/consistency", tag = "read-ledger", operation_id = "ledgerConsistency",
    params(read_ledger::ConsistencyRequest),
    responses(
        (status = 200, description = "The proof.", body = Success<ConsistencyProof>),
        (
            status = "default",
            description = "invalid_request, unauthenticated, missing_scope, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn consistency(
    State(ports): State<read_ledger::Ports>,
    Authenticated(caller): Authenticated,
    Params(request): Params<read_ledger::ConsistencyRequest>,
) -> Result<Response, Failure> {
    Ok(http::ok(read_ledger::consistency(&ports, &caller, &request).await?))
}

/// Give all that a verifier needs offline
///
/// Whole, or with `since` and `limit` in ranges, each of which verifies by itself.
#[utoipa::path(
    get, path = "/v1/ledger/bundle", tag = "read-ledger", operation_id = "ledgerBundle",
    params(read_ledger::BundleRequest),
    responses(
        (status = 200, description = "The bundle.", body = Success<shapes::Bundle>),
        (
            status = "default",
            description = "invalid_request, unauthenticated, missing_scope, ledger_too_large, key_integrity, kek_unavailable, store_unavailable, \
                store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn bundle(
    State(ports): State<read_ledger::Ports>,
    Authenticated(caller): Authenticated,
    Params(request): Params<read_ledger::BundleRequest>,
) -> Result<Response, Failure> {
    Ok(http::ok(read_ledger::bundle(&ports, &caller, &request).await?))
}
