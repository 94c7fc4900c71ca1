//! The two secrets of a composite key whose halves are at hand.
//!
//! Neither type implements `Debug`, `Clone` or `Serialize`, and both are erased when dropped.

use rand_core::TryCryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{ClassicalAlgorithm, Error, MlDsaSet, SigningInput, ecdsa_p256, ed25519, ml_dsa};

/// Length of either secret in bytes: an ML-DSA seed, an Ed25519 secret key or a P-256 scalar.
pub const SECRET_LEN: usize = 32;

/// Length of a classical signature in the raw encoding: Ed25519's, or ECDSA's r‖s.
pub const CLASSICAL_SIGNATURE_LEN: usize = 64;

/// The seed ξ of the ML-DSA half (FIPS 204 §6.1), with the key pair expanded from it.
pub struct PqSecret(ml_dsa::Key);

impl PqSecret {
    /// Takes a seed, of which every 32 bytes are one, and expands it: the costly part of a signature, done once here.
    #[must_use]
    pub fn from_bytes(set: MlDsaSet, seed: &[u8; SECRET_LEN]) -> Self {
        Self(ml_dsa::Key::from_seed(set, seed))
    }

    /// The encoded public key, 1,312, 1,952 or 2,592 bytes.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.0.public_key()
    }

    /// Signs M' under the label as ML-DSA's context, hedged with 32 bytes of `rng`.
    ///
    /// # Errors
    /// [`Error::Signing`] where the generator fails.
    pub fn sign(&self, input: &SigningInput, rng: &mut impl TryCryptoRng) -> Result<Vec<u8>, Error> {
        let message = input.message();
        self.0.sign(message.as_bytes(), message.algorithm().label().as_bytes(), rng)
    }
}

/// The secret of the classical half.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ClassicalSecret {
    #[zeroize(skip)]
    algorithm: ClassicalAlgorithm,
    secret: [u8; SECRET_LEN],
}

impl ClassicalSecret {
    /// Takes a secret. For Ed25519 every 32 bytes are one; for P-256 a scalar in 1..n.
    ///
    /// # Errors
    /// [`Error::InvalidSecret`] for a scalar out of range.
    pub fn from_bytes(algorithm: ClassicalAlgorithm, secret: &[u8; SECRET_LEN]) -> Result<Self, Error> {
        if algorithm == ClassicalAlgorithm::EcdsaP256 && !ecdsa_p256::is_valid_secret(secret) {
            return Err(Error::InvalidSecret("P-256"));
        }
        Ok(Self { algorithm, secret: *secret })
    }

    /// The public key: 32 bytes, or the 65 of an uncompressed point.
    ///
    /// # Errors
    /// None once the constructor accepted the secret.
    pub fn public_key(&self) -> Result<Vec<u8>, Error> {
        match self.algorithm {
            ClassicalAlgorithm::Ed25519 => Ok(ed25519::derive_public_key(&self.secret)),
            ClassicalAlgorithm::EcdsaP256 => ecdsa_p256::derive_public_key(&self.secret),
        }
    }

    /// Signs M': 64 bytes, ECDSA with low s.
    ///
    /// # Errors
    /// [`Error::Signing`] where the engine fails, which it does not on a secret that the constructor accepted.
    pub fn sign(&self, input: &SigningInput) -> Result<[u8; CLASSICAL_SIGNATURE_LEN], Error> {
        let message = input.message().as_bytes();
        match self.algorithm {
            ClassicalAlgorithm::Ed25519 => ed25519::sign(&self.secret, message),
            ClassicalAlgorithm::EcdsaP256 => ecdsa_p256::sign(&self.secret, message),
        }
    }
}
