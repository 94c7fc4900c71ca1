//! `GET /v1/receipts/{eventId}`

use functions::{run, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    run(wiring::receipt()).await
}
