//! Makes an organisation, its ledger key and its first token; on no route.

use functions::{wiring, workers::run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(wiring::create_org()).await
}
