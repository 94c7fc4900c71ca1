//! `DELETE /v1/hybrid-keys/{id}`

use functions::{run, wiring};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    run(wiring::revoke_key()).await
}
