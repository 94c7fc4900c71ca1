//! How a call can fail.

use std::time::Duration;

use serde_json::Value;

/// A call that did not succeed. None holds the token.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The API refused, and says why.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The API's stable name of the reason.
        code: String,
        /// Its sentence.
        message: String,
        /// Its name of the request.
        request_id: Option<String>,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// Whatever else it said.
        details: Value,
    },
    /// No answer came, after all retries.
    #[error("no answer from {origin}: {why}")]
    NoAnswer {
        /// Where it was sent.
        origin: String,
        /// What the network said.
        why: String,
    },
    /// Something answered that is no vault.
    #[error("what answers at {0} is not a PostQ Vault")]
    NotAVault(String),
    /// An address that is none.
    #[error("an endpoint is an address such as https://vault.example.com, without user, query or fragment")]
    Endpoint,
    /// An address to which a token would go in clear text.
    #[error(
        "an endpoint on another machine is reached by https: over http anybody on the way could read the token"
    )]
    Plain,
    /// A token that cannot be sent.
    #[error("an API token is 8 or more printable characters without spaces")]
    Token,
    /// No idempotency key could be made.
    #[error("the system gives no random numbers")]
    Random,
}
