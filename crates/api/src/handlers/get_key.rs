//! `GET /v1/hybrid-keys/{id}`

use axum::{extract::State, response::Response};
use vault::ops::get_key;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, IdPath, NoParams, Success},
};

/// Show a hybrid key
#[utoipa::path(
    get, path = "/v1/hybrid-keys/{id}", tag = "get-key", operation_id = "getKey",
    params(("id" = String, Path, description = "`key_…`")),
    responses(
        (status = 200, description = "The key.", body = Success<get_key::KeyWithPublicKey>),
        (
            status = "default",
            description = "unauthenticated, missing_scope, key_not_allowed, not_found, key_integrity, store_unavailable.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn get_key(
    State(ports): State<get_key::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
    IdPath(id): IdPath,
) -> Result<Response, Failure> {
    Ok(http::ok(get_key::get_key(&ports, &caller, &id).await?))
}
