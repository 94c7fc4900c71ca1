//! Data keys: 32 bytes by `GenerateDataKey`, opened by `Decrypt` naming the key, both under an encryption context of
//! `{postq:org, postq:key}`, which KMS authenticates and writes into the account's own trail.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_kms::{primitives::Blob, types::DataKeySpec};
use vault::{
    custody::{CustodyError, Dek, Failed, KeyEncryption, NewDek, Subject, WrappedDek},
    providers::KekProvider,
    sealed,
};
use zeroize::Zeroizing;

use crate::{account::Account, call};

#[async_trait]
impl KeyEncryption for Account {
    fn provider(&self) -> KekProvider {
        KekProvider::AwsKms
    }

    async fn generate_dek(&self, subject: Subject<'_>) -> Result<NewDek, CustodyError> {
        let context = [("postq:org", subject.org.as_str()), ("postq:key", subject.key.as_str())];
        self.generate(&context).await
    }

    async fn unwrap_dek(&self, subject: Subject<'_>, wrapped: &WrappedDek) -> Result<Dek, CustodyError> {
        let context = [("postq:org", subject.org.as_str()), ("postq:key", subject.key.as_str())];
        self.open(&context, wrapped).await
    }

    /// KMS keeps the material of old rotations and opens what it wrapped by itself.
    async fn rewrap_dek(
        &self,
        _subject: Subject<'_>,
        _wrapped: &WrappedDek,
    ) -> Result<Option<WrappedDek>, CustodyError> {
        Ok(None)
    }
}

impl Account {
    /// Whether the wrapping key that the settings name wraps and opens.
    pub(crate) async fn try_wrapping(&self) -> Result<(), CustodyError> {
        let context = [("postq:org", self.settings.org.as_str()), ("postq:key", "settings-test")];
        let new = self.generate(&context).await?;
        let opened = self.open(&context, &new.wrapped).await?;
        if opened.0 == new.dek.0 {
            Ok(())
        } else {
            let asked = call::on("kms:Decrypt", self.account.key.as_str());
            Err(Failed::wrong(asked, "it opened to other bytes than were wrapped").into())
        }
    }

    async fn generate(&self, context: &[(&str, &str)]) -> Result<NewDek, CustodyError> {
        let key = self.account.key.as_str();
        let asked = call::on("kms:GenerateDataKey", key);
        let call = self.home().generate_data_key().key_id(key).key_spec(DataKeySpec::Aes256);
        let call = call.set_encryption_context(Some(map(context)));
        let answer = self.ask("kms:GenerateDataKey", key, call.send()).await?;
        let (Some(plaintext), Some(ciphertext), Some(named)) =
            (answer.plaintext, answer.ciphertext_blob, answer.key_id)
        else {
            return Err(Failed::wrong(asked, "a part is missing").into());
        };
        let plaintext = Zeroizing::new(plaintext.into_inner());
        let dek = sealed::secret_from(&plaintext).ok_or_else(|| Failed::wrong(asked, "not 32 bytes"))?;
        if named != key {
            return Err(Failed::wrong(asked, "another key wrapped it").into());
        }
        let wrapped = WrappedDek { bytes: ciphertext.into_inner(), kek_key_id: Some(named) };
        Ok(NewDek { dek: Dek(dek), wrapped })
    }

    async fn open(&self, context: &[(&str, &str)], wrapped: &WrappedDek) -> Result<Dek, CustodyError> {
        let key = wrapped.kek_key_id.as_deref().ok_or(CustodyError::NotAuthentic)?;
        if wrapped.bytes.is_empty() {
            return Err(CustodyError::NotAuthentic);
        }
        let asked = call::on("kms:Decrypt", key);
        let call = self.client_of(key).await?.decrypt().key_id(key);
        let call = call.ciphertext_blob(Blob::new(wrapped.bytes.clone()));
        let call = call.set_encryption_context(Some(map(context)));
        let answer = match self.ask("kms:Decrypt", key, call.send()).await {
            Ok(answer) => answer,
            Err(failed) if NOT_ITS_OWN.iter().any(|code| failed.is(code)) => {
                return Err(CustodyError::NotAuthentic);
            }
            Err(failed) => return Err(failed.into()),
        };
        let plaintext = answer.plaintext.ok_or_else(|| Failed::wrong(asked, "no plaintext"))?;
        let plaintext = Zeroizing::new(plaintext.into_inner());
        let dek = sealed::secret_from(&plaintext).ok_or_else(|| Failed::wrong(asked, "not 32 bytes"))?;
        Ok(Dek(dek))
    }
}

/// What KMS says of a ciphertext that this key did not make, or not under this context.
const NOT_ITS_OWN: [&str; 2] = ["InvalidCiphertextException", "IncorrectKeyException"];

fn map(context: &[(&str, &str)]) -> HashMap<String, String> {
    context.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
