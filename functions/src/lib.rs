//! The Lambdas: one binary per row of the API's table and per worker, each a route and a run.
//!
//! In scope: running a router as a Lambda behind an API Gateway HTTP API (payload 2.0), [`workers`], which are on no route, [`sealing`], which is on one and is invoked as well, and
//! [`wiring`], which reads the environment and builds just the ports that an operation needs. Out of scope: any logic of an operation.

mod assertions;
pub mod sealing;
mod warm_up;
pub mod wiring;
mod wiring_error;
pub mod workers;
mod wrapped_kek;

use axum::Router;
use tracing_subscriber::{Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::wiring::WiringError;

/// Serves one router as a Lambda until the environment ends. What is wrong with its wiring is said in the log first.
///
/// # Errors
/// The wiring's, and the runtime's own where its API does not answer.
pub async fn run(
    router: impl Future<Output = Result<Router, WiringError>>,
) -> Result<(), lambda_http::Error> {
    log();
    let router = router.await.inspect_err(|error| tracing::error!("{error}"))?;
    lambda_http::run(router).await
}

/// JSON lines, as CloudWatch takes them.
pub(crate) fn log() {
    let lines = tracing_subscriber::fmt::layer()
        .log_internal_errors(false)
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .without_time()
        .with_filter(wiring::log_levels());
    tracing_subscriber::registry().with(lines).init();
}
