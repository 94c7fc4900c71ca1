//! The engine that was chosen beside the portable one: keys, signatures and refusals are the same.

use proptest::prelude::*;

use crate::{
    MlDsaSet, ecdsa_p256, ed25519,
    engines::{engine, ml_dsa, portable},
};

#[test]
fn the_engine_has_a_name() {
    let expected = if cfg!(feature = "aws-lc") { "AWS-LC 5." } else { "ml-dsa, fips204" };
    assert!(engine().starts_with(expected), "{}", engine());
    assert!(portable::name().ends_with("(portable)"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn ml_dsa_is_the_same(seed: [u8; 32], message: Vec<u8>, context in prop::collection::vec(any::<u8>(), 0..256), bit: usize) {
        for set in [MlDsaSet::MlDsa44, MlDsaSet::MlDsa65, MlDsaSet::MlDsa87] {
            let chosen = ml_dsa::Key::from_seed(set, &seed).unwrap();
            let other = portable::ml_dsa::Key::from_seed(set, &seed).unwrap();
            prop_assert_eq!(chosen.public_key(), other.public_key());
            for mut signature in [chosen.sign(&message, &context).unwrap(), other.sign(&message, &context).unwrap()] {
                for verify in [ml_dsa::verify, portable::ml_dsa::verify] {
                    prop_assert!(verify(set, chosen.public_key(), &message, &context, &signature));
                    prop_assert!(!verify(set, chosen.public_key(), &message, b"another", &signature));
                }
                flip(&mut signature, bit);
                let says = [ml_dsa::verify, portable::ml_dsa::verify]
                    .map(|verify| verify(set, chosen.public_key(), &message, &context, &signature));
                prop_assert_eq!(says, [false, false]);
            }
            let too_long = [0; 256];
            prop_assert!(chosen.sign(&message, &too_long).is_err() && other.sign(&message, &too_long).is_err());
        }
    }

    #[test]
    fn ed25519_is_the_same(secret: [u8; 32], message: Vec<u8>, bit: usize) {
        let chosen = ed25519::Key::from_secret(&secret).unwrap();
        let other = portable::ed25519::Key::from_secret(&secret).unwrap();
        prop_assert_eq!(chosen.public_key(), other.public_key());
        let mut signature = chosen.sign(&message).unwrap();
        prop_assert_eq!(signature, other.sign(&message).unwrap(), "it is deterministic");
        for verify in [ed25519::verify, portable::ed25519::verify] {
            prop_assert!(verify(chosen.public_key(), &message, &signature));
        }
        flip(&mut signature, bit);
        for verify in [ed25519::verify, portable::ed25519::verify] {
            prop_assert!(!verify(chosen.public_key(), &message, &signature));
        }
    }

    #[test]
    fn ecdsa_p256_is_the_same(secret: [u8; 32], message: Vec<u8>, bit: usize) {
        let (Ok(chosen), Ok(other)) =
            (ecdsa_p256::Key::from_secret(&secret), portable::ecdsa_p256::Key::from_secret(&secret))
        else {
            return Err(TestCaseError::reject("a scalar out of range"));
        };
        prop_assert_eq!(chosen.public_key(), other.public_key());
        for mut signature in [chosen.sign(&message).unwrap(), other.sign(&message).unwrap()] {
            for verify in [ecdsa_p256::verify, portable::ecdsa_p256::verify] {
                prop_assert!(verify(chosen.public_key(), &message, &signature));
            }
            flip(&mut signature, bit);
            for verify in [ecdsa_p256::verify, portable::ecdsa_p256::verify] {
                prop_assert!(!verify(chosen.public_key(), &message, &signature));
            }
        }
    }
}

#[test]
fn a_scalar_out_of_range_is_refused_by_both() {
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    for secret in [[0; 32], [0xff; 32], order] {
        assert!(ecdsa_p256::Key::from_secret(&secret).is_err());
        assert!(portable::ecdsa_p256::Key::from_secret(&secret).is_err());
    }
}

/// Every pair of a key and an R out of honest ones, those of small order, and encodings that are not canonical, with every kind of s:
/// where the equation holds and where it does not.
#[test]
fn ed25519_refuses_the_same_encodings() {
    let key = ed25519::Key::from_secret(&[7; 32]).unwrap();
    let honest = key.sign(b"message").unwrap();
    let little = |y: u8, sign: u8| {
        let mut bytes = [0; 32];
        (bytes[0], bytes[31]) = (y, sign);
        bytes
    };
    let near_p = |first: u8, last: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (first, last);
        bytes
    };
    let mut points: Vec<[u8; 32]> =
        vec![key.public_key().try_into().unwrap(), honest[..32].try_into().unwrap()];
    points.extend(ed25519::SMALL_ORDER);
    points.extend(ed25519::SMALL_ORDER.map(|mut y| {
        y[31] |= 0x80;
        y
    }));
    for n in 0..=40 {
        points.extend([little(n, 0), little(n, 0x80)]);
    }
    for first in 0xe0..=0xff {
        points.extend([near_p(first, 0x7f), near_p(first, 0xff)]);
    }
    let mut beyond_order: [u8; 32] = honest[32..].try_into().unwrap();
    beyond_order[31] |= 0xf0;
    let scalars = [honest[32..].try_into().unwrap(), [0; 32], little(1, 0), beyond_order, [0xff; 32]];
    let mut refused = 0;
    for key in &points {
        for (r, s) in points.iter().flat_map(|r| scalars.iter().map(move |s| (r, s))) {
            let signature = [&r[..], &s[..]].concat();
            let says = ed25519::verify(key, b"message", &signature);
            assert_eq!(
                says,
                portable::ed25519::verify(key, b"message", &signature),
                "{key:02x?} {signature:02x?}"
            );
            assert_eq!(says, *key == points[0] && signature == honest);
            refused += u32::from(!says);
        }
    }
    assert!(refused > 100_000, "{refused}");
}

fn flip(bytes: &mut [u8], bit: usize) {
    let bit = bit % (8 * bytes.len());
    bytes[bit / 8] ^= 1 << (bit % 8);
}
