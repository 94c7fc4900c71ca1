//! How a deployment proves to a cloud who it is, without a secret that anybody stores.

use async_trait::async_trait;
use zeroize::Zeroizing;

/// Makes assertions of the deployment's own identity: JSON Web Tokens (RFC 7523 §3) for one audience, which is an organisation's
/// external id. What expects another audience is not entered by it.
#[async_trait]
pub trait Assertions: Send + Sync {
    /// A fresh assertion for an audience.
    async fn assertion(&self, audience: &str) -> Result<Zeroizing<String>, AssertionError>;
}

/// Why there is no assertion. No variant carries one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// The deployment has nothing that makes them.
    #[error("this deployment makes no assertions of its own identity")]
    None,
    /// What makes them did not.
    #[error("{0}")]
    Failed(String),
}

/// A deployment without an identity that makes assertions.
pub struct NoAssertions;

#[async_trait]
impl Assertions for NoAssertions {
    async fn assertion(&self, _: &str) -> Result<Zeroizing<String>, AssertionError> {
        Err(AssertionError::None)
    }
}
