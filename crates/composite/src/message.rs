//! The message representative M' (draft-ietf-lamps-pq-composite-sigs-19 §2.2), contexts, prehashes and the external mu.

use sha2::{Digest, Sha256, Sha512};
use shake::{ExtendableOutput, Shake256, Update, XofReader};

use crate::{Algorithm, Error, HashAlgorithm, PublicKey};

/// Contexts that begin with these bytes belong to the vault's own statements.
pub const RESERVED_CONTEXT_PREFIX: &[u8] = b"postq-vault";

/// The fixed string that M' begins with (§2.2).
const PREFIX: &[u8] = b"CompositeAlgorithmSignatures2025";

/// An application context of 0 to 255 bytes. Verification takes any; signing goes through [`SigningInput`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context(Vec<u8>);

impl Context {
    /// Checks the length: M' holds it in one byte.
    ///
    /// # Errors
    /// [`Error::ContextTooLong`] over 255 bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, Error> {
        let bytes = bytes.into();
        if bytes.len() > usize::from(u8::MAX) {
            return Err(Error::ContextTooLong(bytes.len()));
        }
        Ok(Self(bytes))
    }

    /// The context's bytes, 0 to 255 of them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a context belongs to the vault's own statements, so that no caller may have it signed.
#[must_use]
pub fn is_reserved(context: &[u8]) -> bool {
    context.starts_with(RESERVED_CONTEXT_PREFIX)
}

/// What the vault itself signs. Each purpose has a context of its own, which no caller's signature can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A checkpoint of an organisation's ledger.
    Checkpoint,
    /// A statement that one key succeeds another.
    Succession,
}

impl Purpose {
    /// Both, for tests that try every one.
    pub const ALL: [Self; 2] = [Self::Checkpoint, Self::Succession];

    /// The reserved context of the purpose.
    #[must_use]
    pub const fn context(self) -> &'static [u8] {
        match self {
            Self::Checkpoint => b"postq-vault checkpoint v1",
            Self::Succession => b"postq-vault succession v1",
        }
    }
}

/// PH(payload): what M' holds of the payload, 32 or 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prehash(Vec<u8>);

impl Prehash {
    /// Hashes a payload with the algorithm's PH.
    #[must_use]
    pub fn derive(algorithm: Algorithm, payload: &[u8]) -> Self {
        let mut hasher = Prehasher::new(algorithm);
        hasher.update(payload);
        hasher.finish()
    }

    /// Takes a digest that the caller computed.
    ///
    /// # Errors
    /// [`Error::PrehashLength`] unless it has exactly PH's length.
    pub fn from_bytes(algorithm: Algorithm, digest: &[u8]) -> Result<Self, Error> {
        let hash = algorithm.prehash();
        if digest.len() != hash.len() {
            return Err(Error::PrehashLength {
                algorithm,
                hash: hash.name(),
                expected: hash.len(),
                actual: digest.len(),
            });
        }
        Ok(Self(digest.to_vec()))
    }

    /// The digest's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// PH of a payload that comes in pieces, in memory that does not grow with it.
#[derive(Clone)]
pub struct Prehasher(Hasher);

#[derive(Clone)]
enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Prehasher {
    /// Begins with the algorithm's PH.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm.prehash() {
            HashAlgorithm::Sha256 => Hasher::Sha256(Sha256::new()),
            HashAlgorithm::Sha512 => Hasher::Sha512(Sha512::new()),
        })
    }

    /// Takes the next piece, of any length.
    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.0 {
            Hasher::Sha256(hasher) => Digest::update(hasher, piece),
            Hasher::Sha512(hasher) => Digest::update(hasher, piece),
        }
    }

    /// The digest of all the pieces.
    #[must_use]
    pub fn finish(self) -> Prehash {
        Prehash(match self.0 {
            Hasher::Sha256(hasher) => hasher.finalize().to_vec(),
            Hasher::Sha512(hasher) => hasher.finalize().to_vec(),
        })
    }
}

