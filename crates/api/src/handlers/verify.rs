//! `POST /v1/verify`

use axum::{extract::State, response::Response};
use vault::ops::verify;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, JsonBody, Success},
};

/// Check a signature and report both halves
///
/// A signature that does not verify is an answer: 200 with `ok: false`.
#[utoipa::path(
    post, path = "/v1/verify", tag = "verify", operation_id = "verify",
    request_body = verify::Request,
    responses(
        (status = 200, description = "What the check found.", body = Success<verify::Response>),
        (
            status = "default",
            description = "invalid_request, payload_too_large, unsupported_media_type, unauthenticated, \
                missing_scope, not_found, key_integrity, store_unavailable.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn verify(
    State(ports): State<verify::Ports>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<verify::Request>,
) -> Result<Response, Failure> {
    Ok(http::ok(verify::verify(&ports, &caller, request).await?))
}
