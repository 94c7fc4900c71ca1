//! `GET /health`, `GET /v1/health`

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{self, Success};

/// That the process answers, and which version it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
    /// The version.
    version: &'static str,
}

/// Tell that the process answers
///
/// It needs no token and reads nothing.
#[utoipa::path(
    get, path = "/health", tag = "health", operation_id = "health", security(),
    responses((status = 200, description = "It answers.", body = Success<Health>))
)]
pub(crate) async fn health() -> Response {
    http::ok(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// Tell that the process answers, under the API's prefix
///
/// For gateways whose own `/health` stands before the other one.
#[utoipa::path(
    get, path = "/v1/health", tag = "health", operation_id = "healthV1", security(),
    responses((status = 200, description = "It answers.", body = Success<Health>))
)]
pub(crate) async fn health_v1() -> Response {
    health().await
}
