//! `GET`, `POST /v1/api-tokens`, `DELETE /v1/api-tokens/{id}`

use axum::{extract::State, response::Response};
use vault::ops::api_tokens;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, IdPath, NoParams, Page, Params, Post, Success},
    once::once,
};

/// List API tokens, newest first
#[utoipa::path(
    get, path = "/v1/api-tokens", tag = "api-tokens", operation_id = "listApiTokens",
    params(api_tokens::ListRequest),
    responses(
        (status = 200, description = "One page of tokens, never the tokens themselves.", body = Page<api_tokens::ApiToken>),
        (status = "default", description = "invalid_request, unauthenticated, missing_scope, store_unavailable.", body = ErrorBody),
    )
)]
pub(crate) async fn list_tokens(
    State(ports): State<api_tokens::Ports>,
    Authenticated(caller): Authenticated,
    Params(request): Params<api_tokens::ListRequest>,
) -> Result<Response, Failure> {
    let page = api_tokens::list_tokens(&ports, &caller, request).await?;
    Ok(http::page(page.tokens, page.limit, page.next_cursor))
}

/// Make an API token
///
/// It is shown this once. A retry with the same `Idempotency-Key` is told the id of what was made, not the token.
#[utoipa::path(
    post, path = "/v1/api-tokens", tag = "api-tokens", operation_id = "createApiToken",
    request_body = api_tokens::Request,
    responses(
        (status = 201, description = "The token.", body = Success<api_tokens::NewToken>),
        (
            status = "default",
            description = "invalid_request, unsupported_media_type, unauthenticated, missing_scope, key_not_allowed, \
                already_created, idempotency_mismatch, idempotency_in_progress, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn create_token(
    State(ports): State<api_tokens::Ports>,
    Authenticated(caller): Authenticated,
    Post { request, attempt }: Post<api_tokens::Request>,
) -> Result<Response, Failure> {
    let run = |lease| api_tokens::create_token(&ports, &caller, request, lease);
    Ok(once(ports.replies.as_ref(), attempt, run).await?.created())
}

/// Revoke an API token
///
/// It is dead at the next call. A second time answers the same.
#[utoipa::path(
    delete, path = "/v1/api-tokens/{id}", tag = "api-tokens", operation_id = "revokeApiToken",
    params(("id" = String, Path, description = "`apk_…`")),
    responses(
        (status = 200, description = "It is revoked.", body = Success<api_tokens::RevokedToken>),
        (
            status = "default",
            description = "unauthenticated, missing_scope, not_found, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn revoke_token(
    State(ports): State<api_tokens::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
    IdPath(id): IdPath,
) -> Result<Response, Failure> {
    Ok(http::ok(api_tokens::revoke_token(&ports, &caller, &id).await?))
}
