//! What a Lambda does before it asks for its first request, while it has a whole processor: it opens the connections that the request
//! would open, at the same time where the request would do so one after the other.
//!
//! Whatever fails or takes too long here is left to the request, which tries again and says what is wrong. So an AWS that does not
//! answer keeps no function from starting.

use std::time::Duration;

use tokio::time::timeout;
use vault::{custody::Custody, store::Tokens, token::TokenHash};

/// Opens the connection to the tables by looking up a token that nobody has, and, beside it, the key-encryption key where the
/// operation signs, or seals what will; then it has the engine sign and verify, which seeds its random numbers.
pub(crate) async fn warm_up(tokens: &dyn Tokens, custody: Option<&Custody>) {
    let table = async {
        if let Err(error) = tokens.token(&TokenHash([0; 32])).await {
            tracing::debug!(%error, "the tables did not answer before the first request");
        }
    };
    let key = async {
        let Some(custody) = custody else { return };
        if let Err(error) = custody.root.current().await {
            tracing::debug!(%error, "the key-encryption key was not opened before the first request");
        }
        if let Err(error) = vault::self_test() {
            tracing::error!(%error, "this build cannot sign here");
        }
    };
    let both = async { tokio::join!(table, key) };
    // What did not come about by then, the request begins anew.
    let _ = timeout(AT_MOST, both).await;
}

/// Some times what the connections take, and far less than the ten seconds after which Lambda gives up.
const AT_MOST: Duration = Duration::from_millis(500);
