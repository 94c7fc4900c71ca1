//! Rotates the keys whose time has come; on no route.

use functions::{wiring, workers::run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(wiring::rotate_due_keys()).await
}
