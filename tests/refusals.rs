//! Every error that the routes can give is given, with its status, its code and a request id.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::server_process::{Answer, Server, agent, run};

const MIB: usize = 1 << 20;

fn start() -> (tempfile::TempDir, Server) {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    (data, server)
}

/// The envelope, whole: nothing but these members, and the id in both places.
fn refused(answer: &Answer, status: u16, code: &str) -> String {
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (status, &json!(code)),
        "{}",
        answer.text
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.body["success"], false);
    let request_id = answer.body["requestId"].as_str().unwrap();
    assert!(
        request_id.starts_with("req_") && request_id.len() == 30,
        "{request_id}"
    );
    assert_eq!(answer.header("postq-request-id"), request_id);
    let sentence = answer.body["error"].as_str().unwrap();
    assert!(sentence.ends_with('.'), "{sentence}");
    let known = ["code", "error", "field", "requestId", "success", "successorId"];
    assert!(
        answer
            .body
            .as_object()
            .unwrap()
            .keys()
            .all(|key| known.contains(&key.as_str())),
        "{}",
        answer.text
    );
    sentence.to_owned()
}

/// A 400 that names the field and says what would be right.
fn invalid(answer: &Answer, field: &str, hint: &str) {
    let sentence = refused(answer, 400, "invalid_request");
    assert_eq!(answer.body["field"], field, "{sentence}");
    assert!(sentence.contains(hint), "{sentence}");
}

