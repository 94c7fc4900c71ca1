//! `GET`, `POST /v1/api-tokens`, `DELETE /v1/api-tokens/{id}`

use functions::{run, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    run(wiring::api_tokens()).await
}
