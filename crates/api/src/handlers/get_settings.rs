//! `GET /v1/vault/settings`

use axum::{extract::State, response::Response};
use vault::ops::get_settings;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, NoParams, Success},
};

/// Show the organisation's settings
///
/// `data` is null where nothing is set.
#[utoipa::path(
    get, path = "/v1/vault/settings", tag = "get-settings", operation_id = "getSettings",
    responses(
        (status = 200, description = "The settings, or null.", body = Success<Option<get_settings::Response>>),
        (
            status = "default",
            description = "unauthenticated, missing_scope, store_unavailable.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn get_settings(
    State(ports): State<get_settings::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
) -> Result<Response, Failure> {
    Ok(http::ok(get_settings::get_settings(&ports, &caller).await?))
}
