//! Has an organisation's ledger key followed by another; on no route.

use functions::{wiring, workers::run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(wiring::rotate_ledger_key()).await
}
