//! What a customer's KMS does to the vault when it is withdrawn, slow, throttled, down or wrong: no signature and no lost event,
//! a clear word on who can mend it, and signing again at once when it is back. Everything that needs no KMS goes on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_kms::types::KeySpec;
use custody_aws::{AwsCloud, OwnIdentity};
use futures::future::join_all;
use serde_json::json;

use crate::{
    clouds::{self, code, issued},
    in_process::Vault,
    local_kms::LocalKms,
};

/// Keys that need KMS in each of the ways in which one can.
async fn keys(vault: &Vault) -> Vec<String> {
    let axes = [
        ("mldsa65+ed25519", "aws-kms", "postq-managed", "postq-managed"),
        ("mldsa44+ecdsa-p256", "env", "aws-kms", "postq-managed"),
        ("mldsa65+ed25519", "env", "postq-managed", "aws-kms"),
        ("mldsa44+ecdsa-p256", "env", "aws-kms", "aws-kms"),
    ];
    clouds::keys(vault, &axes).await
}

/// A session that is not accepted any more, as where the role was made anew, is given up; the next request has another.
#[tokio::test]
async fn a_session_that_is_rejected_is_asked_for_anew() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "pqProvider": "aws-kms"})).await;
    let id = key["id"].as_str().unwrap();
    assert_eq!(vault.sign(id).await.0, 200);
    kms.control(&json!({"forgetCalls": true}));
    kms.faults(&json!([{"action": "Sign", "how": "expired", "times": 1}]));
    assert_eq!(code(&vault.sign(id).await), (502, "kms_denied"));
    assert_eq!(vault.sign(id).await.0, 200);
    assert_eq!(kms.calls(), ["Sign", "AssumeRole", "Sign"]);
}

#[tokio::test]
async fn a_grant_that_is_withdrawn_stops_every_signature_at_once_and_nothing_else() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let keys = keys(&vault).await;
    let mut signatures = Vec::new();
    for key in &keys {
        signatures.push(vault.sign(key).await.1["data"]["signature"].clone());
    }
    let signed = issued(&vault).await;
    let state = kms.state();
    let every = state["keys"].as_array().unwrap().iter().map(|key| key["Arn"].as_str().unwrap().to_owned());
    let every: Vec<_> = every.collect();
    let client = kms.client();

    // Disabled by whoever runs the account, or denied by a policy.
    for disabled in [true, false] {
        if disabled {
            for key in &every {
                client.disable_key().key_id(key).send().await.unwrap();
            }
        } else {
            kms.faults(&json!([{"how": "denied"}]));
        }
        for (key, signature) in keys.iter().zip(&signatures) {
            let refused = vault.sign(key).await;
            assert_eq!(code(&refused), (502, "kms_denied"), "{}", refused.1);
            let says = refused.1["error"].as_str().unwrap();
            assert!(says.contains("AWS KMS") && says.contains("whoever runs that account"), "{says}");
            let request = json!({"keyId": key, "payload": "aGVsbG8=", "signature": signature});
            let verdict = vault.post("/v1/verify", request).await;
            assert_eq!((&verdict["ok"], &verdict["logged"]), (&json!(true), &json!(null)), "{verdict}");
        }
        assert_eq!(vault.get("/v1/hybrid-keys").await.as_array().unwrap().len(), keys.len());
        vault.post("/v1/ledger/seal", json!({})).await;
        if disabled {
            for key in &every {
                client.enable_key().key_id(key).send().await.unwrap();
            }
        } else {
            kms.faults(&json!([]));
        }
        for key in &keys {
            let answer = vault.sign(key).await;
            assert_eq!(answer.0, 200, "{}", answer.1);
        }
    }
    assert_eq!(issued(&vault).await, signed + 2 * keys.len());
}

