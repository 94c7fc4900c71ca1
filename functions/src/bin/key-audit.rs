//! `GET /v1/hybrid-keys/{id}/audit`

use functions::{run, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    run(wiring::key_audit()).await
}
