//! Vectors: the draft's own, where they are at hand, and those of an independent implementation for all six algorithms.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use composite::{
    Algorithm, ClassicalSecret, Context, MessageRepresentative, PqSecret, Prehash, PublicKey, Signature,
    SigningInput, Verdict, composite_spki_pem, verify,
};
use serde_json::{Value, json};

use crate::python;

/// The draft's names of our four standard algorithms.
pub(crate) const DRAFT_NAMES: [(&str, Algorithm); 4] = [
    ("id-MLDSA44-Ed25519-SHA512", Algorithm::MlDsa44Ed25519),
    ("id-MLDSA44-ECDSA-P256-SHA256", Algorithm::MlDsa44EcdsaP256),
    ("id-MLDSA65-ECDSA-P256-SHA512", Algorithm::MlDsa65EcdsaP256),
    ("id-MLDSA65-Ed25519-SHA512", Algorithm::MlDsa65Ed25519),
];

const BOTH: Verdict = Verdict { pq_ok: true, classical_ok: true };

#[test]
fn the_drafts_composite_vectors_verify() {
    let path = python::root().join("../shared/vectors/lamps-composite.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        // Past the test harness, which keeps what a passing test prints to itself.
        writeln!(
            std::io::stderr(),
            "the draft's vectors are not beside this checkout; tests/vectors stand in for them"
        )
        .unwrap();
        return;
    };
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let (payload, context) = (bytes(&vectors["m"]), Context::new(bytes(&vectors["ctx"])).unwrap());
    let mut checked = 0;
    for test in vectors["tests"].as_array().unwrap() {
        let Some((_, algorithm)) = DRAFT_NAMES.iter().find(|(name, _)| test["tcId"] == *name) else {
            continue;
        };
        let public_key = bytes(&test["pk"]);
        let (pq, classical) = public_key.split_at(algorithm.pq().public_key_len());
        let public_key = PublicKey::from_halves(*algorithm, pq, classical).unwrap();
        for (signature, context) in [("s", &Context::default()), ("sWithContext", &context)] {
            let signature = Signature::from_lamps(*algorithm, &bytes(&test[signature])).unwrap();
            let message = message(*algorithm, context, &payload);
            assert_eq!(verify(&public_key, &message, &signature), BOTH, "{algorithm}");
            checked += 1;
        }
        let spki = spki_der(&public_key);
        assert!(
            bytes(&test["x5c"]).windows(spki.len()).any(|window| window == spki),
            "the draft's certificate holds another SubjectPublicKeyInfo for {algorithm}"
        );
    }
    assert_eq!(checked, 2 * DRAFT_NAMES.len());
}

