//! `POST /v1/verify`

use axum::{extract::State, response::Response};
use vault::{id::KeyId, ops::verify};

use crate::{
    auth::Authenticated,
    http::{ErrorBody, Failure, Post, Success},
    once::once_or,
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
                missing_scope, key_not_allowed, not_found, policy_violated, policy_unreadable, key_integrity, \
                idempotency_mismatch, idempotency_in_progress, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn verify(
    State(ports): State<verify::Ports>,
    Authenticated(caller): Authenticated,
    Post { request, attempt }: Post<verify::Request>,
) -> Result<Response, Failure> {
    let run = |lease| verify::verify(&ports, &caller, request, lease);
    let replay = async |json, key: Option<KeyId>| {
        if let Some(key) = &key {
            verify::replay(&ports, &caller, key).await?;
        }
        Ok(json)
    };
    Ok(once_or(ports.replies.as_ref(), attempt.as_ref(), run, replay).await?.ok())
}
