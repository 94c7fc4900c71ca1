//! What callers may not send, each refused by the name of its field and with what would be right.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    refusals::{MIB, invalid, refused, start},
    server_process::{Answer, agent},
};

#[test]
fn a_payload_over_4_mib_is_refused_with_what_to_do() {
    let (_data, server) = start();
    let key = server.create_key("mldsa44+ed25519");
    for size in [4 * MIB + 1, 8 * MIB] {
        let payload = STANDARD.encode(vec![0; size]);
        for (path, body) in [
            ("/v1/sign", json!({"keyId": key["id"], "payload": payload})),
            ("/v1/verify", json!({"keyId": key["id"], "payload": payload, "signature": ""})),
        ] {
            let sentence = refused(&server.call(path, Some(&body)), 413, "payload_too_large");
            assert!(sentence.contains("prehash") && sentence.contains("4194304"), "{sentence}");
        }
    }
}

#[test]
fn what_is_to_be_signed_is_named_exactly_once() {
    let (_data, server) = start();
    let key = server.create_key("mldsa65+ed25519");
    let short = server.create_key("mldsa44+ecdsa-p256");
    let (id, digest) = (&key["id"], STANDARD.encode([7; 64]));
    let sign = |body: Value| server.call("/v1/sign", Some(&body));
    invalid(&sign(json!({"keyId": id})), "payload", "prehash");
    invalid(&sign(json!({"keyId": id, "payload": "", "prehash": digest})), "prehash", "not both");
    for length in [0, 31, 32, 63, 65, 128] {
        let digest = STANDARD.encode(vec![7; length]);
        invalid(&sign(json!({"keyId": id, "prehash": digest})), "prehash", "SHA-512 digest of 64 bytes");
    }
    invalid(&sign(json!({"keyId": short["id"], "prehash": digest})), "prehash", "SHA-256 digest of 32 bytes");
    invalid(
        &sign(json!({"keyId": id, "payload": "", "context": STANDARD.encode([0; 256])})),
        "context",
        "255",
    );
    for bad in ["a", "YQ", "YQ=", "YR==", "Y Q==", "_-==", "YQ==\n"] {
        invalid(&sign(json!({"keyId": id, "payload": bad})), "payload", "base64");
    }
    let verify = |body: Value| server.call("/v1/verify", Some(&body));
    let public_key = &key["publicKey"];
    invalid(&verify(json!({"payload": "", "signature": ""})), "keyId", "publicKey");
    invalid(
        &verify(json!({"keyId": id, "publicKey": public_key, "payload": "", "signature": ""})),
        "publicKey",
        "not both",
    );
    invalid(&verify(json!({"publicKey": "{}", "payload": "", "signature": ""})), "publicKey", r#"{"v":1"#);
    invalid(&verify(json!({"keyId": id, "payload": ""})), "signature", "missing");
    invalid(
        &verify(json!({"keyId": id, "payload": "", "signature": "", "encoding": "der"})),
        "encoding",
        "lamps",
    );
}

#[test]
fn reserved_contexts_are_refused_before_anything_else() {
    let (_data, server) = start();
    let key = server.create_key("mldsa65+ed25519");
    let digest = STANDARD.encode([7; 64]);
    let mut contexts = vec!["postq-vault".to_owned(), "postq-vault anything".into(), "postq-vaultx".into()];
    for purpose in composite::Purpose::ALL {
        contexts.push(String::from_utf8(purpose.context().to_vec()).unwrap());
    }
    for context in contexts {
        let context = STANDARD.encode(&context);
        for body in [
            json!({"keyId": key["id"], "payload": "", "context": context}),
            json!({"keyId": key["id"], "prehash": digest, "context": context}),
            // Before the key is looked for, and before anything else that is wrong is told.
            json!({"keyId": "nonsense", "context": context}),
        ] {
            refused(&server.call("/v1/sign", Some(&body)), 400, "reserved_context");
        }
        let check = json!({"keyId": key["id"], "payload": "", "signature": "", "context": context});
        assert_eq!(server.call("/v1/verify", Some(&check)).status, 200, "verification takes any context");
    }
}

#[test]
fn a_key_is_made_only_of_what_is_known() {
    let (_data, server) = start();
    let create = |body: Value| server.call("/v1/hybrid-keys", Some(&body));
    invalid(&create(json!({})), "name", "missing");
    invalid(&create(json!({"name": ""})), "name", "1 to 128");
    invalid(&create(json!({"name": "x".repeat(129)})), "name", "1 to 128");
    invalid(&create(json!({"name": "a\nb"})), "name", "control");
    invalid(&create(json!({"name": "n", "algorithm": "rsa"})), "algorithm", "mldsa65+ed25519");
    invalid(&create(json!({"name": "n", "kekProvider": "vault"})), "kekProvider", "aws-kms");
    invalid(&create(json!({"name": "n", "attestation": true})), "attestation", "unknown field");
    invalid(&create(json!({"name": "n", "metadata": []})), "metadata", "object");
    let many: Value = (0..17).map(|i| (i.to_string(), json!(1))).collect::<serde_json::Map<_, _>>().into();
    invalid(&create(json!({"name": "n", "metadata": many})), "metadata", "16");
    invalid(&create(json!({"name": "n", "metadata": {"a": "x".repeat(1024)}})), "metadata", "1024 bytes");
    invalid(&create(json!({"name": "n", "metadata": {"a": 1.5}})), "metadata.a", "integer");
    assert_eq!(create(json!({"name": "x".repeat(128)})).status, 201);

    for pq in ["aws-cloudhsm", "azure-managed-hsm"] {
        let sentence = refused(&create(json!({"name": "n", "pqProvider": pq})), 501, "provider_unavailable");
        assert!(sentence.contains("not yet available — awaiting cloud HSM ML-DSA support"), "{sentence}");
    }
    for axis in ["kekProvider", "keyProvider", "pqProvider"] {
        let sentence = refused(&create(json!({"name": "n", axis: "gcp-kms"})), 422, "settings_missing");
        assert!(sentence.contains("Google Cloud KMS"), "{sentence}");
    }
    let azure = json!({"name": "n", "keyProvider": "azure-kv"});
    let sentence = refused(&create(azure), 422, "unsupported_combination");
    assert!(sentence.contains("ecdsa-p256"), "{sentence}");
}

#[test]
fn an_ml_dsa_87_key_has_no_standard_encoding() {
    let (_data, server) = start();
    for algorithm in ["mldsa87+ed25519", "mldsa87+ecdsa-p256"] {
        let key = server.create_key(algorithm);
        let path = format!("/v1/hybrid-keys/{}/public-key?format=pem", key["id"].as_str().unwrap());
        let sentence = refused(&server.call(&path, None), 422, "no_standard_encoding");
        assert!(sentence.contains("format=json"), "{sentence}");
    }
}

#[test]
fn a_list_is_asked_for_in_its_own_words() {
    let (_data, server) = start();
    let list = |query: &str| server.call(&format!("/v1/hybrid-keys?{query}"), None);
    invalid(&list("limit=0"), "limit", "1 to 100");
    invalid(&list("limit=101"), "limit", "1 to 100");
    invalid(&list("limit=ten"), "limit", "whole number");
    invalid(&list("cursor=abc"), "cursor", "nextCursor");
    invalid(&list("algorithm=rsa"), "algorithm", "mldsa65+ed25519");
    invalid(&list("algorithm=mldsa65+ed25519"), "algorithm", "%2B");
    invalid(&list("status=dead"), "status", "revoked");
    invalid(&list("tier=4"), "tier", "0, 1, 2 or 3");
    invalid(&list("includeRevoked=yes"), "includeRevoked", "true");
    invalid(&list("page=2"), "page", "unknown field");
    let id = server.create_key("mldsa44+ed25519")["id"].as_str().unwrap().to_owned();
    invalid(&server.call(&format!("/v1/hybrid-keys/{id}/public-key?format=der"), None), "format", "pem");
}

#[test]
fn a_body_is_json_and_says_so() {
    let (_data, server) = start();
    let bearer = format!("Bearer {}", server.token);
    let post = |media_type: &str, body: &str| {
        let url = format!("{}/v1/hybrid-keys", server.address);
        let request = agent().post(&url).header("Authorization", &bearer).header("Content-Type", media_type);
        Answer::read(request.send(body).unwrap())
    };
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let sentence = refused(&post(media_type, r#"{"name":"n"}"#), 415, "unsupported_media_type");
        assert!(sentence.contains("application/json"), "{sentence}");
    }
    assert_eq!(post("application/json; charset=utf-8", r#" {"name":"n"}"#).status, 201);
    invalid(&post("application/json", r#"["n","mldsa65+ed25519",null,null,null,{}]"#), "body", "object");
    invalid(&post("application/json", r#"{"name": "#), "body", "EOF");
    for malformed in
        ["", "{", "[]", "nul", r#"{"name":"n"} x"#, r#"{"name":"\ud800"}"#, r#"{"name":"a","name":"b"}"#]
    {
        refused(&post("application/json", malformed), 400, "invalid_request");
    }
    let url = format!("{}/v1/hybrid-keys", server.address);
    for wrong in ["", "two words", "ümlaut", &"x".repeat(256)] {
        let keyed = agent().post(&url).header("Authorization", &bearer).header("Idempotency-Key", wrong);
        let answer = Answer::read(keyed.send_json(json!({"name": "n"})).unwrap());
        invalid(&answer, "Idempotency-Key", "1 to 255 visible ASCII characters");
    }
}

#[test]
fn a_parameter_that_a_route_does_not_know_is_refused_by_its_name() {
    let (_data, server) = start();
    let key = server.create_key("mldsa44+ed25519");
    let id = key["id"].as_str().unwrap();
    let before = server.call("/v1/hybrid-keys", None).body;
    for (path, body) in [
        ("/v1/whoami".to_owned(), None),
        (format!("/v1/hybrid-keys/{id}"), None),
        ("/v1/hybrid-keys".to_owned(), Some(json!({"name": "n"}))),
        ("/v1/sign".to_owned(), Some(json!({"keyId": id, "payload": ""}))),
        ("/v1/verify".to_owned(), Some(json!({"keyId": id, "payload": "", "signature": ""}))),
    ] {
        invalid(&server.call(&format!("{path}?dryRun=true"), body.as_ref()), "dryRun", "no query parameters");
    }
    assert_eq!(server.call("/v1/hybrid-keys", None).body, before, "no key was made");
}
