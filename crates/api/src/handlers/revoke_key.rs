//! `DELETE /v1/hybrid-keys/{id}`

use axum::{extract::State, response::Response};
use vault::ops::revoke_key;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, IdPath, NoParams, Success},
};

/// Revoke a key, for ever
///
/// Once this has answered, no later call signs with it. A second time answers the same.
#[utoipa::path(
    delete, path = "/v1/hybrid-keys/{id}", tag = "revoke-key", operation_id = "revokeKey",
    params(("id" = String, Path, description = "`key_…`")),
    responses(
        (status = 200, description = "It is revoked.", body = Success<revoke_key::Response>),
        (
            status = "default",
            description = "unauthenticated, missing_scope, key_not_allowed, not_found, key_integrity, \
                store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn revoke_key(
    State(ports): State<revoke_key::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
    IdPath(id): IdPath,
) -> Result<Response, Failure> {
    Ok(http::ok(revoke_key::revoke_key(&ports, &caller, &id).await?))
}
