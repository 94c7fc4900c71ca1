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

#[async_trait]
impl KekSource for WrappedKeks {
    async fn open(&self) -> Result<(Kek, Option<Kek>), CustodyError> {
        let current = Kek::from_bytes(open_signing_kek(&self.aws, &self.current).await?);
        let previous = match &self.previous {
            Some(previous) => Some(Kek::from_bytes(open_signing_kek(&self.aws, previous).await?)),
            None => None,
        };
        Ok((current, previous))
    }
}
