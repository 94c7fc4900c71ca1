//! Data keys: 32 random bytes of the vault's own making, wrapped by the settings' RSA key (RSA-OAEP with SHA-256, RFC 8017 §7.1) and
//! unwrapped by the version that wrapped them. Wrapping takes a public key alone, so the record's tag is what says that the vault did it.

use async_trait::async_trait;
use azure_security_keyvault_keys::models::{EncryptionAlgorithm, KeyOperationParameters, KeyOperationResult};
use vault::{
    custody::{CustodyError, Dek, Failed, KeyEncryption, NewDek, Subject, WrappedDek},
    providers::KekProvider,
    random, sealed,
    settings::VaultKeyId,
};
use zeroize::Zeroizing;

use crate::{account::Account, call};

#[async_trait]
impl KeyEncryption for Account {
    fn provider(&self) -> KekProvider {
        KekProvider::AzureKv
    }

    async fn generate_dek(&self, _: Subject<'_>) -> Result<NewDek, CustodyError> {
        self.wrap().await
    }

    async fn unwrap_dek(&self, _: Subject<'_>, wrapped: &WrappedDek) -> Result<Dek, CustodyError> {
        self.unwrap(wrapped).await
    }

    /// Key Vault keeps old versions, and each opens what it wrapped.
    async fn rewrap_dek(&self, _: Subject<'_>, _: &WrappedDek) -> Result<Option<WrappedDek>, CustodyError> {
        Ok(None)
    }
}

impl Account {
    /// Whether the wrapping key that the settings name wraps and opens.
    pub(crate) async fn try_wrapping(&self) -> Result<(), CustodyError> {
        let new = self.wrap().await?;
        if self.unwrap(&new.wrapped).await?.0 == new.dek.0 {
            Ok(())
        } else {
            let asked = call::on("keys/unwrapKey", self.account.kek.as_str());
            Err(Failed::wrong(asked, "it opened to other bytes than were wrapped").into())
        }
    }

    async fn wrap(&self) -> Result<NewDek, CustodyError> {
        let dek = Dek(random::generate_secret()?);
        let name = self.account.kek.as_str();
        let key = format!("{}/keys/{name}", self.account.vault.as_str());
        let asked = call::on("keys/wrapKey", &key);
        let clients = self.home()?;
        let call =
            async { clients.patient.wrap_key(name, parameters(dek.0.as_slice()).try_into()?, None).await };
        let KeyOperationResult { kid: Some(kid), result: Some(bytes), .. } =
            self.ask("keys/wrapKey", &key, call).await?
        else {
            return Err(Failed::wrong(asked, "a part is missing").into());
        };
        let named = VaultKeyId::parse(&kid).ok();
        let ours = named.is_some_and(|id| id.vault == self.account.vault && id.name == self.account.kek);
        if !ours || bytes.is_empty() {
            return Err(Failed::wrong(asked, "another key wrapped it").into());
        }
        Ok(NewDek { dek, wrapped: WrappedDek { bytes, kek_key_id: Some(kid) } })
    }

    async fn unwrap(&self, wrapped: &WrappedDek) -> Result<Dek, CustodyError> {
        let key = wrapped.kek_key_id.as_deref().ok_or(CustodyError::NotAuthentic)?;
        if wrapped.bytes.is_empty() {
            return Err(CustodyError::NotAuthentic);
        }
        let asked = call::on("keys/unwrapKey", key);
        let (clients, id) = self.clients_of(key)?;
        let call = async {
            let body = parameters(&wrapped.bytes).try_into()?;
            clients.patient.unwrap_key(id.name.as_str(), &id.version, body, None).await
        };
        let answer = match self.ask("keys/unwrapKey", key, call).await {
            Ok(answer) => answer,
            // What Key Vault says of bytes that this version did not wrap.
            Err(failed) if failed.is("400") => return Err(CustodyError::NotAuthentic),
            Err(failed) => return Err(failed.into()),
        };
        let opened = Zeroizing::new(answer.result.ok_or_else(|| Failed::wrong(asked, "no key"))?);
        if answer.kid.as_deref() != Some(key) {
            return Err(Failed::wrong(asked, "another key opened it").into());
        }
        Ok(Dek(sealed::secret_from(&opened).ok_or_else(|| Failed::wrong(asked, "not 32 bytes"))?))
    }
}

fn parameters(value: &[u8]) -> KeyOperationParameters {
    KeyOperationParameters {
        algorithm: Some(EncryptionAlgorithm::RsaOaep256),
        value: Some(value.to_vec()),
        ..KeyOperationParameters::default()
    }
}
