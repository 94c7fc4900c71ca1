//! `POST /v1/ledger/seal`

use functions::{run, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    run(wiring::seal_ledger()).await
}
