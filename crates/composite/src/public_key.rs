//! A composite public key: two encoded halves, the JSON string that clients read, and its fingerprint.

use base64::{Engine, engine::general_purpose::STANDARD};
use canonical_json::{Json, Object};
use sha2::{Digest, Sha256};

use crate::{Algorithm, ClassicalAlgorithm, Error, ecdsa_p256, ed25519};

/// Length of a fingerprint in bytes (SHA-256).
pub const FINGERPRINT_LEN: usize = 32;

/// Both halves, of the algorithm's lengths, the classical one a point that its curve allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    pq: Vec<u8>,
    classical: Vec<u8>,
    fingerprint: [u8; FINGERPRINT_LEN],
}

impl PublicKey {
    /// Checks the lengths and the classical point.
    ///
    /// # Errors
    /// [`Error::Length`] and [`Error::InvalidPoint`].
    pub fn from_halves(algorithm: Algorithm, pq: &[u8], classical: &[u8]) -> Result<Self, Error> {
        let lengths = [
            ("the ML-DSA half of a public key", algorithm.pq().public_key_len(), pq.len()),
            ("the classical half of a public key", algorithm.classical().public_key_len(), classical.len()),
        ];
        for (what, expected, actual) in lengths {
            if expected != actual {
                return Err(Error::Length { what, expected, actual });
            }
        }
        let valid = match algorithm.classical() {
            ClassicalAlgorithm::Ed25519 => ed25519::is_valid_public_key(classical),
            ClassicalAlgorithm::EcdsaP256 => ecdsa_p256::is_valid_public_key(classical),
        };
        if !valid {
            return Err(Error::InvalidPoint(algorithm.classical().name()));
        }
        let fingerprint = Sha256::new().chain_update(pq).chain_update(classical).finalize().into();
        Ok(Self { algorithm, pq: pq.to_vec(), classical: classical.to_vec(), fingerprint })
    }

    /// Reads the JSON string.
    ///
    /// # Errors
    /// [`Error::PublicKeyJson`] for another shape or base64 that is not padded standard, and those of
    /// [`PublicKey::from_halves`].
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let malformed = |what: &str| Error::PublicKeyJson(what.to_owned());
        let key = Json::parse(json).map_err(|error| malformed(&error.to_string()))?;
        if key.get("v").and_then(Json::as_u64) != Some(1) {
            return Err(malformed("`v` is not 1"));
        }
        let text = |name: &str| {
            key.get(name)
                .and_then(Json::as_str)
                .ok_or_else(|| malformed(&["`", name, "` is not a string"].concat()))
        };
        let decode = |name: &str| {
            STANDARD
                .decode(text(name)?)
                .map_err(|_| malformed(&["`", name, "` is not padded standard base64"].concat()))
        };
        let algorithm = text("alg")?.parse().map_err(|error: Error| malformed(&error.to_string()))?;
        let (pq, classical) = (decode("pq")?, decode("classical")?);
        // The four that were read are all there are.
        if key.as_object().map(Object::len) != Some(4) {
            return Err(malformed("it has other members as well"));
        }
        Self::from_halves(algorithm, &pq, &classical)
    }

    /// Writes the JSON string, byte for byte as published clients expect it: members `v`, `alg`, `classical`, `pq`.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Base64 and the algorithms' names hold nothing that JSON would escape.
        format!(
            r#"{{"v":1,"alg":"{}","classical":"{}","pq":"{}"}}"#,
            self.algorithm,
            STANDARD.encode(&self.classical),
            STANDARD.encode(&self.pq)
        )
    }

    /// SHA-256 over `pq || classical`.
    #[must_use]
    pub const fn fingerprint(&self) -> &[u8; FINGERPRINT_LEN] {
        &self.fingerprint
    }

    /// The key's algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The encoded ML-DSA public key (FIPS 204 §7.2).
    #[must_use]
    pub fn pq(&self) -> &[u8] {
        &self.pq
    }

    /// The classical public key: 32 bytes, or the 65 of an uncompressed point.
    #[must_use]
    pub fn classical(&self) -> &[u8] {
        &self.classical
    }
}
