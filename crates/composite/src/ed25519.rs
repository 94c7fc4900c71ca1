//! The Ed25519 half (RFC 8032), strictly, whichever engine computes it.

use ed25519_dalek::VerifyingKey;

use crate::engines::ed25519 as engine;
pub(crate) use crate::engines::ed25519::Key;

/// Whether 32 bytes are the canonical encoding of a point that is not of small order.
pub(crate) fn is_valid_public_key(public_key: &[u8]) -> bool {
    <&[u8; 32]>::try_from(public_key)
        .is_ok_and(|bytes| is_strict(bytes) && VerifyingKey::from_bytes(bytes).is_ok())
}

/// Verifies strictly (RFC 8032 §5.1.7, cofactorless): canonical encodings of the key, of R and of s, and neither the key
/// nor R of small order, so that every verifier gives the same answer.
pub(crate) fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = <&[u8; 32]>::try_from(public_key) else {
        return false;
    };
    let strict = is_strict(key) && signature.first_chunk().is_some_and(is_strict);
    strict && engine::verify(public_key, message, signature)
}

/// Whether an encoded point (RFC 8032 §5.1.2) has a y below p, and not that of a point of small order. An x of zero that is said to
/// be negative, the other encoding that is not canonical, only such points have.
fn is_strict(encoding: &[u8; 32]) -> bool {
    let mut y = *encoding;
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    // From the most significant byte down.
    y.iter().rev().lt(P.iter().rev()) && !SMALL_ORDER.contains(&y)
}

/// p = 2^255 - 19, little-endian.
const P: [u8; 32] = ends_of_p(0xed);

/// The y of the eight points whose order divides 8: two have 0, one each 1 and -1, four the other two.
pub(crate) const SMALL_ORDER: [[u8; 32]; 5] = {
    let mut one = [0; 32];
    one[0] = 1;
    [
        [0; 32],
        one,
        ends_of_p(0xec),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

const fn ends_of_p(first: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = first;
    bytes[31] = 0x7f;
    bytes
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
    fn the_points_of_small_order_are_no_keys_and_all_are_known() {
        let named = |y: &[u8; 32], sign: u8| {
            let mut bytes = *y;
            bytes[31] |= sign;
            bytes
        };
        let mut weak = 0;
        for (y, sign) in SMALL_ORDER.iter().flat_map(|y| [(y, 0), (y, 0x80)]) {
            let bytes = named(y, sign);
            assert!(!is_valid_public_key(&bytes));
            let key = VerifyingKey::from_bytes(&bytes);
            assert!(key.as_ref().is_ok_and(VerifyingKey::is_weak), "{bytes:02x?}");
            weak += u32::from(key.is_ok_and(|key| key.to_edwards().compress().to_bytes() == bytes));
        }
        assert_eq!(weak, 8, "the torsion group has eight points");
    }
}