#[tokio::test]
async fn whatever_kms_answers_no_wrong_signature_leaves() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let keys = keys(&vault).await;
    let signed = issued(&vault).await;
    for (how, expected) in [
        ("throttled", (503, "kms_throttled")),
        ("internal", (503, "kms_unavailable")),
        ("down", (503, "kms_unavailable")),
        ("dropped", (503, "kms_unavailable")),
        ("garbage", (502, "kms_wrong_answer")),
        ("empty", (502, "kms_wrong_answer")),
    ] {
        kms.faults(&json!([{"how": how}]));
        for key in &keys {
            let refused = vault.sign(key).await;
            assert_eq!(code(&refused), expected, "{how}: {}", refused.1);
        }
        kms.faults(&json!([]));
        for key in &keys {
            assert_eq!(vault.sign(key).await.0, 200, "{how} is over");
        }
    }
    // Another key's signature, and other bytes than were wrapped: the second cannot be told from a damaged row.
    kms.faults(&json!([{"how": "other"}]));
    for (key, expected) in
        keys.iter().zip([(500, "key_integrity")].into_iter().chain([(502, "kms_wrong_answer"); 3]))
    {
        let refused = vault.sign(key).await;
        assert_eq!(code(&refused), expected, "{}", refused.1);
    }
    kms.faults(&json!([]));
    for key in &keys {
        assert_eq!(vault.sign(key).await.0, 200);
    }
    assert_eq!(issued(&vault).await, signed + 7 * keys.len());
}

#[tokio::test]
async fn a_moment_of_trouble_is_not_the_callers() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    for key in keys(&vault).await {
        for how in ["throttled", "internal", "dropped", "lost"] {
            kms.faults(&json!([{"how": how, "times": 1}]));
            let answer = vault.sign(&key).await;
            assert_eq!(answer.0, 200, "{how}: {}", answer.1);
        }
    }
}

/// A request waits for a KMS that does not answer no longer than its budget; and once that has happened a few times one request
/// at a time waits, until the first answer.
#[tokio::test]
async fn a_kms_that_hangs_costs_a_request_its_budget_and_soon_only_one_at_a_time() {
    let kms = LocalKms::start();
    let budget = Duration::from_millis(400);
    let cloud = AwsCloud::with_budget(&kms.config(), OwnIdentity::Never, budget);
    let (vault, _) = kms.vault().await;
    let vault = vault.with_custody(|custody| custody.clouds = vec![Arc::new(cloud)]);
    let key = keys(&vault).await.remove(0);
    let signed = issued(&vault).await;
    kms.faults(&json!([{"action": "Decrypt", "how": "hang"}]));
    for _ in 0..3 {
        let began = Instant::now();
        let refused = vault.sign(&key).await;
        assert_eq!(code(&refused), (504, "kms_timeout"), "{}", refused.1);
        assert!(began.elapsed() >= budget, "it was not asked");
    }
    let refused = join_all((0..8).map(|_| vault.sign(&key))).await;
    let waited = refused.iter().filter(|answer| code(answer).1 == "kms_timeout").count();
    let told_at_once = refused.iter().filter(|answer| code(answer).1 == "kms_unavailable").count();
    assert_eq!((waited, told_at_once), (1, 7));
    kms.faults(&json!([]));
    assert_eq!(vault.sign(&key).await.0, 200, "it is back, and so is the vault");
    assert!(join_all((0..8).map(|_| vault.sign(&key))).await.iter().all(|answer| answer.0 == 200));
    assert_eq!(issued(&vault).await, signed + 9);
}

/// Nothing of a customer's account is in what a caller or the ledger is told of its failure.
#[tokio::test]
async fn a_refusal_names_the_provider_and_never_its_credentials() {
    let kms = LocalKms::start();
    let (vault, kek) = kms.vault().await;
    let key = keys(&vault).await.remove(3);
    kms.faults(&json!([{"how": "denied"}]));
    let told = vault.sign(&key).await.1.to_string();
    for secret in [kek.as_str(), "ASIA", "arn:", "token", "secret"] {
        assert!(!told.contains(secret), "{told}");
    }
}

/// A key of another kind than was named is no wrapping key.
#[tokio::test]
async fn a_key_of_another_kind_does_not_pass_for_a_wrapping_key() {
    let kms = LocalKms::start();
    let (vault, _) = kms.vault().await;
    let call = kms.client().create_key().key_spec(KeySpec::EccNistP256);
    let call = call.key_usage(aws_sdk_kms::types::KeyUsageType::SignVerify);
    let p256 = call.send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    let body = json!({"aws": {"keyArn": p256, "roleArn": crate::local_kms::ROLE}});
    assert_eq!(code(&vault.put("/v1/vault/settings", &body).await), (502, "kms_denied"));
}
