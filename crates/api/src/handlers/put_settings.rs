//! `PUT /v1/vault/settings`

use axum::{extract::State, response::Response};
use vault::ops::put_settings;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, Post, Success},
};

/// Save the organisation's settings
///
/// They are tried out first: each account is entered, refused where it could be entered without the external id, and its key
/// wraps and opens; every wrapping key that keys rest on must be within reach. What is left out is not set any more.
#[utoipa::path(
    put, path = "/v1/vault/settings", tag = "put-settings", operation_id = "putSettings",
    request_body = put_settings::Request,
    responses(
        (status = 200, description = "They are saved.", body = Success<put_settings::Response>),
        (
            status = "default",
            description = "invalid_request, unsupported_media_type, unauthenticated, missing_scope, provider_unavailable, \
                role_missing, role_open, kms_denied, kms_throttled, kms_unavailable, kms_timeout, kms_wrong_answer, \
                credentials_unavailable, secret_unusable, kek_unavailable, key_integrity, \
                settings_in_use, settings_changed, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn put_settings(
    State(ports): State<put_settings::Ports>,
    Authenticated(caller): Authenticated,
    Post { request, attempt: _ }: Post<put_settings::Request>,
) -> Result<Response, Failure> {
    Ok(http::ok(put_settings::put_settings(&ports, &caller, request).await?))
}
