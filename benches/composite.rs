//! Composite signing and verification per algorithm, beside the best libraries on the machine for the same work, in one
//! run: `cargo xtask bench`. The ratios at the end are to ours; the machine is shared, so read them, not the times.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement fails by panicking, and prints what it measured"
)]

use std::{hint::black_box, path::Path, time::Duration};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        self as lc, EcdsaKeyPair, Ed25519KeyPair, KeyPair, PqdsaKeyPair, PqdsaSigningAlgorithm,
        PqdsaVerificationAlgorithm, UnparsedPublicKey,
    },
};
use composite::{
    Algorithm, ClassicalAlgorithm, ClassicalSecret, Context, MlDsaSet, PqSecret, Prehash, PublicKey,
    Signature, SigningInput, verify,
};
use criterion::Criterion;

/// One library doing the work of both halves.
struct Contender {
    name: &'static str,
    sign: Box<dyn Fn()>,
    verify: Box<dyn Fn() -> bool>,
}

const SEED: [u8; 32] = [7; 32];
const CLASSICAL: [u8; 32] = [9; 32];

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    for algorithm in Algorithm::ALL {
        let input = SigningInput::user(
            algorithm,
            &Context::default(),
            &Prehash::derive(algorithm, b"a message of ordinary length"),
        )
        .unwrap();
        for contender in [ours(algorithm, &input), libcrux(algorithm, &input), aws_lc(algorithm, &input)] {
            assert!((contender.verify)(), "{} does not verify its own signature", contender.name);
            let mut group = criterion.benchmark_group(format!("sign {algorithm}"));
            group.bench_function(contender.name, |b| b.iter(&contender.sign));
            group.finish();
            let mut group = criterion.benchmark_group(format!("verify {algorithm}"));
            group.bench_function(contender.name, |b| b.iter(|| black_box((contender.verify)())));
            group.finish();
        }
        let message = input.message().as_bytes();
        let mut group = criterion.benchmark_group(format!("sign {algorithm}"));
        group.bench_function("ours from secrets", |b| {
            b.iter(|| sign_ours(&pq(algorithm), &classical(algorithm), &input));
        });
        group.bench_function("AWS-LC from secrets", |b| {
            let public_key = classical(algorithm).public_key().to_vec();
            b.iter(|| {
                let classical = LcClassical::new(algorithm.classical(), &public_key);
                black_box((LcPq::new(algorithm.pq()).sign(message), classical.sign(message)))
            });
        });
        group.finish();
    }
    criterion.final_summary();
    table();
}

fn ours(algorithm: Algorithm, input: &SigningInput) -> Contender {
    let (pq, classical) = (pq(algorithm), classical(algorithm));
    let public_key = PublicKey::from_halves(algorithm, pq.public_key(), classical.public_key()).unwrap();
    let signature = sign_ours(&pq, &classical, input);
    let (signing, message) = (input.clone(), input.message().clone());
    Contender {
        name: "ours",
        sign: Box::new(move || drop(sign_ours(&pq, &classical, &signing))),
        verify: Box::new(move || verify(&public_key, &message, &signature).ok()),
    }
}

fn sign_ours(pq: &PqSecret, classical: &ClassicalSecret, input: &SigningInput) -> Signature {
    let pq = pq.sign(input).unwrap();
    Signature::assemble(input.message().algorithm(), &pq, &classical.sign(input).unwrap()).unwrap()
}

fn pq(algorithm: Algorithm) -> PqSecret {
    PqSecret::from_bytes(algorithm.pq(), &SEED).unwrap()
}

fn classical(algorithm: Algorithm) -> ClassicalSecret {
    ClassicalSecret::from_bytes(algorithm.classical(), &CLASSICAL).unwrap()
}

/// libcrux signs the ML-DSA half under the label as context; AWS-LC the classical one.
fn libcrux(algorithm: Algorithm, input: &SigningInput) -> Contender {
    macro_rules! halves {
        ($module:ident) => {{
            let keys = libcrux_ml_dsa::$module::generate_key_pair(SEED);
            let (message, label) = (input.message().as_bytes().to_vec(), algorithm.label().as_bytes());
            let public_key = classical(algorithm).public_key().to_vec();
            let classical = LcClassical::new(algorithm.classical(), &public_key);
            let sign = move |message: &[u8]| {
                let mut rnd = [0; 32];
                getrandom::fill(&mut rnd).unwrap();
                libcrux_ml_dsa::$module::sign(&keys.signing_key, message, label, rnd).unwrap()
            };
            let key = libcrux_ml_dsa::$module::generate_key_pair(SEED).verification_key;
            let (pq_signature, classical_signature) = (sign(&message), classical.sign(&message));
            let checked = message.clone();
            let checking = LcClassical::new(algorithm.classical(), &public_key);
            Contender {
                name: "libcrux and AWS-LC",
                sign: Box::new(move || drop(black_box((sign(&message), classical.sign(&message))))),
                verify: Box::new(move || {
                    libcrux_ml_dsa::$module::verify(&key, &checked, label, &pq_signature).is_ok()
                        && checking.verify(&checked, &classical_signature)
                }),
            }
        }};
    }
    match algorithm.pq() {
        MlDsaSet::MlDsa44 => halves!(ml_dsa_44),
        MlDsaSet::MlDsa65 => halves!(ml_dsa_65),
        MlDsaSet::MlDsa87 => halves!(ml_dsa_87),
    }
}

