//! Brings a restored store's revocations back; on no route.

use functions::{wiring, workers::run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(wiring::recover()).await
}
