//! What computes the primitives: AWS-LC where the feature `aws-lc` is on and the target is not wasm32, else portable Rust. It is
//! chosen when this is built, never when it runs.
//!
//! Both engines have the same three modules, a primitive each, with the same functions. What must hold whichever computes (strict
//! encodings, low s) stands one floor up, in `ed25519` and `ecdsa_p256`. Tests have both engines, and hold them against each other.

#[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
pub(crate) mod aws_lc;
#[cfg(any(test, not(feature = "aws-lc"), target_arch = "wasm32"))]
pub(crate) mod portable;

#[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
use aws_lc as chosen;
#[cfg(any(not(feature = "aws-lc"), target_arch = "wasm32"))]
use portable as chosen;

pub(crate) use chosen::{ecdsa_p256, ed25519, ml_dsa};

/// What computes both halves in this build, for people to read: `AWS-LC 5.12.0`, or the names of four crates.
#[must_use]
pub fn engine() -> String {
    chosen::name()
}
