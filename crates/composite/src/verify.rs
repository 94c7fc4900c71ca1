//! Verification (draft-ietf-lamps-pq-composite-sigs-19 §3.3), with both halves reported.

use crate::{
    ClassicalAlgorithm, MessageRepresentative, PublicKey, Signature, ecdsa_p256, ed25519, engines::ml_dsa,
};

/// What each half says. A signature holds only if both do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the ML-DSA half verifies.
    pub pq_ok: bool,
    /// Whether the classical half verifies.
    pub classical_ok: bool,
}

impl Verdict {
    /// The verdict on bytes that are no signature of the algorithm at all.
    pub const MALFORMED: Self = Self { pq_ok: false, classical_ok: false };

    /// Whether the composite signature holds.
    #[must_use]
    pub const fn ok(self) -> bool {
        self.pq_ok && self.classical_ok
    }
}

/// Verifies both halves, whatever the first of them says. A signature or a message of another algorithm than the key's
/// verifies nothing.
#[must_use]
pub fn verify(public_key: &PublicKey, message: &MessageRepresentative, signature: &Signature) -> Verdict {
    let algorithm = public_key.algorithm();
    if message.algorithm() != algorithm || signature.algorithm() != algorithm {
        return Verdict::MALFORMED;
    }
    let bytes = message.as_bytes();
    let label = algorithm.label().as_bytes();
    let pq_ok = ml_dsa::verify(algorithm.pq(), public_key.pq(), bytes, label, signature.pq());
    let classical_ok = match algorithm.classical() {
        ClassicalAlgorithm::Ed25519 => ed25519::verify(public_key.classical(), bytes, signature.classical()),
        ClassicalAlgorithm::EcdsaP256 => {
            ecdsa_p256::verify(public_key.classical(), bytes, signature.classical())
        }
    };
    Verdict { pq_ok, classical_ok }
}
