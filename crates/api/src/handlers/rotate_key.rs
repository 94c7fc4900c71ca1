//! `POST /v1/hybrid-keys/{id}/rotate`

use axum::{extract::State, response::Response};
use vault::ops::{get_key::KeyWithPublicKey, rotate_key};

use crate::{
    auth::Authenticated,
    http::{ErrorBody, Failure, IdPath, PostOrNothing, Success},
    once::once,
};

/// Have a key followed by a new one
///
/// The successor inherits what the request leaves out. The predecessor verifies and signs no more; what it could sign with is
/// erased.
#[utoipa::path(
    post, path = "/v1/hybrid-keys/{id}/rotate", tag = "rotate-key", operation_id = "rotateKey",
    params(("id" = String, Path, description = "`key_…`")),
    request_body = Option<rotate_key::Request>,
    responses(
        (status = 201, description = "The successor.", body = Success<KeyWithPublicKey>),
        (
            status = "default",
            description = "invalid_request, unsupported_media_type, unauthenticated, missing_scope, key_not_allowed, \
                not_found, key_revoked, key_superseded, policy_violated, policy_unreadable, \
                unsupported_combination, provider_unavailable, settings_missing, settings_changed, \
                role_missing, kms_denied, kms_quota_exceeded, kms_throttled, kms_unavailable, kms_timeout, kms_wrong_answer, \
                credentials_unavailable, secret_unusable, kek_unavailable, key_integrity, \
                idempotency_mismatch, idempotency_in_progress, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn rotate_key(
    State(ports): State<rotate_key::Ports>,
    Authenticated(caller): Authenticated,
    IdPath(id): IdPath,
    PostOrNothing { request, attempt }: PostOrNothing<rotate_key::Request>,
) -> Result<Response, Failure> {
    let run = |lease| rotate_key::rotate_key(&ports, &caller, &id, request, lease);
    Ok(once(ports.replies.as_ref(), attempt, run).await?.created())
}
