//! Halves that sign in KMS: M' whole for the classical half, which is under 400 bytes where KMS takes 4,096; its external mu for
//! the ML-DSA half, because KMS takes no context string (FIPS 204 §6.2).

use async_trait::async_trait;
use aws_sdk_kms::{
    primitives::Blob,
    types::{KeySpec, MessageType, SigningAlgorithmSpec},
};
use composite::{
    CLASSICAL_SIGNATURE_LEN, ClassicalAlgorithm, MlDsaSet, PublicKey, SigningInput,
    halves::ecdsa_p256_from_der,
};
use vault::{
    custody::{Call, ClassicalSigner, CustodyError, Failed, Half, HalfAlgorithm, NewHalf, PqSigner, Subject},
    providers::{KeyProvider, PqProvider},
    sealed::HalfName,
};

use crate::{account::Account, call, halves::patiently};

/// How often a key that is not found is asked again.
pub(crate) const YOUNG_TRIES: u32 = 3;

#[async_trait]
impl ClassicalSigner for Account {
    fn provider(&self) -> KeyProvider {
        KeyProvider::AwsKms
    }

    async fn generate(
        &self,
        subject: Subject<'_>,
        algorithm: ClassicalAlgorithm,
    ) -> Result<NewHalf, CustodyError> {
        let spec = match algorithm {
            ClassicalAlgorithm::Ed25519 => KeySpec::EccNistEdwards25519,
            ClassicalAlgorithm::EcdsaP256 => KeySpec::EccNistP256,
        };
        self.make_half(subject, HalfName::Classical, spec).await
    }

    async fn sign(
        &self,
        half: Half<'_>,
        public_key: &PublicKey,
        input: &SigningInput,
    ) -> Result<[u8; CLASSICAL_SIGNATURE_LEN], CustodyError> {
        let message = input.message();
        let algorithm = public_key.algorithm().classical();
        let with = HalfAlgorithm::Classical(algorithm);
        let signature = self.sign_by(half, message.as_bytes(), with).await?;
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
        PqProvider::AwsKms
    }

    async fn generate(&self, subject: Subject<'_>, set: MlDsaSet) -> Result<NewHalf, CustodyError> {
        let spec = match set {
            MlDsaSet::MlDsa44 => KeySpec::MlDsa44,
            MlDsaSet::MlDsa65 => KeySpec::MlDsa65,
            MlDsaSet::MlDsa87 => KeySpec::MlDsa87,
        };
        self.make_half(subject, HalfName::Pq, spec).await
    }

    async fn sign(
        &self,
        half: Half<'_>,
        public_key: &PublicKey,
        input: &SigningInput,
    ) -> Result<Vec<u8>, CustodyError> {
        let message = input.message();
        let mu = message.external_mu(public_key);
        let with = HalfAlgorithm::Pq(public_key.algorithm().pq());
        let signature = self.sign_by(half, mu.as_bytes(), with).await?;
        Ok(asked(half).pq_half(public_key, message, signature)?)
    }
}

/// What a half is handed, and by which algorithm it signs that.
pub(crate) const fn how(half: HalfAlgorithm) -> (MessageType, SigningAlgorithmSpec) {
    match half {
        HalfAlgorithm::Classical(ClassicalAlgorithm::Ed25519) => {
            (MessageType::Raw, SigningAlgorithmSpec::Ed25519Sha512)
        }
        HalfAlgorithm::Classical(ClassicalAlgorithm::EcdsaP256) => {
            (MessageType::Raw, SigningAlgorithmSpec::EcdsaSha256)
        }
        HalfAlgorithm::Pq(_) => (MessageType::ExternalMu, SigningAlgorithmSpec::MlDsaShake256),
    }
}

fn asked(half: Half<'_>) -> Call<'_> {
    match half {
        Half::AtProvider(key) => call::on("kms:Sign", key),
        Half::Opened(_) => call::of("kms:Sign"),
    }
}

impl Account {
    async fn sign_by(
        &self,
        half: Half<'_>,
        message: &[u8],
        with: HalfAlgorithm,
    ) -> Result<Vec<u8>, CustodyError> {
        let Half::AtProvider(key) = half else {
            return Err(CustodyError::NotHeldHere);
        };
        let (kind, with) = how(with);
        let call = self.client_of(key).await?.sign().key_id(key).message(Blob::new(message));
        let call = call.message_type(kind).signing_algorithm(with);
        let answer = patiently(YOUNG_TRIES, || self.ask("kms:Sign", key, call.clone().send())).await?;
        Ok(answer.signature.ok_or_else(|| Failed::wrong(asked(half), "no signature"))?.into_inner())
    }
}
