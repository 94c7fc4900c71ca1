//! What can be wrong with bytes that claim to be a key, a context, a prehash or a signature.

use crate::Algorithm;

/// A refusal by this crate. Every variant but [`Error::Signing`] is the fault of whoever supplied the bytes; none carries
/// secret material.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No algorithm of this product has that name.
    #[error("`{0}` is not an algorithm of this vault; it knows {known}", known = Algorithm::NAMES.join(", "))]
    UnknownAlgorithm(String),
    /// A context is 0 to 255 bytes.
    #[error("a context has at most 255 bytes, this one has {0}")]
    ContextTooLong(usize),
    /// Contexts that begin with `postq-vault` belong to the vault's own statements.
    #[error("contexts that begin with `postq-vault` are reserved for the vault's own statements")]
    ReservedContext,
    /// A prehash has exactly the length of the algorithm's hash.
    #[error("a prehash for {algorithm} is a {hash} digest of {expected} bytes, this one has {actual}")]
    PrehashLength {
        /// The algorithm that the prehash was meant for.
        algorithm: Algorithm,
        /// The hash's name, `SHA-256` or `SHA-512`.
        hash: &'static str,
        /// Length of that hash in bytes.
        expected: usize,
        /// Length that was given, in bytes.
        actual: usize,
    },
    /// A component has not the length that its algorithm fixes.
    #[error("{what} has {expected} bytes, this one has {actual}")]
    Length {
        /// Which component.
        what: &'static str,
        /// Its length in bytes.
        expected: usize,
        /// Length that was given, in bytes.
        actual: usize,
    },
    /// The classical half of a public key is not a point that its curve allows.
    #[error("the classical half is not a valid {0} public key")]
    InvalidPoint(&'static str),
    /// A scalar out of range where a secret key belongs.
    #[error("this is not a valid {0} secret key")]
    InvalidSecret(&'static str),
    /// The public key's JSON is not of the published shape.
    #[error(r#"a public key is {{"v":1,"alg":…,"classical":"<base64>","pq":"<base64>"}}: {0}"#)]
    PublicKeyJson(String),
    /// The classical half is not a DER `Ecdsa-Sig-Value` of two 256-bit integers.
    #[error("the classical half is not a DER Ecdsa-Sig-Value")]
    EcdsaDer,
    /// Only the draft's own four algorithms have an object identifier.
    #[error("{0} has no standard encoding: its label is this vault's own")]
    NoStandardEncoding(Algorithm),
    /// No signature could be made, for want of random numbers most likely.
    #[error("the signature could not be made: the random number generator or the engine failed")]
    Signing,
}
