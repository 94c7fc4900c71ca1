//! A composite signature and its two encodings (draft-ietf-lamps-pq-composite-sigs-19 §4.3).

use crate::{Algorithm, CLASSICAL_SIGNATURE_LEN, ClassicalAlgorithm, Error, ecdsa_p256};

/// `mldsaSig || tradSig`, of fixed length.
///
/// A composite is not strongly unforgeable: another signature of the same message may be made from this one, so nothing
/// may be keyed, deduplicated or made unique by these bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Signature {
    /// Puts the two halves together.
    ///
    /// # Errors
    /// [`Error::Length`] where the ML-DSA half has not the length of its parameter set.
    pub fn assemble(
        algorithm: Algorithm,
        pq: &[u8],
        classical: &[u8; CLASSICAL_SIGNATURE_LEN],
    ) -> Result<Self, Error> {
        check_len("the ML-DSA half of a signature", algorithm.pq().signature_len(), pq.len())?;
        Ok(Self { algorithm, bytes: [pq, classical].concat() })
    }

    /// Reads the raw encoding: 2,484, 3,373 or 4,691 bytes.
    ///
    /// # Errors
    /// [`Error::Length`] for any other length.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, Error> {
        check_len("a raw signature", algorithm.signature_len(), bytes.len())?;
        Ok(Self { algorithm, bytes: bytes.to_vec() })
    }

    /// Reads the draft's encoding, where ECDSA is a DER `Ecdsa-Sig-Value`.
    ///
    /// # Errors
    /// [`Error::Length`] where not even the ML-DSA half is whole, [`Error::EcdsaDer`] where the rest is not strict DER.
    pub fn from_lamps(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, Error> {
        let expected = algorithm.pq().signature_len();
        let (pq, classical) = bytes.split_at_checked(expected).ok_or(Error::Length {
            what: "the ML-DSA half of a signature",
            expected,
            actual: bytes.len(),
        })?;
        match algorithm.classical() {
            ClassicalAlgorithm::Ed25519 => Self::from_bytes(algorithm, bytes),
            ClassicalAlgorithm::EcdsaP256 => Self::assemble(algorithm, pq, &ecdsa_p256::from_der(classical)?),
        }
    }

    /// The draft's encoding.
    ///
    /// # Errors
    /// [`Error::EcdsaDer`] where the classical half is no pair of scalars, so that it has no DER form.
    pub fn to_lamps(&self) -> Result<Vec<u8>, Error> {
        match self.algorithm.classical() {
            ClassicalAlgorithm::Ed25519 => Ok(self.bytes.clone()),
            ClassicalAlgorithm::EcdsaP256 => {
                Ok([self.pq(), ecdsa_p256::to_der(self.classical())?.as_slice()].concat())
            }
        }
    }

    /// The raw encoding.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// The algorithm that the lengths are those of.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The ML-DSA half.
    #[must_use]
    pub fn pq(&self) -> &[u8] {
        self.halves().0
    }

    /// The classical half, 64 bytes.
    #[must_use]
    pub fn classical(&self) -> &[u8] {
        self.halves().1
    }

    fn halves(&self) -> (&[u8], &[u8]) {
        // Every constructor checked the length; were one wrong, an empty half verifies nothing.
        self.bytes.split_at_checked(self.algorithm.pq().signature_len()).unwrap_or_default()
    }
}

fn check_len(what: &'static str, expected: usize, actual: usize) -> Result<(), Error> {
    if expected == actual { Ok(()) } else { Err(Error::Length { what, expected, actual }) }
}
