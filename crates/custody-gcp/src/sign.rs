//! Halves that sign in Cloud KMS: SHA-256 of M' for P-256, M' whole for Ed25519, its external mu for the ML-DSA half, because Cloud KMS
//! takes no context string (FIPS 204 §6.2).

use async_trait::async_trait;
use composite::{
    CLASSICAL_SIGNATURE_LEN, ClassicalAlgorithm, MlDsaSet, PublicKey, SigningInput,
    halves::ecdsa_p256_from_der,
};
use google_cloud_kms_v1::model::{AsymmetricSignRequest, Digest};
use vault::{
    custody::{
        Call, ClassicalSigner, CloudFault, CustodyError, Failed, Half, HalfAlgorithm, NewHalf, PqSigner,
        Subject,
    },
    providers::{KeyProvider, PqProvider},
    settings::CryptoKeyVersionName,
};

use crate::{
    account::Account,
    call,
    checked::{checked, crc32c},
    kms,
};

#[async_trait]
impl ClassicalSigner for Account {
    fn provider(&self) -> KeyProvider {
        KeyProvider::GcpKms
    }

    async fn generate(
        &self,
        subject: Subject<'_>,
        algorithm: ClassicalAlgorithm,
    ) -> Result<NewHalf, CustodyError> {
        self.make_half(subject, HalfAlgorithm::Classical(algorithm)).await
    }

    async fn sign(
        &self,
        half: Half<'_>,
        public_key: &PublicKey,
        input: &SigningInput,
    ) -> Result<[u8; CLASSICAL_SIGNATURE_LEN], CustodyError> {
        let message = input.message();
        let algorithm = public_key.algorithm().classical();
        let request = match algorithm {
            ClassicalAlgorithm::Ed25519 => of_data(message.as_bytes()),
            ClassicalAlgorithm::EcdsaP256 => {
                let digest = ledger::sha256(message.as_bytes());
                of_digest(&digest, Digest::new().set_sha256(digest.to_vec()))
            }
        };
        let signature = self.sign_by(half, request).await?;
        let signature = match algorithm {
            ClassicalAlgorithm::Ed25519 => {
                signature.try_into().map_err(|_| Failed::wrong(asked(half), "not 64 bytes"))?
            }
            ClassicalAlgorithm::EcdsaP256 => ecdsa_p256_from_der(&signature)
                .map_err(|_| Failed::wrong(asked(half), "not a DER signature"))?,
        };
        Ok(asked(half).classical_half(public_key, message, signature)?)
    }
}

#[async_trait]
impl PqSigner for Account {
    fn provider(&self) -> PqProvider {
        PqProvider::GcpKms
    }

    async fn generate(&self, subject: Subject<'_>, set: MlDsaSet) -> Result<NewHalf, CustodyError> {
        self.make_half(subject, HalfAlgorithm::Pq(set)).await
    }

    async fn sign(
        &self,
        half: Half<'_>,
        public_key: &PublicKey,
        input: &SigningInput,
    ) -> Result<Vec<u8>, CustodyError> {
        let message = input.message();
        let mu = message.external_mu(public_key);
        let request = of_digest(mu.as_bytes(), Digest::new().set_external_mu(mu.as_bytes().to_vec()));
        let signature = self.sign_by(half, request).await?;
        Ok(asked(half).pq_half(public_key, message, signature)?)
    }
}

fn of_data(data: &[u8]) -> AsymmetricSignRequest {
    AsymmetricSignRequest::new().set_data(data.to_vec()).set_data_crc32c(crc32c(data))
}

fn of_digest(bytes: &[u8], digest: Digest) -> AsymmetricSignRequest {
    AsymmetricSignRequest::new().set_digest(digest).set_digest_crc32c(crc32c(bytes))
}

fn asked(half: Half<'_>) -> Call<'_> {
    match half {
        Half::AtProvider(key) => call::on(kms::SIGN, key),
        Half::Opened(_) => call::of(kms::SIGN),
    }
}

impl Account {
    async fn sign_by(&self, half: Half<'_>, request: AsymmetricSignRequest) -> Result<Vec<u8>, CustodyError> {
        let Half::AtProvider(name) = half else { return Err(CustodyError::NotHeldHere) };
        let version =
            CryptoKeyVersionName::parse(name).map_err(|e| Failed::new(CloudFault::Denied, asked(half), e))?;
        let call = kms::sign(&version, &request)?;
        let answer = self.ask(name, &call).await?;
        if !version.is_named_by(&answer.name) {
            return Err(Failed::wrong(call.call, "another key signed").into());
        }
        // One of them was sent.
        if !answer.verified_digest_crc32c && !answer.verified_data_crc32c {
            return Err(Failed::wrong(call.call, "it got other bytes than were sent").into());
        }
        let signature = checked(&answer.signature, answer.signature_crc32c);
        Ok(signature.ok_or_else(|| Failed::wrong(call.call, "other bytes than were sent came"))?.to_vec())
    }
}
