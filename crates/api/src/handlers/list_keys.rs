//! `GET /v1/hybrid-keys`

use axum::{extract::State, response::Response};
use vault::ops::{get_key::Key, list_keys};

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, Page, Params},
};

/// List hybrid keys, newest first
///
/// In a URL the plus sign of an algorithm's name is written `%2B`.
#[utoipa::path(
    get, path = "/v1/hybrid-keys", tag = "list-keys", operation_id = "listKeys",
    params(list_keys::Request),
    responses(
        (status = 200, description = "One page of keys, without their public keys.", body = Page<Key>),
        (
            status = "default",
            description = "invalid_request, unauthenticated, missing_scope, key_integrity, store_unavailable.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn list_keys(
    State(ports): State<list_keys::Ports>,
    Authenticated(caller): Authenticated,
    Params(request): Params<list_keys::Request>,
) -> Result<Response, Failure> {
    let page = list_keys::list_keys(&ports, &caller, request).await?;
    Ok(http::page(page.keys, page.limit, page.next_cursor))
}
