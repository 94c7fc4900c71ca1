//! Create, sign, verify over HTTP against the real server.

use base64::{Engine, engine::general_purpose::STANDARD};
use composite::{Algorithm, Prehash, PublicKey};
use serde_json::{Value, json};

use crate::server_process::Server;

const MIB: usize = 1 << 20;

#[test]
fn every_algorithm_signs_and_verifies_every_size() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for algorithm in Algorithm::ALL {
        let key = server.create_key(algorithm.name());
        assert_eq!(key["algorithm"], algorithm.name());
        let public_key = PublicKey::from_json(key["publicKey"].as_str().unwrap()).unwrap();
        assert_eq!(key["fingerprint"], hex::encode(public_key.fingerprint()));
        for size in [0, 1, 4 * MIB] {
            let payload = vec![0xa5; size];
            let encoded = STANDARD.encode(&payload);
            let signed = sign(&server, &json!({"keyId": key["id"], "payload": encoded}));
            assert_eq!(signed["payloadSize"], size);
            assert_eq!(signed["payloadSha256"], hex::encode(ledger::sha256(&payload)));
            assert_eq!(signed["publicKey"], key["publicKey"]);
            assert_eq!(signed["sealed"], false);
            let signature = STANDARD.decode(signed["signature"].as_str().unwrap()).unwrap();
            assert_eq!(signature.len(), algorithm.signature_len());

            let check = json!({"keyId": key["id"], "payload": encoded, "signature": signed["signature"]});
            let verdict = verify(&server, &check);
            assert_eq!(
                verdict,
                json!({
                    "ok": true, "algorithm": algorithm.name(), "classicalOk": true, "pqOk": true, "keyStatus": "active"
                })
            );
            let prehash = STANDARD.encode(Prehash::derive(algorithm, &payload).as_bytes());
            let by_digest = json!({"keyId": key["id"], "prehash": prehash, "signature": signed["signature"]});
            assert_eq!(verify(&server, &by_digest)["ok"], true, "a digest stands for its payload");
        }
    }
}

#[test]
fn a_prehash_gives_the_signature_of_its_payload() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for algorithm in Algorithm::ALL {
        let key = server.create_key(algorithm.name());
        let payload = b"a file too large to send";
        let prehash = STANDARD.encode(Prehash::derive(algorithm, payload).as_bytes());
        let context = STANDARD.encode("release v1");
        let signed = sign(&server, &json!({"keyId": key["id"], "prehash": prehash, "context": context}));
        assert_eq!((&signed["payloadSha256"], &signed["payloadSize"]), (&Value::Null, &Value::Null));
        let mut check = json!({
            "publicKey": key["publicKey"],
            "payload": STANDARD.encode(payload),
            "context": context,
            "signature": signed["signature"],
        });
        let verdict = verify(&server, &check);
        assert_eq!((&verdict["ok"], &verdict["keyStatus"]), (&json!(true), &Value::Null));
        check["context"] = json!(STANDARD.encode("release v2"));
        assert_eq!(verify(&server, &check)["ok"], false, "another context");
    }
}

#[test]
fn a_lamps_encoding_is_taken_where_it_is_named() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for algorithm in Algorithm::ALL {
        let key = server.create_key(algorithm.name());
        let signed = sign(&server, &json!({"keyId": key["id"], "payload": "aGVsbG8="}));
        let raw = STANDARD.decode(signed["signature"].as_str().unwrap()).unwrap();
        let lamps = composite::Signature::from_bytes(algorithm, &raw).unwrap().to_lamps().unwrap();
        let mut check = json!({
            "keyId": key["id"], "payload": "aGVsbG8=", "signature": STANDARD.encode(&lamps), "encoding": "lamps"
        });
        assert_eq!(verify(&server, &check)["ok"], true);
        check["encoding"] = json!("postq");
        assert_eq!(verify(&server, &check)["ok"], lamps == raw, "an encoding is never guessed");
    }
}

