//! `GET /v1/hybrid-keys/{id}/public-key`

use functions::{run, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    run(wiring::public_key()).await
}