/// AWS-LC does both halves, its keys at hand; its Rust API takes no ML-DSA context, which changes nothing of the work.
fn aws_lc(algorithm: Algorithm, input: &SigningInput) -> Contender {
    let pq = LcPq::new(algorithm.pq());
    let public_key = UnparsedPublicKey::new(pq.verifying, pq.pair.public_key().as_ref().to_vec());
    let classical_key = classical(algorithm).public_key().to_vec();
    let classical = LcClassical::new(algorithm.classical(), &classical_key);
    let message = input.message().as_bytes().to_vec();
    let (pq_signature, classical_signature) = (pq.sign(&message), classical.sign(&message));
    let (checked, checking) = (message.clone(), LcClassical::new(algorithm.classical(), &classical_key));
    Contender {
        name: "AWS-LC",
        sign: Box::new(move || drop(black_box((pq.sign(&message), classical.sign(&message))))),
        verify: Box::new(move || {
            public_key.verify(&checked, &pq_signature).is_ok()
                && checking.verify(&checked, &classical_signature)
        }),
    }
}

struct LcPq {
    pair: PqdsaKeyPair,
    signing: &'static PqdsaSigningAlgorithm,
    verifying: &'static PqdsaVerificationAlgorithm,
}

impl LcPq {
    fn new(set: MlDsaSet) -> Self {
        let (signing, verifying): (&'static PqdsaSigningAlgorithm, &'static PqdsaVerificationAlgorithm) =
            match set {
                MlDsaSet::MlDsa44 => (&lc::ML_DSA_44_SIGNING, &lc::ML_DSA_44),
                MlDsaSet::MlDsa65 => (&lc::ML_DSA_65_SIGNING, &lc::ML_DSA_65),
                MlDsaSet::MlDsa87 => (&lc::ML_DSA_87_SIGNING, &lc::ML_DSA_87),
            };
        Self { pair: PqdsaKeyPair::from_seed(signing, &SEED).unwrap(), signing, verifying }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.signing.signature_len()];
        self.pair.sign(message, &mut signature).unwrap();
        signature
    }
}

enum LcClassical {
    Ed25519(Ed25519KeyPair),
    EcdsaP256(EcdsaKeyPair, SystemRandom),
}

impl LcClassical {
    fn new(algorithm: ClassicalAlgorithm, public_key: &[u8]) -> Self {
        match algorithm {
            ClassicalAlgorithm::Ed25519 => {
                Self::Ed25519(Ed25519KeyPair::from_seed_and_public_key(&CLASSICAL, public_key).unwrap())
            }
            ClassicalAlgorithm::EcdsaP256 => Self::EcdsaP256(
                EcdsaKeyPair::from_private_key_and_public_key(
                    &lc::ECDSA_P256_SHA256_FIXED_SIGNING,
                    &CLASSICAL,
                    public_key,
                )
                .unwrap(),
                SystemRandom::new(),
            ),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::EcdsaP256(key, rng) => key.sign(rng, message).unwrap().as_ref().to_vec(),
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Ed25519(key) => {
                UnparsedPublicKey::new(&lc::ED25519, key.public_key().as_ref()).verify(message, signature)
            }
            Self::EcdsaP256(key, _) => {
                UnparsedPublicKey::new(&lc::ECDSA_P256_SHA256_FIXED, key.public_key().as_ref())
                    .verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

/// Times of the run just made, and their ratios. Signing takes a varying number of rounds: of it the mean counts, of verifying
/// the median.
fn table() {
    println!(
        "\n| | ours, keys at hand, µs | ÷ AWS-LC, keys at hand | keys at hand ÷ AWS-LC, from secrets | from secrets, µs \
         | ÷ AWS-LC, from secrets | ÷ libcrux and AWS-LC |\n|---|---|---|---|---|---|---|"
    );
    for (what, statistic) in [("sign", "mean"), ("verify", "median")] {
        for algorithm in Algorithm::ALL {
            let time = |name| estimate(&format!("{what} {algorithm}"), name, statistic);
            let Some(ours) = time("ours") else {
                continue;
            };
            let over = |ours: Option<f64>, other| match (ours, time(other)) {
                (Some(ours), Some(other)) => format!("{:.2}", ours / other),
                _ => "–".to_owned(),
            };
            let kept = time("ours from secrets");
            println!(
                "| {what} {algorithm} | {:.0} | {} | {} | {} | {} | {} |",
                ours / 1000.0,
                over(Some(ours), "AWS-LC"),
                over(Some(ours), "AWS-LC from secrets"),
                kept.map_or("–".to_owned(), |kept| format!("{:.0}", kept / 1000.0)),
                over(kept, "AWS-LC from secrets"),
                over(Some(ours), "libcrux and AWS-LC"),
            );
        }
    }
}

/// Nanoseconds.
fn estimate(group: &str, name: &str, statistic: &str) -> Option<f64> {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let path = root.join(target).join("criterion").join(group).join(name).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    estimates[statistic]["point_estimate"].as_f64()
}
