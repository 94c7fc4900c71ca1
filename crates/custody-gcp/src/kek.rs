//! Data keys: 32 random bytes of the vault's own making, encrypted by the settings' symmetric key under additional authenticated data
//! that name the organisation and the key, `{"postq:key":"…","postq:org":"…"}`. Whichever version encrypted opens them again.

use async_trait::async_trait;
use google_cloud_kms_v1::model::{DecryptRequest, EncryptRequest};
use ledger::Json;
use vault::{
    custody::{CustodyError, Dek, Failed, KeyEncryption, NewDek, Subject, WrappedDek},
    providers::KekProvider,
    random, sealed,
    settings::CryptoKeyVersionName,
};
use zeroize::Zeroizing;

use crate::{
    account::Account,
    checked::{checked, crc32c},
    kms,
};

#[async_trait]
impl KeyEncryption for Account {
    fn provider(&self) -> KekProvider {
        KekProvider::GcpKms
    }

    async fn generate_dek(&self, subject: Subject<'_>) -> Result<NewDek, CustodyError> {
        self.wrap(&context(subject.org.as_str(), subject.key.as_str())).await
    }

    async fn unwrap_dek(&self, subject: Subject<'_>, wrapped: &WrappedDek) -> Result<Dek, CustodyError> {
        self.unwrap(&context(subject.org.as_str(), subject.key.as_str()), wrapped).await
    }

    /// Cloud KMS keeps old versions, and finds the one that encrypted by itself.
    async fn rewrap_dek(&self, _: Subject<'_>, _: &WrappedDek) -> Result<Option<WrappedDek>, CustodyError> {
        Ok(None)
    }
}

impl Account {
    /// Whether the wrapping key that the settings name wraps and opens.
    pub(crate) async fn try_wrapping(&self) -> Result<(), CustodyError> {
        let context = context(self.settings.org.as_str(), "settings-test");
        let new = self.wrap(&context).await?;
        if self.unwrap(&context, &new.wrapped).await?.0 == new.dek.0 {
            Ok(())
        } else {
            let asked = crate::call::on(kms::DECRYPT, self.account.kek.as_str());
            Err(Failed::wrong(asked, "it opened to other bytes than were wrapped").into())
        }
    }

    async fn wrap(&self, context: &str) -> Result<NewDek, CustodyError> {
        let dek = Dek(random::generate_secret()?);
        let key = &self.account.kek;
        let request = EncryptRequest::new()
            .set_plaintext(dek.0.to_vec())
            .set_plaintext_crc32c(crc32c(dek.0.as_slice()))
            .set_additional_authenticated_data(context.as_bytes().to_vec())
            .set_additional_authenticated_data_crc32c(crc32c(context.as_bytes()));
        let asked = kms::encrypt(key, &request)?;
        let answer = self.ask(key.as_str(), &asked).await?;
        if !answer.verified_plaintext_crc32c || !answer.verified_additional_authenticated_data_crc32c {
            return Err(Failed::wrong(asked.call, "it got other bytes than were sent").into());
        }
        let bytes = checked(&answer.ciphertext, answer.ciphertext_crc32c).filter(|bytes| !bytes.is_empty());
        let bytes =
            bytes.ok_or_else(|| Failed::wrong(asked.call, "other bytes than were sent came"))?.to_vec();
        let version = CryptoKeyVersionName::parse(&answer.name).ok();
        let version = version.and_then(|version| version.moved_to(key));
        let version = version.ok_or_else(|| Failed::wrong(asked.call, "another key wrapped it"))?;
        Ok(NewDek { dek, wrapped: WrappedDek { bytes, kek_key_id: Some(version.to_string()) } })
    }

    async fn unwrap(&self, context: &str, wrapped: &WrappedDek) -> Result<Dek, CustodyError> {
        let version = wrapped.kek_key_id.as_deref().and_then(|id| CryptoKeyVersionName::parse(id).ok());
        let key = version.ok_or(CustodyError::NotAuthentic)?.key;
        if wrapped.bytes.is_empty() {
            return Err(CustodyError::NotAuthentic);
        }
        let request = DecryptRequest::new()
            .set_ciphertext(wrapped.bytes.clone())
            .set_ciphertext_crc32c(crc32c(&wrapped.bytes))
            .set_additional_authenticated_data(context.as_bytes().to_vec())
            .set_additional_authenticated_data_crc32c(crc32c(context.as_bytes()));
        let asked = kms::decrypt(&key, &request)?;
        let answer = match self.ask(key.as_str(), &asked).await {
            // What Cloud KMS says of bytes that no version of this key encrypted, or not under this context; and of such as were damaged on
            // their way, which a second time are not.
            Err(failed) if failed.is("INVALID_ARGUMENT") => self.ask(key.as_str(), &asked).await,
            outcome => outcome,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(failed) if failed.is("INVALID_ARGUMENT") => return Err(CustodyError::NotAuthentic),
            Err(failed) => return Err(failed.into()),
        };
        let opened = Zeroizing::new(answer.plaintext.to_vec());
        let opened = checked(&opened, answer.plaintext_crc32c)
            .ok_or_else(|| Failed::wrong(asked.call, "other bytes than were sent came"))?;
        Ok(Dek(sealed::secret_from(opened).ok_or_else(|| Failed::wrong(asked.call, "not 32 bytes"))?))
    }
}

fn context(org: &str, key: &str) -> String {
    Json::object([("postq:key", key.into()), ("postq:org", org.into())]).to_canonical()
}
