//! `GET /v1/hybrid-keys/{id}/lineage`

use axum::{extract::State, response::Response};
use vault::ops::{key_lineage, read_ledger::shapes};

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, IdPath, NoParams, Success},
};

/// Give a key's whole line, with its proofs
///
/// From whichever of its members. It verifies offline.
#[utoipa::path(
    get, path = "/v1/hybrid-keys/{id}/lineage", tag = "key-lineage", operation_id = "keyLineage",
    params(("id" = String, Path, description = "`key_…`")),
    responses(
        (status = 200, description = "The line.", body = Success<shapes::Lineage>),
        (
            status = "default",
            description = "unauthenticated, missing_scope, key_not_allowed, not_found, key_integrity, kek_unavailable, store_unavailable, \
                store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn key_lineage(
    State(ports): State<key_lineage::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
    IdPath(id): IdPath,
) -> Result<Response, Failure> {
    Ok(http::ok(key_lineage::key_lineage(&ports, &caller, &id).await?))
}
