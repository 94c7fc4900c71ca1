//! `GET /v1/hybrid-keys/{id}/lineage`

use functions::{run, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    run(wiring::key_lineage()).await
}
