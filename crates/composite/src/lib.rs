//! Composite ML-DSA signatures: one post-quantum half (FIPS 204) and one classical half (Ed25519 or ECDSA P-256) over
//! the same message representative, after draft-ietf-lamps-pq-composite-sigs-19.
//!
//! In scope: the table of [`Algorithm`]s, the message representative M' ([`MessageRepresentative`]), signing with halves
//! whose secrets are at hand ([`ClassicalSecret`], [`PqSecret`]), the external mu for halves that are not, the raw and the
//! draft's own encodings ([`Signature`]), [`PublicKey`] and its exports, and verification with both halves reported
//! ([`verify`]).
//!
//! Out of scope: where secrets are kept, who may sign, storage, clocks, making secrets and anything asynchronous. The crate
//! builds for `wasm32-unknown-unknown`, where it verifies and has no random numbers.

mod algorithm;
mod ecdsa_p256;
mod ed25519;
#[cfg(test)]
mod engine_tests;
mod engines;
mod error;
pub mod halves;
mod message;
mod public_key;
mod secret;
mod signature;
mod spki;
mod verify;
#[cfg(test)]
mod wycheproof_tests;

pub use algorithm::{Algorithm, ClassicalAlgorithm, HashAlgorithm, MlDsaSet};
pub use engines::engine;
pub use error::Error;
pub use message::{
    Context, MessageRepresentative, Mu, Prehash, Prehasher, Purpose, RESERVED_CONTEXT_PREFIX, SigningInput,
    is_reserved,
};
pub use public_key::{FINGERPRINT_LEN, PublicKey};
pub use secret::{CLASSICAL_SIGNATURE_LEN, ClassicalSecret, PqSecret, SECRET_LEN};
pub use signature::Signature;
pub use spki::{classical_spki_pem, composite_spki_pem, pq_spki_pem};
pub use verify::{Verdict, verify};
