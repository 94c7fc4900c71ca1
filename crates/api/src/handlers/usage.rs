//! `GET /v1/usage`

use axum::{extract::State, response::Response};
use vault::ops::usage;

use crate::{
    auth::Authenticated,
    http::{self, ErrorBody, Failure, Params, Success},
};

/// Show how much the organisation uses
///
/// Signatures are counted when they are committed; one that was withheld is counted too.
#[utoipa::path(
    get, path = "/v1/usage", tag = "usage", operation_id = "usage",
    params(usage::Request),
    responses(
        (status = 200, description = "Keys and signatures.", body = Success<usage::Response>),
        (
            status = "default",
            description = "invalid_request, unauthenticated, missing_scope, store_unavailable, store_restored.",
            body = ErrorBody
        ),
    )
)]
pub(crate) async fn usage(
    State(ports): State<usage::Ports>,
    Authenticated(caller): Authenticated,
    Params(request): Params<usage::Request>,
) -> Result<Response, Failure> {
    Ok(http::ok(usage::usage(&ports, &caller, &request).await?))
}