/// M', the bytes that both halves sign: `prefix || Label || len(ctx) || ctx || PH(payload)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRepresentative {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl MessageRepresentative {
    /// Puts M' together.
    #[must_use]
    pub fn derive(algorithm: Algorithm, context: &Context, prehash: &Prehash) -> Self {
        Self::assemble(algorithm, context.as_bytes(), prehash)
    }

    /// The algorithm whose label M' carries.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The bytes that the classical half signs, and the ML-DSA half under the label as its context: under 400 of them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The external mu (FIPS 204 §6.2, algorithm 7 line 6), for a holder of the ML-DSA half that takes no context string.
    #[must_use]
    pub fn external_mu(&self, public_key: &PublicKey) -> Mu {
        let label = self.algorithm.label().as_bytes();
        let tr: [u8; 64] = shake256(&[public_key.pq()]);
        Mu(shake256(&[&tr, &[0x00, length_octet(label)], label, &self.bytes]))
    }

    fn assemble(algorithm: Algorithm, context: &[u8], prehash: &Prehash) -> Self {
        let bytes =
            [PREFIX, algorithm.label().as_bytes(), &[length_octet(context)], context, prehash.as_bytes()]
                .concat();
        Self { algorithm, bytes }
    }
}

/// A message representative that may be signed. Its two constructors are the only way to one, and only the vault's own
/// code reaches the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningInput(MessageRepresentative);

impl SigningInput {
    /// What a caller asks to have signed.
    ///
    /// # Errors
    /// [`Error::ReservedContext`] where the context begins with `postq-vault`.
    pub fn user(algorithm: Algorithm, context: &Context, prehash: &Prehash) -> Result<Self, Error> {
        if is_reserved(context.as_bytes()) {
            return Err(Error::ReservedContext);
        }
        Ok(Self(MessageRepresentative::derive(algorithm, context, prehash)))
    }

    /// What the vault signs of its own: the statement itself is hashed here, under the purpose's reserved context.
    #[must_use]
    pub fn internal(algorithm: Algorithm, purpose: Purpose, statement: &[u8]) -> Self {
        let prehash = Prehash::derive(algorithm, statement);
        Self(MessageRepresentative::assemble(algorithm, purpose.context(), &prehash))
    }

    /// The message representative.
    #[must_use]
    pub const fn message(&self) -> &MessageRepresentative {
        &self.0
    }
}

/// The external mu, 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mu([u8; 64]);

impl Mu {
    /// The 64 bytes that a key service signs as `EXTERNAL_MU`.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

/// Labels and contexts are at most 255 bytes: labels by the table, contexts by [`Context::new`] and [`Purpose::context`].
fn length_octet(bytes: &[u8]) -> u8 {
    u8::try_from(bytes.len()).unwrap_or(u8::MAX)
}

fn shake256<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut hasher = Shake256::default();
    for part in parts {
        hasher.update(part);
    }
    let mut out = [0; N];
    hasher.finalize_xof().read(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_context_cannot_be_reserved() {
        let prehash = Prehash::derive(Algorithm::DEFAULT, b"");
        for context in ["postq-vault", "postq-vault checkpoint v1", "postq-vaultx"] {
            let context = Context::new(context).unwrap();
            assert_eq!(
                SigningInput::user(Algorithm::DEFAULT, &context, &prehash),
                Err(Error::ReservedContext)
            );
        }
        for context in ["", "postq", "Postq-vault", " postq-vault"] {
            assert!(
                SigningInput::user(Algorithm::DEFAULT, &Context::new(context).unwrap(), &prehash).is_ok()
            );
        }
    }

    #[test]
    fn every_internal_context_is_reserved() {
        for purpose in Purpose::ALL {
            assert!(is_reserved(purpose.context()));
        }
    }

    #[test]
    fn a_context_has_at_most_255_bytes() {
        assert!(Context::new(vec![0; 255]).is_ok());
        assert_eq!(Context::new(vec![0; 256]), Err(Error::ContextTooLong(256)));
    }

    #[test]
    fn a_prehash_of_another_length_is_refused_by_the_name_of_its_hash() {
        let refusal = Prehash::from_bytes(Algorithm::MlDsa44EcdsaP256, &[0; 64]).unwrap_err().to_string();
        assert!(refusal.contains("SHA-256") && refusal.contains("32 bytes"), "{refusal}");
        assert!(Prehash::from_bytes(Algorithm::MlDsa65Ed25519, &[0; 64]).is_ok());
    }

    #[test]
    fn m_prime_stays_under_400_bytes() {
        for algorithm in Algorithm::ALL {
            let context = Context::new(vec![7; 255]).unwrap();
            let message =
                MessageRepresentative::derive(algorithm, &context, &Prehash::derive(algorithm, b"payload"));
            assert!(message.as_bytes().len() < 400);
        }
    }
}
