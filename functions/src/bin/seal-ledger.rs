//! `POST /v1/ledger/seal`; invoked by those who make evidence and by a schedule, too.

use functions::{sealing::run, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(wiring::seal_ledger()).await
}
