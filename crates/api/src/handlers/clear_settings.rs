//! `DELETE /v1/vault/settings`

use axum::{extract::State, response::Response};
use vault::ops::clear_settings;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, NoParams, Success},
};

/// Take the organisation's settings away
///
/// Refused while an unrevoked key rests on them, or a half is still to be deleted by them.
#[utoipa::path(
    delete, path = "/v1/vault/settings", tag = "clear-settings", operation_id = "clearSettings",
    responses(
        (status = 200, description = "There are none.", body = Success<clear_settings::Response>),
        (
            status = "default",
            description = "unauthenticated, missing_scope, settings_in_use, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn clear_settings(
    State(ports): State<clear_settings::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
) -> Result<Response, Failure> {
    Ok(http::ok(clear_settings::clear_settings(&ports, &caller).await?))
}
