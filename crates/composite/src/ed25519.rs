//! The Ed25519 half (RFC 8032): the one file that knows which engine computes it.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::Error;

pub(crate) fn derive_public_key(secret: &[u8; 32]) -> Vec<u8> {
    SigningKey::from_bytes(secret).verifying_key().to_bytes().to_vec()
}

/// Signs (RFC 8032 §5.1.6); deterministic.
pub(crate) fn sign(secret: &[u8; 32], message: &[u8]) -> Result<[u8; 64], Error> {
    let signature = SigningKey::from_bytes(secret).try_sign(message).map_err(|_| Error::Signing)?;
    Ok(signature.to_bytes())
}

/// Whether 32 bytes are the canonical encoding of a point that is not of small order.
pub(crate) fn is_valid_public_key(public_key: &[u8]) -> bool {
    parse(public_key).is_some()
}

/// Verifies strictly (RFC 8032 §5.1.7, cofactorless): canonical encodings of the key, of R and of s, and neither the key
/// nor R of small order, so that every verifier gives the same answer.
pub(crate) fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Some(public_key), Ok(signature)) = (parse(public_key), Signature::from_slice(signature)) else {
        return false;
    };
    public_key.verify_strict(message, &signature).is_ok()
}

fn parse(public_key: &[u8]) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = public_key.try_into().ok()?;
    let key = VerifyingKey::from_bytes(&bytes).ok()?;
    // The engine takes an encoding whose y is p or more; RFC 8032 §5.1.3 refuses it.
    let canonical = key.to_edwards().compress().to_bytes() == bytes;
    (canonical && !key.is_weak()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_encoded_with_y_of_p_or_more_is_no_key() {
        // y = p + 3, a non-canonical name of y = 3, which is on the curve.
        let mut bytes = [0xff; 32];
        bytes[0] = 0xf0;
        bytes[31] = 0x7f;
        assert!(VerifyingKey::from_bytes(&bytes).is_ok(), "the engine alone would take it");
        assert!(!is_valid_public_key(&bytes));
    }

    #[test]
    fn a_key_of_small_order_is_no_key() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(!is_valid_public_key(&identity));
    }
}
