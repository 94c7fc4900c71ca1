//! Gives events their place, as the intake's stream and a schedule call for it; on no route.

use functions::{wiring, workers::run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    run(wiring::sequence_events()).await
}
