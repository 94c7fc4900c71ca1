//! Halves that sign in Key Vault: ES256 over SHA-256 of M', which Key Vault is handed as a digest.

use async_trait::async_trait;
use azure_security_keyvault_keys::models::{KeyClientSignOptions, SignParameters, SignatureAlgorithm};
use composite::{
    CLASSICAL_SIGNATURE_LEN, ClassicalAlgorithm, PublicKey, SigningInput, halves::ecdsa_p256_from_raw,
};
use vault::{
    custody::{ClassicalSigner, CustodyError, Failed, Half, NewHalf, Subject},
    providers::KeyProvider,
};

use crate::{account::Account, call};

#[async_trait]
impl ClassicalSigner for Account {
    fn provider(&self) -> KeyProvider {
        KeyProvider::AzureKv
    }

    async fn generate(
        &self,
        subject: Subject<'_>,
        algorithm: ClassicalAlgorithm,
    ) -> Result<NewHalf, CustodyError> {
        match algorithm {
            ClassicalAlgorithm::EcdsaP256 => self.make_half(subject).await,
            ClassicalAlgorithm::Ed25519 => Err(CustodyError::NotHeldHere),
        }
    }

    async fn sign(
        &self,
        half: Half<'_>,
        public_key: &PublicKey,
        input: &SigningInput,
    ) -> Result<[u8; CLASSICAL_SIGNATURE_LEN], CustodyError> {
        let Half::AtProvider(key) = half else { return Err(CustodyError::NotHeldHere) };
        let message = input.message();
        let asked = call::on("keys/sign", key);
        let (clients, id) = self.clients_of(key)?;
        let call = async {
            let parameters = SignParameters {
                algorithm: Some(SignatureAlgorithm::Es256),
                value: Some(ledger::sha256(message.as_bytes()).to_vec()),
            };
            let options =
                KeyClientSignOptions { key_version: Some(id.version.clone()), ..Default::default() };
            clients.patient.sign(id.name.as_str(), parameters.try_into()?, Some(options)).await
        };
        let answer = self.ask("keys/sign", key, call).await?;
        let signature = answer.result.ok_or_else(|| Failed::wrong(asked, "no signature"))?;
        let signature = ecdsa_p256_from_raw(&signature).ok_or_else(|| Failed::wrong(asked, "not r and s"))?;
        Ok(asked.classical_half(public_key, message, signature)?)
    }
}
