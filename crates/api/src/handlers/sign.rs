//! `POST /v1/sign`

use axum::{extract::State, response::Response};
use vault::{id::KeyId, ops::sign};

use crate::{
    auth::Authenticated,
    http::{ErrorBody, Failure, Post, Success},
    once::once_or,
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
                unauthenticated, missing_scope, key_not_allowed, not_found, key_revoked, key_superseded, \
                idempotency_mismatch, idempotency_in_progress, provider_unavailable, settings_missing, role_missing, \
                policy_violated, policy_unreadable, \
                key_integrity, kms_denied, kms_throttled, kms_unavailable, kms_timeout, kms_wrong_answer, \
                credentials_unavailable, secret_unusable, kek_unavailable, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn sign(
    State(ports): State<sign::Ports>,
    Authenticated(caller): Authenticated,
    Post { request, attempt }: Post<sign::Request>,
) -> Result<Response, Failure> {
    let run = |lease| sign::sign(&ports, &caller, request, lease);
    let replay = async |json, signer: Option<KeyId>| {
        // A replay is a sign call: a revoked key's answer does not leave.
        if let (Some(attempt), Some(signer)) = (&attempt, &signer) {
            sign::replay(&ports, &caller, &attempt.slot, signer).await?;
        }
        Ok(json)
    };
    Ok(once_or(ports.replies.as_ref(), attempt.as_ref(), run, replay).await?.ok())
}