#[test]
fn a_signature_that_does_not_verify_is_an_answer() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let (key, other) = (server.create_key("mldsa65+ed25519"), server.create_key("mldsa65+ed25519"));
    let signed = sign(&server, &json!({"keyId": key["id"], "payload": "aGVsbG8="}));
    let mut bytes = STANDARD.decode(signed["signature"].as_str().unwrap()).unwrap();
    let check = |key: &Value, signature: &[u8]| {
        let signature = STANDARD.encode(signature);
        let verdict =
            verify(&server, &json!({"keyId": key["id"], "payload": "aGVsbG8=", "signature": signature}));
        (verdict["ok"].clone(), verdict["pqOk"].clone(), verdict["classicalOk"].clone())
    };
    let (yes, no) = (json!(true), json!(false));
    assert_eq!(check(&other, &bytes), (no.clone(), no.clone(), no.clone()));
    assert_eq!(check(&key, &bytes[..100]), (no.clone(), no.clone(), no.clone()));
    assert_eq!(check(&key, &[]), (no.clone(), no.clone(), no.clone()));
    bytes[0] ^= 1;
    assert_eq!(check(&key, &bytes), (no.clone(), no.clone(), yes.clone()));
    bytes[0] ^= 1;
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(check(&key, &bytes), (no.clone(), yes, no));
}

#[test]
fn keys_are_listed_shown_and_exported() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let names = ["alpha", "alpine", "beta"];
    for name in names {
        let request = json!({"name": name, "metadata": {"environment": "prod", "owner": {"team": "ü"}}});
        assert_eq!(server.call("/v1/hybrid-keys", Some(&request)).status, 201);
    }
    server.create_key("mldsa87+ecdsa-p256");
    let list = |query: &str| -> Vec<String> {
        let answer = server.call(&format!("/v1/hybrid-keys{query}"), None);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let keys = answer.body["data"].as_array().unwrap().clone();
        assert!(keys.iter().all(|key| key.get("publicKey").is_none()));
        keys.iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list(""), ["test key", "beta", "alpine", "alpha"]);
    assert_eq!(list("?namePrefix=alp"), ["alpine", "alpha"]);
    assert_eq!(list("?algorithm=mldsa87%2Becdsa-p256"), ["test key"]);
    assert_eq!(list("?status=revoked"), [""; 0]);
    assert_eq!(list("?tier=0&includeRevoked=true").len(), 4);
    assert_eq!(list("?tier=3").len(), 0);

    let first = server.call("/v1/hybrid-keys?limit=3", None).body;
    assert_eq!(first["pagination"]["limit"], 3);
    let cursor = first["pagination"]["nextCursor"].as_str().unwrap();
    let second = server.call(&format!("/v1/hybrid-keys?limit=3&cursor={cursor}"), None).body;
    assert_eq!(second["data"][0]["name"], "alpha");
    assert_eq!(second["pagination"]["nextCursor"], Value::Null);

    let id = second["data"][0]["id"].as_str().unwrap();
    let shown = server.call(&format!("/v1/hybrid-keys/{id}"), None).body["data"].clone();
    assert_eq!(shown["metadata"], json!({"environment": "prod", "owner": {"team": "ü"}}));
    for (field, value) in [
        ("status", json!("active")),
        ("kekProvider", json!("env")),
        ("keyProvider", json!("postq-managed")),
        ("pqProvider", json!("postq-managed")),
        ("tier", json!(0)),
        ("predecessorId", Value::Null),
        ("successorId", Value::Null),
        ("revokedAt", Value::Null),
        ("lastUsedAt", Value::Null),
    ] {
        assert_eq!(shown.get(field), Some(&value), "{field}");
    }

    let json = server.call(&format!("/v1/hybrid-keys/{id}/public-key"), None);
    assert_eq!(json.body["data"]["publicKey"], shown["publicKey"]);
    assert_eq!(json.header("cache-control"), "private, max-age=86400, immutable");
    let pem = server.call(&format!("/v1/hybrid-keys/{id}/public-key?format=pem"), None);
    assert_eq!(pem.header("content-type"), "application/x-pem-file");
    assert!(pem.text.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{}", pem.text);
}

#[test]
fn a_token_is_told_what_it_is() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let me = server.call("/v1/whoami", None).body["data"].clone();
    assert_eq!(me["environment"], "live");
    assert!(me["org"].as_str().unwrap().starts_with("org_"));
    assert!(me["tokenId"].as_str().unwrap().starts_with("apk_"));
    assert_eq!(me["scopes"].as_array().unwrap().len(), 9);
    assert_eq!(me["externalId"], server.call("/v1/whoami", None).body["data"]["externalId"]);
    assert_eq!(me["externalId"].as_str().unwrap().len(), "postq-".len() + 32);
}

fn sign(server: &Server, request: &Value) -> Value {
    let answer = server.call("/v1/sign", Some(request));
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["data"].clone()
}

fn verify(server: &Server, request: &Value) -> Value {
    let answer = server.call("/v1/verify", Some(request));
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["data"].clone()
}
