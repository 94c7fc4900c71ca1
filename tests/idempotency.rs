//! One `Idempotency-Key`, one effect: a retry gets the same bytes, unless a revocation or a secret forbids it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use ledger::EventType;
use serde_json::{Value, json};
use vault::store::StoreError;

use crate::{
    in_process::Vault,
    interposed::{Interposed, Interposer, down},
};

fn code(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    body["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn every_post_is_answered_once_and_replayed_byte_for_byte() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ed25519").await;
    let signed = vault.sign(&key).await.1["data"]["signature"].clone();
    let before = vault.events().await.len();
    let posts = [
        ("/v1/hybrid-keys".to_owned(), json!({"name": "n"}), 201),
        ("/v1/sign".to_owned(), json!({"keyId": key, "payload": "aGVsbG8="}), 200),
        ("/v1/verify".to_owned(), json!({"keyId": key, "payload": "aGVsbG8=", "signature": signed}), 200),
        ("/v1/ledger/entries".to_owned(), json!({"name": "n", "data": {"a": 1}}), 201),
        ("/v1/ledger/seal".to_owned(), json!({}), 200),
        (format!("/v1/hybrid-keys/{key}/rotate"), json!({}), 201),
    ];
    for (path, body, expected) in &posts {
        let (status, replayed, first) = vault.once("retry-1", path, body).await;
        assert_eq!((status, replayed), (*expected, false), "{path}: {first}");
        for _ in 0..2 {
            assert_eq!(vault.once("retry-1", path, body).await, (*expected, true, first.clone()), "{path}");
        }
        let other = vault.once("retry-1", path, &json!({"another": "body"})).await;
        assert!(other.0 == 409 || other.0 == 400, "{path}: {}", other.2);
    }
    assert_eq!(vault.events().await.len(), before + 5, "each had one effect; sealing is no event");
    assert_eq!(vault.get("/v1/ledger/checkpoints").await.as_array().unwrap().len(), 1);

    let another = vault.once("retry-2", "/v1/ledger/seal", &json!({})).await;
    assert!(another.2.contains(r#""fresh":true"#) && !another.1, "another key is another call");
    let (status, _, body) =
        vault.once("retry-1", "/v1/sign", &json!({"keyId": key, "payload": "AAAA"})).await;
    assert_eq!((status, code(&body).as_str()), (409, "idempotency_mismatch"));
    // White space alone is another body: what is compared is what was sent.
    let signed = json!({"payload": "aGVsbG8=", "keyId": key});
    let spaced = serde_json::to_string_pretty(&signed).unwrap();
    let request = axum::http::Request::post("/v1/sign")
        .header("authorization", format!("Bearer {}", vault.token))
        .header("content-type", "application/json")
        .header("idempotency-key", "retry-1")
        .body(axum::body::Body::from(spaced));
    assert_eq!(vault.send(request.unwrap()).await.2["code"], "idempotency_mismatch");
}

#[tokio::test]
async fn a_key_belongs_to_its_token_method_and_path() {
    let vault = Vault::new().await;
    let body = json!({"name": "n"});
    let (_, _, first) = vault.once("k", "/v1/hybrid-keys", &body).await;
    let (status, replayed, entry) = vault.once("k", "/v1/ledger/entries", &body).await;
    assert!(status == 201 && !replayed && entry != first);
    let made = vault.post("/v1/api-tokens", json!({"name": "n", "scopes": ["keys:write"]})).await;
    let request = axum::http::Request::post("/v1/hybrid-keys")
        .header("authorization", format!("Bearer {}", made["token"].as_str().unwrap()))
        .header("content-type", "application/json")
        .header("idempotency-key", "k")
        .body(axum::body::Body::from(body.to_string()));
    let (status, headers, _) = vault.send(request.unwrap()).await;
    assert!(status == 201 && !headers.contains_key("idempotency-replayed"));
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ed25519").await;
    let wrong = json!({"keyId": key, "payload": "", "context": "cG9zdHEtdmF1bHQ="});
    for _ in 0..2 {
        let (status, replayed, body) = vault.once("k", "/v1/sign", &wrong).await;
        assert_eq!((status, replayed, code(&body).as_str()), (400, false, "reserved_context"));
    }
    let right = json!({"keyId": key, "payload": ""});
    assert_eq!(vault.once("k", "/v1/sign", &right).await.0, 200, "the key was free again");
}

#[tokio::test]
async fn an_answer_with_a_secret_is_not_kept_but_that_it_was_given_is() {
    let vault = Vault::new().await;
    let body = json!({"name": "ci", "scopes": ["sign"]});
    let (status, _, first) = vault.once("k", "/v1/api-tokens", &body).await;
    assert_eq!(status, 201);
    let first: Value = serde_json::from_str(&first).unwrap();
    let (status, _, again) = vault.once("k", "/v1/api-tokens", &body).await;
    assert_eq!((status, code(&again).as_str()), (409, "already_created"));
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["id"], first["data"]["id"]);
    let token = first["data"]["token"].as_str().unwrap();
    let file = std::fs::read(vault.database().path().unwrap()).unwrap();
    let wal = std::fs::read(format!("{}-wal", vault.database().path().unwrap())).unwrap_or_default();
    for bytes in [file, wal] {
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "the token is stored");
    }
}