#[test]
fn without_a_valid_token_nothing_is_told() {
    let (_data, server) = start();
    let mut typo = server.token.clone();
    typo.pop();
    typo.push(if server.token.ends_with('a') { 'b' } else { 'a' });
    let stranger = vault::token::Secret::generate(vault::caller::Environment::Live).unwrap();
    let mut answers = Vec::new();
    for token in [
        "",
        "x",
        &"x".repeat(32),
        &typo,
        stranger.expose(),
        &server.token.to_uppercase(),
    ] {
        let answer = server.call_as(token, "/v1/hybrid-keys", None);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        answers.push(refused(&answer, 401, "unauthenticated"));
    }
    let url = format!("{}/v1/hybrid-keys", server.address);
    for header in [
        ("Authorization", "Basic eDp5"),
        ("Authorization", server.token.as_str()),
        ("X-Nothing", ""),
    ] {
        let answer = Answer::read(agent().get(&url).header(header.0, header.1).call().unwrap());
        answers.push(refused(&answer, 401, "unauthenticated"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the answer tells which");
    // A stranger's large body is read to its end, so that the refusal is heard.
    let large = json!({"payload": "A".repeat(8 * MIB)});
    refused(
        &server.call_as("x", "/v1/sign", Some(&large)),
        401,
        "unauthenticated",
    );
    // Not even that a body is malformed is told to a stranger.
    let answer = server.call_as("x", "/v1/sign", Some(&json!({"nonsense": 1})));
    refused(&answer, 401, "unauthenticated");
    for path in ["/health", "/v1/health"] {
        assert_eq!(server.call_as("", path, None).body["data"]["status"], "ok");
    }
}

#[test]
fn a_token_without_the_scope_is_refused_by_its_name() {
    let (data, server) = start();
    let key = server.create_key("mldsa44+ed25519");
    let database = rusqlite::Connection::open(data.path().join("vault.db")).unwrap();
    let id = key["id"].as_str().unwrap();
    let signed = server
        .call("/v1/sign", Some(&json!({"keyId": id, "payload": ""})))
        .body;
    let calls = [
        (
            "keys:write",
            "/v1/hybrid-keys".to_owned(),
            Some(json!({"name": "n"})),
        ),
        ("keys:read", "/v1/hybrid-keys".to_owned(), None),
        ("keys:read", format!("/v1/hybrid-keys/{id}"), None),
        ("keys:read", format!("/v1/hybrid-keys/{id}/public-key"), None),
        (
            "sign",
            "/v1/sign".to_owned(),
            Some(json!({"keyId": id, "payload": ""})),
        ),
        (
            "verify",
            "/v1/verify".to_owned(),
            Some(json!({"keyId": id, "payload": "", "signature": signed["data"]["signature"]})),
        ),
    ];
    for (needed, path, body) in &calls {
        for (scopes, passes) in [
            (json!([needed]), true),
            (without(needed), false),
            (json!([]), false),
        ] {
            database
                .execute("UPDATE tokens SET scopes = ?1", [scopes.to_string()])
                .unwrap();
            let answer = server.call(path, body.as_ref());
            if passes {
                assert!(answer.status < 300, "{path}: {}", answer.text);
            } else {
                let sentence = refused(&answer, 403, "missing_scope");
                assert!(sentence.contains(&format!("`{needed}`")), "{sentence}");
            }
        }
    }
    assert_eq!(
        server.call("/v1/whoami", None).status,
        200,
        "any token may ask what it is"
    );
    database.execute("UPDATE tokens SET revoked_at = 1", []).unwrap();
    refused(&server.call("/v1/whoami", None), 401, "unauthenticated");
}

fn without(scope: &str) -> Value {
    vault::caller::Scope::ALL
        .iter()
        .map(|s| s.name())
        .filter(|s| *s != scope)
        .collect()
}

#[test]
fn foreign_unknown_and_malformed_ids_are_one_answer() {
    let (data, server) = start();
    let key = server.create_key("mldsa44+ed25519");
    let id = key["id"].as_str().unwrap();
    let signed = server
        .call("/v1/sign", Some(&json!({"keyId": id, "payload": ""})))
        .body;
    let (code, made, _) = run(&["org", "create", "other"], data.path(), &[]);
    assert_eq!(code, Some(0));
    let other = made
        .lines()
        .find_map(|line| line.strip_prefix("token"))
        .unwrap()
        .trim()
        .to_owned();
    let database = rusqlite::Connection::open(data.path().join("vault.db")).unwrap();
    let ledger_key: String = database
        .query_row("SELECT ledger_key FROM orgs WHERE name = 'other'", [], |row| {
            row.get(0)
        })
        .unwrap();

    let unknown = "key_01h00000000000000000000000";
    let mut sentences = Vec::new();
    for id in [id, unknown, "key_x", "nonsense", ledger_key.as_str()] {
        for answer in [
            server.call_as(&other, &format!("/v1/hybrid-keys/{id}"), None),
            server.call_as(&other, &format!("/v1/hybrid-keys/{id}/public-key"), None),
            server.call_as(&other, "/v1/sign", Some(&json!({"keyId": id, "payload": ""}))),
            server.call_as(
                &other,
                "/v1/verify",
                Some(&json!({"keyId": id, "payload": "", "signature": signed["data"]["signature"]})),
            ),
        ] {
            sentences.push(refused(&answer, 404, "not_found"));
        }
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    assert_eq!(
        server.call_as(&other, "/v1/hybrid-keys", None).body["data"],
        json!([])
    );
}

#[test]
fn a_payload_over_4_mib_is_refused_with_what_to_do() {
    let (_data, server) = start();
    let key = server.create_key("mldsa44+ed25519");
    for size in [4 * MIB + 1, 8 * MIB] {
        let payload = STANDARD.encode(vec![0; size]);
        for (path, body) in [
            ("/v1/sign", json!({"keyId": key["id"], "payload": payload})),
            (
                "/v1/verify",
                json!({"keyId": key["id"], "payload": payload, "signature": ""}),
            ),
        ] {
            let sentence = refused(&server.call(path, Some(&body)), 413, "payload_too_large");
            assert!(
                sentence.contains("prehash") && sentence.contains("4194304"),
                "{sentence}"
            );
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
    invalid(
        &sign(json!({"keyId": id, "payload": "", "prehash": digest})),
        "prehash",
        "not both",
    );
    for length in [0, 31, 32, 63, 65, 128] {
        let digest = STANDARD.encode(vec![7; length]);
        invalid(
            &sign(json!({"keyId": id, "prehash": digest})),
            "prehash",
            "SHA-512 digest of 64 bytes",
        );
    }
    invalid(
        &sign(json!({"keyId": short["id"], "prehash": digest})),
        "prehash",
        "SHA-256 digest of 32 bytes",
    );
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
    invalid(
        &verify(json!({"payload": "", "signature": ""})),
        "keyId",
        "publicKey",
    );
    invalid(
        &verify(json!({"keyId": id, "publicKey": public_key, "payload": "", "signature": ""})),
        "publicKey",
        "not both",
    );
    invalid(
        &verify(json!({"publicKey": "{}", "payload": "", "signature": ""})),
        "publicKey",
        r#"{"v":1"#,
    );
    invalid(&verify(json!({"keyId": id, "payload": ""})), "body", "signature");
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
    let mut contexts = vec![
        "postq-vault".to_owned(),
        "postq-vault anything".into(),
        "postq-vaultx".into(),
    ];
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
        assert_eq!(
            server.call("/v1/verify", Some(&check)).status,
            200,
            "verification takes any context"
        );
    }
}

#[test]
fn a_key_is_made_only_of_what_is_known() {
    let (_data, server) = start();
    let create = |body: Value| server.call("/v1/hybrid-keys", Some(&body));
    invalid(&create(json!({})), "body", "name");
    invalid(&create(json!({"name": ""})), "name", "1 to 128");
    invalid(&create(json!({"name": "x".repeat(129)})), "name", "1 to 128");
    invalid(&create(json!({"name": "a\nb"})), "name", "control");
    invalid(
        &create(json!({"name": "n", "algorithm": "rsa"})),
        "algorithm",
        "mldsa65+ed25519",
    );
    invalid(
        &create(json!({"name": "n", "kekProvider": "vault"})),
        "kekProvider",
        "aws-kms",
    );
    invalid(
        &create(json!({"name": "n", "attestation": true})),
        "attestation",
        "unknown field",
    );
    invalid(
        &create(json!({"name": "n", "metadata": []})),
        "metadata",
        "object",
    );
    let many: Value = (0..17)
        .map(|i| (i.to_string(), json!(1)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    invalid(&create(json!({"name": "n", "metadata": many})), "metadata", "16");
    invalid(
        &create(json!({"name": "n", "metadata": {"a": "x".repeat(1024)}})),
        "metadata",
        "1024 bytes",
    );
    invalid(
        &create(json!({"name": "n", "metadata": {"a": 1.5}})),
        "metadata.a",
        "integer",
    );
    assert_eq!(create(json!({"name": "x".repeat(128)})).status, 201);

    for pq in ["aws-cloudhsm", "azure-managed-hsm"] {
        let sentence = refused(
            &create(json!({"name": "n", "pqProvider": pq})),
            501,
            "provider_unavailable",
        );
        assert!(
            sentence.contains("not yet available — awaiting cloud HSM ML-DSA support"),
            "{sentence}"
        );
    }
    for axis in ["kekProvider", "keyProvider", "pqProvider"] {
        let sentence = refused(
            &create(json!({"name": "n", axis: "aws-kms"})),
            501,
            "provider_unavailable",
        );
        assert!(sentence.contains("`aws-kms`"), "{sentence}");
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
        let path = format!(
            "/v1/hybrid-keys/{}/public-key?format=pem",
            key["id"].as_str().unwrap()
        );
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
    invalid(&list("limit=ten"), "limit", "digit");
    invalid(&list("cursor=abc"), "cursor", "nextCursor");
    invalid(&list("algorithm=rsa"), "algorithm", "mldsa65+ed25519");
    invalid(&list("status=dead"), "status", "revoked");
    invalid(&list("tier=4"), "tier", "0, 1, 2 or 3");
    invalid(&list("includeRevoked=yes"), "includeRevoked", "true");
    invalid(&list("page=2"), "page", "unknown field");
    let id = server.create_key("mldsa44+ed25519")["id"]
        .as_str()
        .unwrap()
        .to_owned();
    invalid(
        &server.call(&format!("/v1/hybrid-keys/{id}/public-key?format=der"), None),
        "format",
        "pem",
    );
}

#[test]
fn a_body_is_json_and_says_so() {
    let (_data, server) = start();
    let bearer = format!("Bearer {}", server.token);
    let post = |media_type: &str, body: &str| {
        let url = format!("{}/v1/hybrid-keys", server.address);
        let request = agent()
            .post(&url)
            .header("Authorization", &bearer)
            .header("Content-Type", media_type);
        Answer::read(request.send(body).unwrap())
    };
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
    ] {
        let sentence = refused(
            &post(media_type, r#"{"name":"n"}"#),
            415,
            "unsupported_media_type",
        );
        assert!(sentence.contains("application/json"), "{sentence}");
    }
    assert_eq!(
        post("application/json; charset=utf-8", r#"{"name":"n"}"#).status,
        201
    );
    for malformed in [
        "",
        "{",
        "[]",
        "nul",
        r#"{"name":"n"} x"#,
        r#"{"name":"\ud800"}"#,
        r#"{"name":"a","name":"b"}"#,
    ] {
        refused(&post("application/json", malformed), 400, "invalid_request");
    }
    let url = format!("{}/v1/hybrid-keys", server.address);
    let keyed = agent()
        .post(&url)
        .header("Authorization", &bearer)
        .header("Idempotency-Key", "1");
    let answer = Answer::read(keyed.send_json(json!({"name": "n"})).unwrap());
    invalid(&answer, "Idempotency-Key", "without it");
}

#[test]
fn unknown_routes_and_methods_answer_in_the_same_form() {
    let (_data, server) = start();
    for path in [
        "/",
        "/v1",
        "/v1/nothing",
        "/v1/hybrid-keys/",
        "/v1/hybrid-keys/%ff",
        "/v1/hybrid-keys/%2e%2e",
        "/v1/sign/x",
    ] {
        refused(&server.call(path, None), 404, "not_found");
    }
    refused(&server.call("/v1/sign", None), 404, "not_found");
    refused(&server.call("/v1/whoami", Some(&json!({}))), 404, "not_found");
    let url = format!("{}/v1/hybrid-keys", server.address);
    refused(
        &Answer::read(agent().patch(&url).send("x").unwrap()),
        404,
        "not_found",
    );
}

#[test]
fn a_problem_is_told_as_rfc_9457_to_who_accepts_it() {
    let (_data, server) = start();
    let url = format!("{}/v1/hybrid-keys/key_x", server.address);
    let request = agent()
        .get(&url)
        .header("Authorization", format!("Bearer {}", server.token));
    let answer = Answer::read(
        request
            .header("Accept", "text/html, application/problem+json")
            .call()
            .unwrap(),
    );
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.body["type"], "urn:postq-vault:error:not_found");
    assert_eq!(answer.body["title"], "Not Found");
    assert_eq!(answer.body["status"], 404);
    assert_eq!(answer.body["code"], "not_found");
    assert_eq!(answer.body["requestId"], answer.header("postq-request-id"));
    assert!(
        answer.body["detail"]
            .as_str()
            .unwrap()
            .contains("no key of that id")
    );
}

#[test]
fn every_answer_carries_a_request_id_of_its_own() {
    let (_data, server) = start();
    let mut ids: Vec<String> = ["/health", "/v1/whoami", "/nothing", "/v1/hybrid-keys"]
        .iter()
        .map(|path| server.call(path, None).header("postq-request-id").to_owned())
        .collect();
    assert!(
        ids.iter().all(|id| id.parse::<vault::id::RequestId>().is_ok()),
        "{ids:?}"
    );
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn browsers_may_call_only_from_the_origins_that_were_named() {
    let data = tempfile::tempdir().unwrap();
    let closed = Server::start(data.path(), &[]);
    let ask = |server: &Server| {
        let url = format!("{}/health", server.address);
        Answer::read(
            agent()
                .get(&url)
                .header("Origin", "https://app.example")
                .call()
                .unwrap(),
        )
    };
    assert_eq!(ask(&closed).header("access-control-allow-origin"), "");
    drop(closed);
    let open = Server::start(
        data.path(),
        &[("POSTQ_CORS_ORIGINS", "https://app.example, https://b.example")],
    );
    let answer = ask(&open);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("postq-request-id")
    );
    let url = format!("{}/nothing", open.address);
    let refusal = Answer::read(
        agent()
            .get(&url)
            .header("Origin", "https://evil.example")
            .call()
            .unwrap(),
    );
    assert_eq!(refusal.header("access-control-allow-origin"), "");
    refused(&refusal, 404, "not_found");
}
