//! `POST /v1/hybrid-keys`

use axum::{extract::State, response::Response};
use vault::ops::{create_key, get_key::KeyWithPublicKey};

use crate::{
    auth::Authenticated,
    http::{ErrorBody, Failure, Post, Success},
    once::once,
};

/// Create a hybrid key
///
/// One post-quantum and one classical half, each held by the provider that the request names.
#[utoipa::path(
    post, path = "/v1/hybrid-keys", tag = "create-key", operation_id = "createKey",
    request_body = create_key::Request,
    responses(
        (status = 201, description = "The key.", body = Success<KeyWithPublicKey>),
        (
            status = "default",
            description = "invalid_request, unsupported_media_type, unauthenticated, missing_scope, key_not_allowed, \
                policy_violated, policy_unreadable, follow_required, \
                unsupported_combination, provider_unavailable, settings_missing, settings_changed, \
                role_missing, kms_denied, kms_quota_exceeded, kms_throttled, kms_unavailable, kms_timeout, kms_wrong_answer, \
                credentials_unavailable, secret_unusable, kek_unavailable, idempotency_mismatch, idempotency_in_progress, \
                store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn create_key(
    State(ports): State<create_key::Ports>,
    Authenticated(caller): Authenticated,
    Post { request, attempt }: Post<create_key::Request>,
) -> Result<Response, Failure> {
    let run = |lease| create_key::create_key(&ports, &caller, request, lease);
    Ok(once(ports.replies.as_ref(), attempt, run).await?.created())
}