#[tokio::test]
async fn a_revoked_keys_answer_does_not_leave_again() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ed25519").await;
    let body = json!({"keyId": key, "payload": "aGVsbG8="});
    assert_eq!(vault.once("k", "/v1/sign", &body).await.0, 200);
    vault.revoke(&key).await;
    for _ in 0..2 {
        let (status, replayed, answer) = vault.once("k", "/v1/sign", &body).await;
        assert_eq!((status, replayed, code(&answer).as_str()), (409, false, "key_revoked"));
        assert!(!answer.contains("signature\""), "{answer}");
    }
    let kept: u32 = vault
        .database()
        .query_row("SELECT count(*) FROM replies WHERE answer IS NOT NULL", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 0, "it was forgotten");
    let types: Vec<EventType> = vault.events().await.iter().map(|event| event.event_type).collect();
    assert!(!types.contains(&EventType::SignatureWithheld), "the first answer left");
}

/// Fails the n-th call of a port, after the store has done it.
struct Once {
    call: &'static str,
    left: AtomicUsize,
}

#[async_trait]
impl Interposer for Once {
    async fn before(&self, _: &'static str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn after(&self, call: &'static str) -> Result<(), StoreError> {
        if call == self.call
            && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) == Ok(1)
        {
            return Err(down());
        }
        Ok(())
    }
}

async fn failing_after(call: &'static str) -> Vault {
    let once = Arc::new(Once { call, left: AtomicUsize::new(1) });
    Vault::over(|store| Interposed::over(store, once)).await
}

#[tokio::test]
async fn a_503_after_the_commit_keeps_the_answer_and_the_retry_is_a_replay() {
    for call in ["record", "status"] {
        let vault = failing_after(call).await;
        let key = vault.create_key("mldsa44+ed25519").await;
        let body = json!({"keyId": key, "payload": "aGVsbG8="});
        let (status, _, answer) = vault.once("k", "/v1/sign", &body).await;
        assert_eq!((status, code(&answer).as_str()), (503, "store_unavailable"), "{call}");
        let (status, replayed, answer) = vault.once("k", "/v1/sign", &body).await;
        assert_eq!((status, replayed), (200, true), "{call}: {answer}");
        let issued = vault.events().await;
        let issued = issued.iter().filter(|event| event.event_type == EventType::SignatureIssued).count();
        assert_eq!(issued, 1, "{call}: one effect");
    }
}

#[tokio::test]
async fn a_call_at_the_same_time_is_told_to_wait() {
    let vault = Vault::new().await;
    let calls = (0..8).map(|_| vault.once("k", "/v1/hybrid-keys", &BODY));
    let mut made = Vec::new();
    for (status, _, body) in futures::future::join_all(calls).await {
        match status {
            201 => made.push(body),
            409 => assert_eq!(code(&body), "idempotency_in_progress"),
            other => panic!("{other}: {body}"),
        }
    }
    made.dedup();
    assert_eq!(made.len(), 1, "one key was made, whoever was told of it");
    assert_eq!(vault.get("/v1/hybrid-keys").await.as_array().unwrap().len(), 1);

    let lease = "UPDATE replies SET answer = NULL, lease_until = 9999999999999";
    vault.database().execute_batch(lease).unwrap();
    let request = axum::http::Request::post("/v1/hybrid-keys")
        .header("authorization", format!("Bearer {}", vault.token))
        .header("content-type", "application/json")
        .header("idempotency-key", "k")
        .body(axum::body::Body::from(BODY.to_string()));
    let (status, headers, _) = vault.send(request.unwrap()).await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (409, "1"));
}

static BODY: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| json!({"name": "n"}));
