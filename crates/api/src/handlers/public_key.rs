//! `GET /v1/hybrid-keys/{id}/public-key`

use axum::{extract::State, response::Response};
use vault::ops::public_key;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, IdPath, Params, Success},
};

/// Give a key's public key
///
/// It never changes, so it may be kept. As PEM it is the body itself, without the envelope.
#[utoipa::path(
    get, path = "/v1/hybrid-keys/{id}/public-key", tag = "public-key", operation_id = "publicKey",
    params(("id" = String, Path, description = "`key_…`"), public_key::Request),
    responses(
        (
            status = 200, description = "The public key.",
            content(
                (Success<public_key::PublicKeyData> = "application/json"),
                (String = "application/x-pem-file"),
            )
        ),
        (
            status = "default",
            description = "invalid_request, unauthenticated, missing_scope, key_not_allowed, not_found, no_standard_encoding, \
                key_integrity, store_unavailable.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn public_key(
    State(ports): State<public_key::Ports>,
    Authenticated(caller): Authenticated,
    IdPath(id): IdPath,
    Params(request): Params<public_key::Request>,
) -> Result<Response, Failure> {
    let response = match public_key::public_key(&ports, &caller, &id, &request).await? {
        public_key::Response::Json(data) => http::ok(data),
        public_key::Response::Pem(pem) => http::pem(pem),
    };
    Ok(http::cacheable(response))
}
