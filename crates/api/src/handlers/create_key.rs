//! `POST /v1/hybrid-keys`

use axum::{extract::State, response::Response};
use vault::ops::{create_key, get_key::KeyWithPublicKey};

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, JsonBody, Success},
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
            description = "invalid_request, unsupported_media_type, unauthenticated, missing_scope, \
                unsupported_combination, provider_unavailable, store_unavailable.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn create_key(
    State(ports): State<create_key::Ports>,
    Authenticated(caller): Authenticated,
    JsonBody(request): JsonBody<create_key::Request>,
) -> Result<Response, Failure> {
    Ok(http::created(create_key::create_key(&ports, &caller, request).await?))
}
