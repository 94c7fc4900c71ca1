//! Assertions of a function's own identity, by AWS's token service, for clouds that let the deployment in without a stored secret.

use async_trait::async_trait;
use aws_sdk_sts::{Client, error::ProvideErrorMetadata};
use vault::custody::{AssertionError, Assertions};
use zeroize::Zeroizing;

/// JSON Web Tokens whose subject is the function's role, each for one audience.
pub(crate) struct OwnAssertions {
    pub(crate) sts: Client,
}

#[async_trait]
impl Assertions for OwnAssertions {
    async fn assertion(&self, audience: &str) -> Result<Zeroizing<String>, AssertionError> {
        let call = self.sts.get_web_identity_token().audience(audience).signing_algorithm("RS256");
        let answer = call.duration_seconds(LIFE_SECONDS).send().await.map_err(|error| {
            let code = error.code().unwrap_or("no answer");
            AssertionError::Failed(format!("sts:GetWebIdentityToken: {code}"))
        })?;
        let token = answer.web_identity_token.map(Zeroizing::new);
        token.ok_or_else(|| AssertionError::Failed("sts:GetWebIdentityToken: no token".to_owned()))
    }
}

/// It is exchanged at once.
const LIFE_SECONDS: i32 = 300;
