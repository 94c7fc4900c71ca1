//! The holder of halves that the vault keeps: it makes secrets, hands them over to be sealed, and signs with them when
//! their seal has been opened and they are expanded. It keeps nothing.

use async_trait::async_trait;
use composite::{
    CLASSICAL_SIGNATURE_LEN, ClassicalAlgorithm, ClassicalSecret, MlDsaSet, PqSecret, PublicKey, SigningInput,
};
use vault::{
    custody::{
        ClassicalSigner, CustodyError, Half, HalfSecret, Kept, NewHalf, OpenedHalves, PqSigner, Subject,
    },
    providers::{KeyProvider, PqProvider},
    random,
};

/// `postq-managed`, for both halves.
#[derive(Debug, Clone, Copy, Default)]
pub struct ManagedHalves;

#[async_trait]
impl ClassicalSigner for ManagedHalves {
    fn provider(&self) -> KeyProvider {
        KeyProvider::PostqManaged
    }

    async fn generate(
        &self,
        _subject: Subject<'_>,
        algorithm: ClassicalAlgorithm,
    ) -> Result<NewHalf, CustodyError> {
        // A random P-256 scalar is out of range once in 2^32 tries (FIPS 186-5 §A.2.2: draw again).
        loop {
            let secret = random::generate_secret()?;
            if let Ok(half) = ClassicalSecret::from_bytes(algorithm, &secret) {
                let public_key = half.public_key().to_vec();
                return Ok(NewHalf { public_key, secret: Kept::Here(HalfSecret(secret)) });
            }
        }
    }

    async fn sign(
        &self,
        half: Half<'_>,
        public_key: &PublicKey,
        input: &SigningInput,
    ) -> Result<[u8; CLASSICAL_SIGNATURE_LEN], CustodyError> {
        let Half::Opened(OpenedHalves { classical: Some(secret), .. }) = half else {
            return Err(CustodyError::NotHeldHere);
        };
        if secret.public_key() != public_key.classical() {
            return Err(CustodyError::OtherPublicKey);
        }
        Ok(secret.sign(input)?)
    }
}

#[async_trait]
impl PqSigner for ManagedHalves {
    fn provider(&self) -> PqProvider {
        PqProvider::PostqManaged
    }

    async fn generate(&self, _subject: Subject<'_>, set: MlDsaSet) -> Result<NewHalf, CustodyError> {
        let secret = random::generate_secret()?;
        let public_key = PqSecret::from_bytes(set, &secret)?.public_key().to_vec();
        Ok(NewHalf { public_key, secret: Kept::Here(HalfSecret(secret)) })
    }

    async fn sign(
        &self,
        half: Half<'_>,
        public_key: &PublicKey,
        input: &SigningInput,
    ) -> Result<Vec<u8>, CustodyError> {
        let Half::Opened(OpenedHalves { pq: Some(secret), .. }) = half else {
            return Err(CustodyError::NotHeldHere);
        };
        if secret.public_key() != public_key.pq() {
            return Err(CustodyError::OtherPublicKey);
        }
        Ok(secret.sign(input)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn managed_halves_sign_as_every_provider_must() {
        conformance::custody::classical_signer(&ManagedHalves, &ClassicalAlgorithm::ALL).await;
        conformance::custody::pq_signer(&ManagedHalves).await;
    }
}
