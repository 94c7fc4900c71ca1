//! What is wrong with an environment, each with what to set.

use api::http::NoOrigin;
use custody_local::EnvKekError;
use vault::custody::CustodyError;

/// What is wrong with the environment.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// No tables.
    #[error("set POSTQ_TABLES to what the names of the deployment's tables begin with")]
    NoTables,
    /// No key-encryption key.
    #[error(transparent)]
    Kek(#[from] EnvKekError),
    /// Both a ciphertext and a key in the clear.
    #[error(
        "set POSTQ_SIGNING_KEK_CIPHERTEXT or POSTQ_SIGNING_KEK, not both: which of them is current would be a guess"
    )]
    TwoKeks,
    /// Not a ciphertext, or one of a previous key without a current one.
    #[error(
        "{0} must be what `aws kms generate-data-key-without-plaintext` printed as CiphertextBlob, in base64 (docs/aws.md)"
    )]
    NotACiphertext(&'static str),
    /// Neither yes nor no.
    #[error("POSTQ_SINGLE_ORG is `true` or `false`")]
    SingleOrg,
    /// A cloud's client could not be made.
    #[error("a cloud's client could not be made: {0}")]
    Cloud(#[from] CustodyError),
    /// Nobody to seal.
    #[error("set POSTQ_SEAL_FUNCTION to the name of the Lambda `seal-ledger`")]
    NoSealer,
    /// Not an origin.
    #[error("POSTQ_CORS_ORIGINS: {0}")]
    Origin(#[from] NoOrigin),
}