#[test]
fn the_independent_implementations_vectors_verify_and_derive() {
    let text = std::fs::read_to_string(python::root().join("tests/vectors/composite.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let payload = bytes(&vectors["payload"]);
    let context = Context::new(bytes(&vectors["context"])).unwrap();
    let tests = vectors["tests"].as_array().unwrap();
    assert_eq!(tests.len(), Algorithm::ALL.len());
    for test in tests {
        let algorithm: Algorithm = test["algorithm"].as_str().unwrap().parse().unwrap();
        let (pq_secret, classical_secret) = secrets(algorithm, test);
        assert_eq!(pq_secret.public_key(), bytes(&test["pq"]));
        assert_eq!(classical_secret.public_key(), bytes(&test["classical"]));
        let public_key =
            PublicKey::from_halves(algorithm, &bytes(&test["pq"]), &bytes(&test["classical"])).unwrap();
        for (signature, context) in [("signature", &Context::default()), ("signatureWithContext", &context)] {
            let signature = Signature::from_lamps(algorithm, &bytes(&test[signature])).unwrap();
            assert_eq!(verify(&public_key, &message(algorithm, context, &payload), &signature), BOTH);
            let other = message(algorithm, &Context::new("another").unwrap(), &payload);
            assert!(!verify(&public_key, &other, &signature).ok());
        }
    }
}

#[test]
fn our_signatures_are_accepted_by_the_independent_implementation() {
    let mut cases = Vec::new();
    for algorithm in Algorithm::ALL {
        for context in ["", "a context"] {
            let (pq, classical) = (
                PqSecret::from_bytes(algorithm.pq(), &[3; 32]).unwrap(),
                ClassicalSecret::from_bytes(algorithm.classical(), &[5; 32]).unwrap(),
            );
            let payload = b"checked elsewhere";
            let user_context = Context::new(context).unwrap();
            let prehash = Prehash::derive(algorithm, payload);
            let input = SigningInput::user(algorithm, &user_context, &prehash).unwrap();
            let signature =
                Signature::assemble(algorithm, &pq.sign(&input).unwrap(), &classical.sign(&input).unwrap())
                    .unwrap();
            let lamps = signature.to_lamps().unwrap();
            assert_eq!(Signature::from_lamps(algorithm, &lamps).unwrap(), signature);
            cases.push(json!({
                "algorithm": algorithm.name(),
                "pq": STANDARD.encode(pq.public_key()),
                "classical": STANDARD.encode(classical.public_key()),
                "payload": STANDARD.encode(payload),
                "context": STANDARD.encode(context),
                "signature": STANDARD.encode(&lamps),
            }));
        }
    }
    // One that must not pass, so that a checker which accepts everything is noticed.
    let mut wrong = cases[0].clone();
    wrong["payload"] = json!(STANDARD.encode("something else"));
    cases.push(wrong);
    let verdicts = python::run("verify_lamps.py", &json!(cases));
    let (last, ours) = verdicts.as_array().unwrap().split_last().unwrap();
    assert_eq!(ours.len(), 2 * Algorithm::ALL.len());
    assert!(ours.iter().all(|verdict| *verdict == json!([true, true])), "{verdicts}");
    assert_eq!(*last, json!([false, false]));
}

#[test]
fn the_vault_issues_low_s_alone() {
    // Half of the order of P-256, rounded down.
    let half = hex::decode("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8").unwrap();
    let algorithm = Algorithm::MlDsa44EcdsaP256;
    let secret = ClassicalSecret::from_bytes(algorithm.classical(), &[5; 32]).unwrap();
    for i in 0..64_u8 {
        let prehash = Prehash::derive(algorithm, &[i]);
        let input = SigningInput::user(algorithm, &Context::default(), &prehash).unwrap();
        let signature = secret.sign(&input).unwrap();
        assert!(signature[32..] <= half[..], "message {i} got high s");
    }
}

#[test]
fn the_halves_own_encodings_are_those_of_their_standards() {
    for (algorithm, classical_prefix, pq_oid) in [
        // RFC 8410 §10.1; NIST CSOR id-ml-dsa-65.
        (Algorithm::MlDsa65Ed25519, "302a300506032b6570032100", "0609608648016503040312"),
        // RFC 5480 §2.1.1, secp256r1; id-ml-dsa-44.
        (
            Algorithm::MlDsa44EcdsaP256,
            "3059301306072a8648ce3d020106082a8648ce3d030107034200",
            "0609608648016503040311",
        ),
    ] {
        let (pq, classical) = (
            PqSecret::from_bytes(algorithm.pq(), &[3; 32]).unwrap(),
            ClassicalSecret::from_bytes(algorithm.classical(), &[5; 32]).unwrap(),
        );
        let key = PublicKey::from_halves(algorithm, pq.public_key(), classical.public_key()).unwrap();
        let expected = [&hex::decode(classical_prefix).unwrap(), classical.public_key()].concat();
        assert_eq!(der(&composite::classical_spki_pem(&key).unwrap()), expected);
        let pq_der = der(&composite::pq_spki_pem(&key).unwrap());
        assert!(hex::encode(&pq_der).contains(pq_oid) && pq_der.ends_with(pq.public_key()));
    }
}

#[test]
fn the_external_mu_is_what_the_ml_dsa_half_signs() {
    for algorithm in Algorithm::ALL {
        let (pq, classical) = (
            PqSecret::from_bytes(algorithm.pq(), &[3; 32]).unwrap(),
            ClassicalSecret::from_bytes(algorithm.classical(), &[5; 32]).unwrap(),
        );
        let public_key = PublicKey::from_halves(algorithm, pq.public_key(), classical.public_key()).unwrap();
        let message = message(algorithm, &Context::new("c").unwrap(), b"payload");
        let mu = message.external_mu(&public_key);
        // FIPS 204 §5.2: M' = 0x00 || len(ctx) || ctx || M with ctx = Label, computed here by the engine itself.
        let engine = match algorithm.pq() {
            composite::MlDsaSet::MlDsa44 => engine_mu::<ml_dsa::MlDsa44>(&message, public_key.pq()),
            composite::MlDsaSet::MlDsa65 => engine_mu::<ml_dsa::MlDsa65>(&message, public_key.pq()),
            composite::MlDsaSet::MlDsa87 => engine_mu::<ml_dsa::MlDsa87>(&message, public_key.pq()),
        };
        assert_eq!(mu.as_bytes().as_slice(), engine, "{algorithm}");
    }
}

fn engine_mu<P: ml_dsa::MlDsaParams>(message: &MessageRepresentative, public_key: &[u8]) -> Vec<u8> {
    let key = ml_dsa::VerifyingKey::<P>::decode(&public_key.try_into().unwrap());
    let label = message.algorithm().label().as_bytes();
    let mu = key.compute_mu(
        |hash| {
            shake::Update::update(hash, message.as_bytes());
            Ok(())
        },
        label,
    );
    mu.unwrap().to_vec()
}

fn message(algorithm: Algorithm, context: &Context, payload: &[u8]) -> MessageRepresentative {
    MessageRepresentative::derive(algorithm, context, &Prehash::derive(algorithm, payload))
}

fn secrets(algorithm: Algorithm, test: &Value) -> (PqSecret, ClassicalSecret) {
    let pq: [u8; 32] = bytes(&test["pqSeed"]).try_into().unwrap();
    let classical: [u8; 32] = bytes(&test["classicalSecret"]).try_into().unwrap();
    (
        PqSecret::from_bytes(algorithm.pq(), &pq).unwrap(),
        ClassicalSecret::from_bytes(algorithm.classical(), &classical).unwrap(),
    )
}

fn spki_der(public_key: &PublicKey) -> Vec<u8> {
    der(&composite_spki_pem(public_key).unwrap())
}

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}
