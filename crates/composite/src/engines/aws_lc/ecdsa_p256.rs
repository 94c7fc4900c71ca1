//! ECDSA over P-256 with SHA-256 by AWS-LC.

use aws_lc_rs::{
    agreement::{self, ECDH_P256},
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
    },
};

use crate::Error;

/// A scalar with its point. AWS-LC erases it when it is dropped.
pub(crate) struct Key(EcdsaKeyPair);

impl Key {
    pub(crate) fn from_secret(secret: &[u8; 32]) -> Result<Self, Error> {
        let invalid = |_| Error::InvalidSecret("P-256");
        // A pair is made of both parts, and nothing else of `aws-lc-rs` derives the one from the other.
        let scalar = agreement::PrivateKey::from_private_key(&ECDH_P256, secret).map_err(invalid)?;
        let point = scalar.compute_public_key().map_err(|_| Error::InvalidSecret("P-256"))?;
        EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            secret,
            point.as_ref(),
        )
        .map(Self)
        .map_err(invalid)
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// r‖s, of either s. The nonce is random, and made of the key and the message as well.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(|_| Error::Signing)?;
        signature.as_ref().try_into().map_err(|_| Error::Signing)
    }
}

/// Verifies r‖s, of either s, under an uncompressed point.
pub(crate) fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_key).verify(message, signature).is_ok()
}
