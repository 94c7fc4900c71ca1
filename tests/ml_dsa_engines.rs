//! ML-DSA as `composite` verifies it, by whichever engine it was built with, beside the crate `ml-dsa`: valid or broken, they say
//! the same.

use composite::{MlDsaSet, halves::verify_ml_dsa};
use ml_dsa::{
    B32, EncodedSignature, EncodedVerifyingKey, KeyExport, Keypair, MlDsa44, MlDsa65, MlDsa87, MlDsaParams,
    Signature, SigningKey, VerifyingKey,
};

use crate::rounds::{Dice, rounds, seeds};

/// How many cases, over all three parameter sets.
const CASES: u64 = 100_000;

/// How many of them are made from one signature.
const CASES_PER_SIGNATURE: u64 = 20;

#[test]
fn two_engines_agree_about_valid_and_broken_signatures() {
    let each = rounds(CASES).div_ceil(3);
    let seed = seeds(1)[0];
    std::thread::scope(|scope| {
        scope.spawn(|| agree::<MlDsa44>(MlDsaSet::MlDsa44, seed, each));
        scope.spawn(|| agree::<MlDsa65>(MlDsaSet::MlDsa65, seed + 1, each));
        scope.spawn(|| agree::<MlDsa87>(MlDsaSet::MlDsa87, seed + 2, each));
    });
}

fn agree<P: MlDsaParams>(set: MlDsaSet, seed: u64, cases: u64) {
    let mut dice = Dice::new(seed);
    let (mut valid, mut done) = (0, 0);
    while done < cases {
        let mut secret = [0; 32];
        secret.fill_with(|| u8::try_from(dice.roll(256)).unwrap());
        let key = SigningKey::<P>::from_seed(&B32::from(secret));
        let public_key = key.verifying_key().to_bytes().to_vec();
        let message = bytes(&mut dice, 300);
        let context = bytes(&mut dice, 256);
        let signed = key.expanded_key().sign_deterministic(&message, &context).unwrap();
        let signature = signed.encode().to_vec();
        for _ in 0..CASES_PER_SIGNATURE.min(cases - done) {
            let mut case = [public_key.clone(), message.clone(), context.clone(), signature.clone()];
            breaks(&mut dice, set, &mut case);
            let [public_key, message, context, signature] = &case;
            let expected = oracle::<P>(public_key, message, context, signature);
            let found = verify_ml_dsa(set, public_key, message, context, signature);
            assert_eq!(found, expected, "{set:?}, seed {seed}, case {done}: {}", hex::encode(signature));
            valid += u64::from(found);
            done += 1;
        }
    }
    // An eighth is left as it was.
    assert!(valid > cases / 16 && valid < cases / 4, "{valid} of {cases} verify");
}

/// One of eight things, of which the first is nothing.
fn breaks(dice: &mut Dice, set: MlDsaSet, [public_key, message, context, signature]: &mut [Vec<u8>; 4]) {
    let (challenge, hints) = match set {
        MlDsaSet::MlDsa44 => (32, 80 + 4),
        MlDsaSet::MlDsa65 => (48, 55 + 6),
        MlDsaSet::MlDsa87 => (64, 75 + 8),
    };
    let end = signature.len();
    match dice.roll(8) {
        0 => {}
        1 => flip(dice, public_key),
        2 => flip(dice, message),
        3 => flip(dice, context),
        4 => flip(dice, &mut signature[..challenge]),
        5 => flip(dice, &mut signature[challenge..end - hints]),
        6 => flip(dice, &mut signature[end - hints..]),
        // The encoding of the hints is where a verifier must refuse what says the same in another way.
        _ => {
            let at = end - hints + index(dice, hints);
            let value = u8::try_from(dice.roll(256)).unwrap();
            let changed = signature[at] != value;
            signature[at] = value;
            if !changed {
                flip(dice, signature);
            }
        }
    }
}

fn flip(dice: &mut Dice, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        let at = index(dice, bytes.len());
        bytes[at] ^= 1 << dice.roll(8);
    }
}

fn oracle<P: MlDsaParams>(public_key: &[u8], message: &[u8], context: &[u8], signature: &[u8]) -> bool {
    let public_key = EncodedVerifyingKey::<P>::try_from(public_key).unwrap();
    let signature = EncodedSignature::<P>::try_from(signature).unwrap();
    Signature::<P>::decode(&signature).is_some_and(|signature| {
        VerifyingKey::<P>::decode(&public_key).verify_with_context(message, context, &signature)
    })
}

fn bytes(dice: &mut Dice, below: u64) -> Vec<u8> {
    let length = 1 + dice.roll(below - 1);
    (0..length).map(|_| u8::try_from(dice.roll(256)).unwrap()).collect()
}

fn index(dice: &mut Dice, length: usize) -> usize {
    usize::try_from(dice.roll(length as u64)).unwrap()
}
