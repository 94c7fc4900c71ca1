//! The vault's own key-encryption keys where the environment holds them as KMS wrapped them.

use async_trait::async_trait;
use aws_types::SdkConfig;
use base64::{Engine, engine::general_purpose::STANDARD};
use custody_aws::open_signing_kek;
use custody_local::{Kek, KekSource};
use vault::custody::CustodyError;

use crate::wiring::WiringError;

/// Key-encryption keys that only KMS can open.
pub(crate) struct WrappedKeks {
    pub(crate) aws: SdkConfig,
    pub(crate) current: Vec<u8>,
    pub(crate) previous: Option<Vec<u8>>,
}

impl WrappedKeks {
    /// Reads a variable's value; one that is empty is one that is not set.
    pub(crate) fn parse(name: &'static str, value: &str) -> Option<Result<Vec<u8>, WiringError>> {
        let value = value.trim();
        let decoded = || STANDARD.decode(value).map_err(|_| WiringError::NotACiphertext(name));
        (!value.is_empty()).then(decoded)
    }
}

impl WrappedKeks {
    /// Its failure is the operator's to mend, not that of the caller's account.
    async fn unwrap(&self, ciphertext: &[u8]) -> Result<Kek, CustodyError> {
        let opened = open_signing_kek(&self.aws, ciphertext).await;
        opened.map(Kek::from_bytes).map_err(|error| CustodyError::RootKek(error.to_string()))
    }
}

#[async_trait]
impl KekSource for WrappedKeks {
    async fn open(&self) -> Result<(Kek, Option<Kek>), CustodyError> {
        let previous = match &self.previous {
            Some(previous) => Some(self.unwrap(previous).await?),
            None => None,
        };
        Ok((self.unwrap(&self.current).await?, previous))
    }
}
