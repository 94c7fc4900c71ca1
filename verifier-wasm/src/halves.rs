//! Each half by itself, for standard test vectors.

use composite::{Error, MlDsaSet, halves};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::fault::of_composite;

/// Pure ML-DSA, by its parameter set: 44, 65 or 87.
#[wasm_bindgen(js_name = verifyMlDsa)]
pub fn verify_ml_dsa(
    set: u32,
    public_key: &[u8],
    message: &[u8],
    context: &[u8],
    signature: &[u8],
) -> Result<bool, JsValue> {
    let set = match set {
        44 => MlDsaSet::MlDsa44,
        65 => MlDsaSet::MlDsa65,
        87 => MlDsaSet::MlDsa87,
        _ => return Err(of_composite(&Error::UnknownAlgorithm(format!("ML-DSA-{set}")))),
    };
    Ok(halves::verify_ml_dsa(set, public_key, message, context, signature))
}

/// Ed25519, strictly.
#[wasm_bindgen(js_name = verifyEd25519)]
pub fn verify_ed25519(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    halves::verify_ed25519(public_key, message, signature)
}

/// ECDSA over P-256 with SHA-256, r‖s.
#[wasm_bindgen(js_name = verifyEcdsaP256)]
pub fn verify_ecdsa_p256(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    halves::verify_ecdsa_p256(public_key, message, signature)
}

/// The same, DER.
#[wasm_bindgen(js_name = verifyEcdsaP256Der)]
pub fn verify_ecdsa_p256_der(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    halves::verify_ecdsa_p256_der(public_key, message, signature)
}
