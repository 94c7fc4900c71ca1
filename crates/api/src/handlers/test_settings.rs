//! `POST /v1/vault/settings/test`

use axum::{extract::State, response::Response};
use vault::ops::{put_settings, test_settings};

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, PostOrNothing, Success},
};

/// Try settings out
///
/// Those in the body, or without a body those that are stored. Nothing is saved, and what an account refuses is part of the
/// answer.
#[utoipa::path(
    post, path = "/v1/vault/settings/test", tag = "test-settings", operation_id = "testSettings",
    request_body = Option<put_settings::Request>,
    responses(
        (status = 200, description = "What came of it.", body = Success<test_settings::Response>),
        (
            status = "default",
            description = "invalid_request, unsupported_media_type, unauthenticated, missing_scope, provider_unavailable, \
                kek_unavailable, key_integrity, \
                store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn test_settings(
    State(ports): State<put_settings::Ports>,
    Authenticated(caller): Authenticated,
    PostOrNothing { request, attempt: _ }: PostOrNothing<put_settings::Request>,
) -> Result<Response, Failure> {
    Ok(http::ok(test_settings::test_settings(&ports, &caller, request).await?))
}
