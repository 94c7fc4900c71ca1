//! `GET /v1/whoami`

use axum::{extract::State, response::Response};
use vault::ops::whoami;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, NoParams, Success},
};

/// Tell what the presented token is
#[utoipa::path(
    get, path = "/v1/whoami", tag = "whoami", operation_id = "whoami",
    responses(
        (status = 200, description = "The token's organisation and scopes.", body = Success<whoami::Response>),
        (status = "default", description = "unauthenticated, store_unavailable.", body = ErrorBody),
    )
)]
pub(crate) async fn whoami(
    State(ports): State<whoami::Ports>,
    Authenticated(caller): Authenticated,
    _: NoParams,
) -> Result<Response, Failure> {
    Ok(http::ok(whoami::whoami(&ports, &caller).await?))
}
