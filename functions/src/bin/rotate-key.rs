//! `POST /v1/hybrid-keys/{id}/rotate`

use functions::{run, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    run(wiring::rotate_key()).await
}
