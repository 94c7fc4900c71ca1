//! Portable Rust: `ml-dsa` signs, `fips204` verifies, `ed25519-dalek` and `p256` do both. It builds for every target. For wasm32 it
//! only verifies, so that no random number generator is linked.

pub(crate) mod ecdsa_p256;
pub(crate) mod ed25519;
pub(crate) mod ml_dsa;

pub(crate) fn name() -> String {
    "ml-dsa, fips204, ed25519-dalek, p256 (portable)".to_owned()
}
