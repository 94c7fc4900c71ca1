//! Ed25519 by AWS-LC.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::Error;

/// A secret key with its public key. AWS-LC erases it when it is dropped.
pub(crate) struct Key(Ed25519KeyPair);

impl Key {
    pub(crate) fn from_secret(secret: &[u8; 32]) -> Result<Self, Error> {
        Ed25519KeyPair::from_seed_unchecked(secret).map(Self).map_err(|_| Error::InvalidSecret("Ed25519"))
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        let signature = self.0.try_sign(message).map_err(|_| Error::Signing)?;
        signature.as_ref().try_into().map_err(|_| Error::Signing)
    }
}

/// Cofactorless: R must be the bytes that the equation gives. It takes keys and an R that a strict verifier refuses.
pub(crate) fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public_key).verify(message, signature).is_ok()
}
