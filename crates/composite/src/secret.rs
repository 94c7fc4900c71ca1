//! The two secrets of a composite key whose halves are at hand, expanded once for any number of signatures.
//!
//! Neither type implements `Debug`, `Clone` or `Serialize`, and both are erased when dropped.

#[cfg(not(target_arch = "wasm32"))]
use crate::SigningInput;
use crate::{ClassicalAlgorithm, Error, MlDsaSet, ecdsa_p256, ed25519, engines::ml_dsa};

/// Length of either secret in bytes: an ML-DSA seed, an Ed25519 secret key or a P-256 scalar.
pub const SECRET_LEN: usize = 32;

/// Length of a classical signature in the raw encoding: Ed25519's, or ECDSA's r‖s.
pub const CLASSICAL_SIGNATURE_LEN: usize = 64;

/// The seed ξ of the ML-DSA half (FIPS 204 §6.1), with the key pair expanded from it.
pub struct PqSecret(ml_dsa::Key);

impl PqSecret {
    /// Takes a seed, of which every 32 bytes are one, and expands it: a good part of what a signature costs, done once here.
    ///
    /// # Errors
    /// [`Error::Signing`] where the engine has no memory.
    pub fn from_bytes(set: MlDsaSet, seed: &[u8; SECRET_LEN]) -> Result<Self, Error> {
        ml_dsa::Key::from_seed(set, seed).map(Self)
    }

    /// The encoded public key, 1,312, 1,952 or 2,592 bytes.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    /// Signs M' under the label as ML-DSA's context, hedged (FIPS 204 §3.4) with 32 bytes of the engine's own generator.
    ///
    /// # Errors
    /// [`Error::Signing`] where the generator fails.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn sign(&self, input: &SigningInput) -> Result<Vec<u8>, Error> {
        let message = input.message();
        self.0.sign(message.as_bytes(), message.algorithm().label().as_bytes())
    }
}

/// The secret of the classical half, with its public key.
pub struct ClassicalSecret(Classical);

enum Classical {
    Ed25519(Box<ed25519::Key>),
    EcdsaP256(Box<ecdsa_p256::Key>),
}

impl ClassicalSecret {
    /// Takes a secret. For Ed25519 every 32 bytes are one; for P-256 a scalar in 1..n.
    ///
    /// # Errors
    /// [`Error::InvalidSecret`] for a scalar out of range.
    pub fn from_bytes(algorithm: ClassicalAlgorithm, secret: &[u8; SECRET_LEN]) -> Result<Self, Error> {
        Ok(Self(match algorithm {
            ClassicalAlgorithm::Ed25519 => Classical::Ed25519(Box::new(ed25519::Key::from_secret(secret)?)),
            ClassicalAlgorithm::EcdsaP256 => {
                Classical::EcdsaP256(Box::new(ecdsa_p256::Key::from_secret(secret)?))
            }
        }))
    }

    /// The public key: 32 bytes, or the 65 of an uncompressed point.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        match &self.0 {
            Classical::Ed25519(key) => key.public_key(),
            Classical::EcdsaP256(key) => key.public_key(),
        }
    }

    /// Signs M': 64 bytes, ECDSA with low s.
    ///
    /// # Errors
    /// [`Error::Signing`] where the engine fails, which it does not on a secret that the constructor accepted.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn sign(&self, input: &SigningInput) -> Result<[u8; CLASSICAL_SIGNATURE_LEN], Error> {
        let message = input.message().as_bytes();
        match &self.0 {
            Classical::Ed25519(key) => key.sign(message),
            Classical::EcdsaP256(key) => key.sign(message),
        }
    }
}
