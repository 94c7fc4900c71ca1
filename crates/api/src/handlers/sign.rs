//! `POST /v1/sign`

use axum::{extract::State, response::Response};
use vault::ops::sign;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, JsonBody, Success},
};

/// Sign with both halves of a key
///
/// The signature leaves only after its event is durable, and not once the key's revocation has been acknowledged.
#[utoipa::path(
    post, path = "/v1/sign", tag = "sign", operation_id = "sign",
    request_body = sign::Request,
    responses(
        (status = 200, description = "The signature.", body = Success<sign::Response>),
        (
            status = "default",
            description = "invalid_request, reserved_context, payload_too_large, unsupported_media_type, \
                unauthenticated, missing_scope, not_found, key_revoked, key_superseded, key_integrity, \
                store_unavailable.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn sign(
    State(ports): State<sign::Ports>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<sign::Request>,
) -> Result<Response, Failure> {
    Ok(http::ok(sign::sign(&ports, &caller, request).await?))
}
