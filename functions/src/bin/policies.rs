//! `GET`, `POST /v1/policies`, `GET /v1/policies/offered`, `GET`, `PATCH`, `DELETE /v1/policies/{id}`

use functions::{run, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    run(wiring::policies()).await
}
