//! Faults of the vault's own, and of what it stands on: they are told apart, and nothing leaves with them.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    body::Body,
    http::{Request, header},
};
use composite::{MlDsaSet, PublicKey, SigningInput};
use serde_json::json;
use vault::{
    custody::{CustodyError, Half, NewHalf, PqSigner, Subject},
    providers::PqProvider,
};

use crate::in_process::Vault;

/// A holder of ML-DSA halves that does not work.
struct Broken {
    panics: bool,
}

#[async_trait]
impl PqSigner for Broken {
    fn provider(&self) -> PqProvider {
        PqProvider::PostqManaged
    }

    async fn generate(&self, _: Subject<'_>, _: MlDsaSet) -> Result<NewHalf, CustodyError> {
        assert!(!self.panics, "a fault that nobody foresaw");
        Err(CustodyError::NotHeldHere)
    }

    async fn sign(&self, _: Half<'_>, _: &PublicKey, _: &SigningInput) -> Result<Vec<u8>, CustodyError> {
        assert!(!self.panics, "a fault that nobody foresaw");
        Err(CustodyError::NotHeldHere)
    }
}

#[tokio::test]
async fn a_fault_and_even_a_panic_are_answered_in_the_envelope() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ed25519").await;
    for panics in [false, true] {
        let broken = Vault::new().await.with_custody(|custody| custody.pq = Arc::new(Broken { panics }));
        let (status, body) = broken.call("/v1/hybrid-keys", Some(&json!({"name": "n"}))).await;
        assert_eq!((status, &body["code"], &body["success"]), (500, &json!("internal_error"), &json!(false)));
        assert!(!body["error"].as_str().unwrap().contains("nobody foresaw"));
        assert!(body["requestId"].as_str().unwrap().starts_with("req_"));
    }
    let vault = vault.with_custody(|custody| custody.pq = Arc::new(Broken { panics: false }));
    let (status, body) = vault.sign(&key).await;
    assert_eq!((status, &body["code"]), (500, &json!("internal_error")), "{body}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_a_503_that_says_when_to_come_back() {
    let vault = Vault::new().await;
    // Somebody took the table away: every read of a token fails.
    vault.database().execute_batch("ALTER TABLE tokens RENAME TO elsewhere").unwrap();
    let request =
        Request::builder().uri("/v1/whoami").header(header::AUTHORIZATION, format!("Bearer {}", vault.token));
    let (status, headers, body) = vault.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((status, &body["code"]), (503, &json!("store_unavailable")), "{body}");
    assert_eq!(headers["retry-after"], "1");
    assert!(!body["error"].as_str().unwrap().contains("tokens"), "the cause is for the log");
}

#[tokio::test]
async fn answers_are_not_kept_by_anyone_unless_they_never_change() {
    let vault = Vault::new().await;
    let key = vault.create_key("mldsa44+ed25519").await;
    for (path, kept) in [
        ("/v1/whoami".to_owned(), "no-store"),
        (format!("/v1/hybrid-keys/{key}"), "no-store"),
        ("/v1/nothing".to_owned(), "no-store"),
        (format!("/v1/hybrid-keys/{key}/public-key"), "private, max-age=86400, immutable"),
    ] {
        let request =
            Request::builder().uri(&path).header(header::AUTHORIZATION, format!("Bearer {}", vault.token));
        let (_, headers, _) = vault.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(headers["cache-control"], kept, "{path}");
        assert_eq!(
            headers.contains_key("vary"),
            kept != "no-store",
            "another token must not be answered from it"
        );
    }
}
