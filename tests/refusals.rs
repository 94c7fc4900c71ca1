//! Every error that the routes can give is given, with its status, its code and a request id.

use serde_json::{Value, json};

use crate::server_process::{Answer, Server, agent, run};

pub(crate) const MIB: usize = 1 << 20;

pub(crate) fn start() -> (tempfile::TempDir, Server) {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    (data, server)
}

/// The envelope, whole: nothing but these members, and the id in both places.
pub(crate) fn refused(answer: &Answer, status: u16, code: &str) -> String {
    assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.body["success"], false);
    let request_id = answer.body["requestId"].as_str().unwrap();
    assert!(request_id.starts_with("req_") && request_id.len() == 30, "{request_id}");
    assert_eq!(answer.header("postq-request-id"), request_id);
    let sentence = answer.body["error"].as_str().unwrap();
    assert!(sentence.ends_with('.'), "{sentence}");
    let known = ["code", "error", "field", "policyId", "requestId", "success", "successorId"];
    assert!(
        answer.body.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())),
        "{}",
        answer.text
    );
    sentence.to_owned()
}

/// A 400 that names the field and says what would be right.
pub(crate) fn invalid(answer: &Answer, field: &str, hint: &str) {
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
    for token in ["", "x", &"x".repeat(32), &typo, stranger.expose(), &server.token.to_uppercase()] {
        let answer = server.call_as(token, "/v1/hybrid-keys", None);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        answers.push(refused(&answer, 401, "unauthenticated"));
    }
    let url = format!("{}/v1/hybrid-keys", server.address);
    for header in
        [("Authorization", "Basic eDp5"), ("Authorization", server.token.as_str()), ("X-Nothing", "")]
    {
        let answer = Answer::read(agent().get(&url).header(header.0, header.1).call().unwrap());
        answers.push(refused(&answer, 401, "unauthenticated"));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the answer tells which");
    // A stranger's large body is read to its end, so that the refusal is heard.
    let large = json!({"payload": "A".repeat(8 * MIB)});
    refused(&server.call_as("x", "/v1/sign", Some(&large)), 401, "unauthenticated");
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
    let signed = server.call("/v1/sign", Some(&json!({"keyId": id, "payload": ""}))).body;
    let calls = [
        ("keys:write", "/v1/hybrid-keys".to_owned(), Some(json!({"name": "n"}))),
        ("keys:read", "/v1/hybrid-keys".to_owned(), None),
        ("keys:read", format!("/v1/hybrid-keys/{id}"), None),
        ("keys:read", format!("/v1/hybrid-keys/{id}/public-key"), None),
        ("sign", "/v1/sign".to_owned(), Some(json!({"keyId": id, "payload": ""}))),
        (
            "verify",
            "/v1/verify".to_owned(),
            Some(json!({"keyId": id, "payload": "", "signature": signed["data"]["signature"]})),
        ),
    ];
    for (needed, path, body) in &calls {
        for (scopes, passes) in [(json!([needed]), true), (without(needed), false), (json!([]), false)] {
            database.execute("UPDATE tokens SET scopes = ?1", [scopes.to_string()]).unwrap();
            let answer = server.call(path, body.as_ref());
            if passes {
                assert!(answer.status < 300, "{path}: {}", answer.text);
            } else {
                let sentence = refused(&answer, 403, "missing_scope");
                assert!(sentence.contains(&format!("`{needed}`")), "{sentence}");
            }
        }
    }
    assert_eq!(server.call("/v1/whoami", None).status, 200, "any token may ask what it is");
    database.execute("UPDATE tokens SET revoked_at = 1", []).unwrap();
    refused(&server.call("/v1/whoami", None), 401, "unauthenticated");
}

fn without(scope: &str) -> Value {
    vault::caller::Scope::ALL.iter().map(|s| s.name()).filter(|s| *s != scope).collect()
}

#[test]
fn foreign_unknown_and_malformed_ids_are_one_answer() {
    let (data, server) = start();
    let key = server.create_key("mldsa44+ed25519");
    let id = key["id"].as_str().unwrap();
    let signed = server.call("/v1/sign", Some(&json!({"keyId": id, "payload": ""}))).body;
    let (code, made, _) = run(&["org", "create", "other"], data.path(), &[]);
    assert_eq!(code, Some(0));
    let other = made.lines().find_map(|line| line.strip_prefix("token")).unwrap().trim().to_owned();
    let database = rusqlite::Connection::open(data.path().join("vault.db")).unwrap();
    let ledger_key: String =
        database.query_row("SELECT ledger_key FROM orgs WHERE name = 'other'", [], |row| row.get(0)).unwrap();

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
    assert_eq!(server.call_as(&other, "/v1/hybrid-keys", None).body["data"], json!([]));
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
    refused(&Answer::read(agent().patch(&url).send("x").unwrap()), 404, "not_found");
}

#[test]
fn a_problem_is_told_as_rfc_9457_to_who_accepts_it() {
    let (_data, server) = start();
    let url = format!("{}/v1/hybrid-keys/key_x", server.address);
    let request = agent().get(&url).header("Authorization", format!("Bearer {}", server.token));
    let answer =
        Answer::read(request.header("Accept", "text/html, application/problem+json").call().unwrap());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.body["type"], "urn:postq-vault:error:not_found");
    assert_eq!(answer.body["title"], "Not Found");
    assert_eq!(answer.body["status"], 404);
    assert_eq!(answer.body["code"], "not_found");
    assert_eq!(answer.body["requestId"], answer.header("postq-request-id"));
    assert!(answer.body["detail"].as_str().unwrap().contains("no key of that id"));
}

#[test]
fn every_answer_carries_a_request_id_of_its_own() {
    let (_data, server) = start();
    let mut ids: Vec<String> = ["/health", "/v1/whoami", "/nothing", "/v1/hybrid-keys"]
        .iter()
        .map(|path| server.call(path, None).header("postq-request-id").to_owned())
        .collect();
    assert!(ids.iter().all(|id| id.parse::<vault::id::RequestId>().is_ok()), "{ids:?}");
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
        Answer::read(agent().get(&url).header("Origin", "https://app.example").call().unwrap())
    };
    assert_eq!(ask(&closed).header("access-control-allow-origin"), "");
    drop(closed);
    let open =
        Server::start(data.path(), &[("POSTQ_CORS_ORIGINS", "https://app.example, https://b.example")]);
    let answer = ask(&open);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert!(answer.header("access-control-expose-headers").contains("postq-request-id"));
    let preflight = agent()
        .options(format!("{}/v1/sign", open.address))
        .header("Origin", "https://app.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type");
    let preflight = Answer::read(preflight.call().unwrap());
    assert_eq!(preflight.status, 200, "a preflight brings no token");
    assert!(preflight.header("access-control-allow-methods").contains("POST"));
    assert!(preflight.header("access-control-allow-headers").contains("authorization"));
    let url = format!("{}/nothing", open.address);
    let refusal = Answer::read(agent().get(&url).header("Origin", "https://evil.example").call().unwrap());
    assert_eq!(refusal.header("access-control-allow-origin"), "");
    refused(&refusal, 404, "not_found");
}
