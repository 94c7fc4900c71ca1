//! Each half by itself: its verification, for standard test vectors and for comparing engines, and the forms in which key services hand
//! out keys and signatures.
//!
//! A half that verifies says nothing about a composite signature: nothing calls these but tests, and whoever fetches a half's
//! key or signature from a key service and must know that it is that half's.

use crate::{
    CLASSICAL_SIGNATURE_LEN, ClassicalAlgorithm, Error, MessageRepresentative, MlDsaSet, PublicKey,
    ecdsa_p256, ed25519, engines::ml_dsa,
};

pub use crate::spki::{classical_from_spki, classical_from_spki_pem, pq_from_spki};

/// Whether the signature is the key's ML-DSA half's, over M'.
#[must_use]
pub fn is_pq_half(key: &PublicKey, message: &MessageRepresentative, signature: &[u8]) -> bool {
    let algorithm = key.algorithm();
    let label = algorithm.label().as_bytes();
    ml_dsa::verify(algorithm.pq(), key.pq(), message.as_bytes(), label, signature)
}

/// Whether the signature, raw, is the key's classical half's, over M'.
#[must_use]
pub fn is_classical_half(key: &PublicKey, message: &MessageRepresentative, signature: &[u8]) -> bool {
    match key.algorithm().classical() {
        ClassicalAlgorithm::Ed25519 => ed25519::verify(key.classical(), message.as_bytes(), signature),
        ClassicalAlgorithm::EcdsaP256 => ecdsa_p256::verify(key.classical(), message.as_bytes(), signature),
    }
}

/// A DER `Ecdsa-Sig-Value` (RFC 3279 §2.2.3), as key services answer it, to r‖s with low s.
///
/// # Errors
/// [`Error::EcdsaDer`].
pub fn ecdsa_p256_from_der(der: &[u8]) -> Result<[u8; CLASSICAL_SIGNATURE_LEN], Error> {
    ecdsa_p256::from_der_with_low_s(der)
}

/// r‖s of 64 bytes, as other key services answer it, with low s; `None` for what is no pair of scalars.
#[must_use]
pub fn ecdsa_p256_from_raw(raw: &[u8]) -> Option<[u8; CLASSICAL_SIGNATURE_LEN]> {
    ecdsa_p256::from_raw_with_low_s(raw)
}

/// Verifies a pure ML-DSA signature (FIPS 204 §5.3, algorithm 3) under a context of 0 to 255 bytes. Bytes that encode no
/// key or no signature do not verify.
#[must_use]
pub fn verify_ml_dsa(
    set: MlDsaSet,
    public_key: &[u8],
    message: &[u8],
    context: &[u8],
    signature: &[u8],
) -> bool {
    ml_dsa::verify(set, public_key, message, context, signature)
}

/// Verifies an Ed25519 signature strictly: a key of 32 bytes, a signature of 64.
#[must_use]
pub fn verify_ed25519(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    ed25519::verify(public_key, message, signature)
}

/// Verifies an ECDSA signature over P-256 with SHA-256: an uncompressed point of 65 bytes, r‖s of 64.
#[must_use]
pub fn verify_ecdsa_p256(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    ecdsa_p256::verify(public_key, message, signature)
}

/// The same for a DER `Ecdsa-Sig-Value` (RFC 3279 §2.2.3), read strictly.
#[must_use]
pub fn verify_ecdsa_p256_der(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    ecdsa_p256::from_der(signature).is_ok_and(|raw| ecdsa_p256::verify(public_key, message, &raw))
}
