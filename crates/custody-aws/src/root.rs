//! The vault's own key-encryption key, where the environment holds it as a ciphertext of KMS's.

use aws_sdk_kms::{Client, primitives::Blob};
use aws_types::SdkConfig;
use vault::{
    custody::{CustodyError, Failed},
    sealed,
};
use zeroize::Zeroizing;

use crate::call;

/// Opens a ciphertext that `kms:GenerateDataKeyWithoutPlaintext` made for an AES-256 key under the encryption context
/// `{"postq:purpose": "signing-kek"}`: 32 bytes. The process's own identity does it, so its key can be used by no customer's role.
///
/// # Errors
/// [`CustodyError::Cloud`]. It can be tried again.
pub async fn open_signing_kek(
    config: &SdkConfig,
    ciphertext: &[u8],
) -> Result<Zeroizing<[u8; 32]>, CustodyError> {
    let config = aws_sdk_kms::config::Builder::from(config)
        .retry_config(call::retries())
        .timeout_config(call::timeouts())
        .build();
    let call = Client::from_conf(config).decrypt().ciphertext_blob(Blob::new(ciphertext));
    let call = call.encryption_context("postq:purpose", "signing-kek");
    let asked = call::of("kms:Decrypt");
    let opened = call::judge(asked, call.send().await)?;
    let opened =
        Zeroizing::new(opened.plaintext.ok_or_else(|| Failed::wrong(asked, "no plaintext"))?.into_inner());
    Ok(sealed::secret_from(&opened).ok_or_else(|| Failed::wrong(asked, "not 32 bytes"))?)
}
