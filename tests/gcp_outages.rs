//! What comes of it when Google Cloud KMS, or what hands out its tokens, fails: nothing that is wrong leaves.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;

use crate::{
    clouds::{self, code, issued},
    in_process::Vault,
    local_gcp::{EMAIL, KEK, LocalGcp, PROVIDER},
};

/// Keys that need Google Cloud in each of the ways in which one can.
async fn keys(vault: &Vault) -> Vec<String> {
    let axes = [
        ("mldsa44+ed25519", "gcp-kms", "postq-managed", "postq-managed"),
        ("mldsa44+ed25519", "env", "gcp-kms", "postq-managed"),
        ("mldsa44+ecdsa-p256", "env", "gcp-kms", "postq-managed"),
        ("mldsa44+ed25519", "env", "postq-managed", "gcp-kms"),
        ("mldsa44+ecdsa-p256", "gcp-kms", "gcp-kms", "gcp-kms"),
    ];
    clouds::keys(vault, &axes).await
}

#[tokio::test]
async fn whatever_cloud_kms_answers_no_wrong_signature_leaves() {
    let gcp = LocalGcp::start();
    let vault = gcp.vault().await;
    let keys = keys(&vault).await;
    let signed = issued(&vault).await;
    let outages = [
        ("throttled", (503, "kms_throttled")),
        ("denied", (502, "kms_denied")),
        ("missing", (502, "kms_denied")),
        ("internal", (503, "kms_unavailable")),
        ("down", (503, "kms_unavailable")),
        ("dropped", (503, "kms_unavailable")),
        ("garbage", (502, "kms_wrong_answer")),
        ("empty", (502, "kms_wrong_answer")),
        ("redirect", (502, "kms_wrong_answer")),
        ("crc", (502, "kms_wrong_answer")),
    ];
    clouds::each_outage(&gcp, (&vault, &keys), &outages, ["Google Cloud KMS", "`cloudkms."]).await;
    let mut good = outages.len();
    // What it did not see whole, and what another version says that it signed: of halves alone, a data key names no version.
    for how in ["unverified", "renamed"] {
        gcp.faults(&json!([{"how": how}]));
        for key in &keys[1..4] {
            let refused = vault.sign(key).await;
            assert_eq!(code(&refused), (502, "kms_wrong_answer"), "{how}: {}", refused.1);
        }
        gcp.faults(&json!([]));
    }
    // A signature over something else, and other bytes than were wrapped: the second cannot be told from a damaged row.
    gcp.faults(&json!([{"how": "other"}]));
    for (at, key) in keys.iter().enumerate() {
        let refused = vault.sign(key).await;
        let expected = if at == 0 { (500, "key_integrity") } else { (502, "kms_wrong_answer") };
        assert_eq!(code(&refused), expected, "{at}: {}", refused.1);
    }
    gcp.faults(&json!([]));
    for key in &keys {
        assert_eq!(vault.sign(key).await.0, 200);
    }
    good += 1;
    assert_eq!(issued(&vault).await, signed + good * keys.len());
}

/// Nothing is made of an answer whose bytes are not what was sent, and nothing of it stays but what is to be destroyed.
#[tokio::test]
async fn a_key_is_not_made_of_answers_that_cannot_be_trusted() {
    let gcp = LocalGcp::start();
    let vault = gcp.vault().await;
    let wrapped = json!({"name": "k", "algorithm": "mldsa44+ed25519", "kekProvider": "gcp-kms"});
    let held = json!({"name": "k", "algorithm": "mldsa44+ed25519", "keyProvider": "gcp-kms", "pqProvider": "gcp-kms"});
    for (action, how, request) in [
        ("Encrypt", "crc", &wrapped),
        ("Encrypt", "unverified", &wrapped),
        ("Encrypt", "renamed", &wrapped),
        ("Encrypt", "garbage", &wrapped),
        ("CreateCryptoKey", "renamed", &held),
        ("CreateCryptoKey", "garbage", &held),
        ("GetPublicKey", "crc", &held),
        ("GetPublicKey", "renamed", &held),
        ("GetPublicKey", "empty", &held),
    ] {
        gcp.faults(&json!([{"action": action, "how": how}]));
        let refused = vault.call("/v1/hybrid-keys", Some(request)).await;
        let renamed = action == "Encrypt" && how == "renamed";
        if renamed {
            // Another version of the same key is what a rotation at this moment would look like.
            assert_eq!(refused.0, 201, "{}", refused.1);
        } else {
            assert_eq!(code(&refused), (502, "kms_wrong_answer"), "{action} {how}: {}", refused.1);
        }
    }
    gcp.faults(&json!([]));
    let listed = vault.get("/v1/hybrid-keys").await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
}

#[tokio::test]
async fn a_key_that_is_disabled_stops_every_signature_at_once_and_a_moment_of_trouble_none() {
    let gcp = LocalGcp::start();
    let vault = gcp.vault().await;
    let keys = keys(&vault).await;
    gcp.control(&json!({"disable": [KEK]}));
    assert_eq!(code(&vault.sign(&keys[0]).await), (502, "kms_denied"));
    assert_eq!(vault.sign(&keys[1]).await.0, 200, "it is not wrapped there");
    gcp.control(&json!({"enable": [KEK]}));
    for key in &keys {
        for how in ["throttled", "internal", "dropped", "lost"] {
            gcp.faults(&json!([{"how": how, "times": 1}]));
            let answer = vault.sign(key).await;
            assert_eq!(answer.0, 200, "{how}: {}", answer.1);
        }
    }
    // Making a key is not tried twice: what the first try may have made is found by its marks.
    gcp.control(
        &json!({"forgetCalls": true, "faults": [{"action": "CreateCryptoKey", "how": "lost", "times": 1}]}),
    );
    let request = json!({"name": "k", "algorithm": "mldsa44+ecdsa-p256", "keyProvider": "gcp-kms"});
    assert_eq!(code(&vault.call("/v1/hybrid-keys", Some(&request)).await), (503, "kms_unavailable"));
    assert_eq!(gcp.calls().iter().filter(|call| *call == "CreateCryptoKey").count(), 1);
}

/// The services that hand out tokens fail as well, and no key is asked for then.
#[tokio::test]
async fn without_a_token_nothing_is_signed_and_the_answer_says_whose_fault_it_is() {
    let gcp = LocalGcp::start();
    let vault = gcp.vault().await;
    let external_id = vault.get("/v1/whoami").await["externalId"].clone();
    gcp.control(&json!({"providers": {PROVIDER: {"audience": external_id}}}));
    let federated = json!({"gcp": {
        "kekKeyName": KEK, "workloadIdentityProvider": PROVIDER, "serviceAccountEmail": EMAIL,
    }});
    let (status, body) = vault.put("/v1/vault/settings", &federated).await;
    assert_eq!(status, 200, "{body}");
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "kekProvider": "gcp-kms"})).await;
    let id = key["id"].as_str().unwrap();
    let mut vault = vault;
    for action in ["sts.token", "iamcredentials.generateAccessToken"] {
        for (how, expected) in [
            ("throttled", (503, "kms_throttled")),
            ("denied", (502, "kms_denied")),
            ("missing", (502, "kms_denied")),
            ("invalid", (502, "kms_denied")),
            ("internal", (503, "kms_unavailable")),
            ("down", (503, "kms_unavailable")),
            ("dropped", (503, "kms_unavailable")),
            ("garbage", (502, "kms_wrong_answer")),
            ("empty", (502, "kms_wrong_answer")),
            ("redirect", (502, "kms_wrong_answer")),
        ] {
            let fresh = gcp.cloud();
            vault = vault.with_custody(|custody| custody.clouds = vec![fresh]);
            gcp.control(&json!({"forgetCalls": true, "faults": [{"action": action, "how": how}]}));
            let refused = vault.sign(id).await;
            assert_eq!(code(&refused), expected, "{action} {how}: {}", refused.1);
            assert!(!gcp.calls().contains(&"Decrypt".to_owned()), "{action} {how}");
            gcp.faults(&json!([]));
            assert_eq!(vault.sign(id).await.0, 200, "{action} {how} is over");
        }
    }
}

#[tokio::test]
async fn a_key_that_hangs_costs_a_request_its_budget_and_soon_only_one_at_a_time() {
    let gcp = LocalGcp::start();
    let budget = Duration::from_millis(400);
    let cloud = gcp.cloud_with_budget(budget);
    let vault = gcp.vault().await;
    let key = keys(&vault).await.remove(0);
    let vault = vault.with_custody(|custody| custody.clouds = vec![cloud]);
    assert_eq!(vault.sign(&key).await.0, 200);
    let signed = issued(&vault).await;
    gcp.faults(&json!([{"action": "Decrypt", "how": "hang"}]));
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
    gcp.faults(&json!([]));
    assert_eq!(vault.sign(&key).await.0, 200, "it is back, and so is the vault");
    assert_eq!(issued(&vault).await, signed + 1);
}

/// What ended keys, and creations that failed, left in the key ring is destroyed there.
#[tokio::test]
async fn what_keys_leave_in_the_key_ring_is_destroyed_there() {
    let gcp = LocalGcp::start();
    let vault = gcp.vault().await;
    let made = keys(&vault).await;
    vault.revoke(&made[1]).await;
    vault.rotate(&made[4]).await;
    gcp.faults(&json!([{"action": "Encrypt", "how": "denied", "times": 1}]));
    let request = json!({
        "name": "k", "algorithm": "mldsa44+ecdsa-p256", "kekProvider": "gcp-kms", "keyProvider": "gcp-kms",
    });
    assert_eq!(code(&vault.call("/v1/hybrid-keys", Some(&request)).await), (502, "kms_denied"));
    let ports = server::reconcile_ports(&vault.store, &vault.custody);
    let request =
        vault::ops::reconcile_keys::Request { now: vault::Timestamp::now(), survey: true, give_up: None };
    let done = vault::ops::reconcile_keys::reconcile_keys(&ports, request).await.unwrap();
    assert_eq!((done.deleted.len(), done.failed, done.strays.len()), (4, 0, 0), "{done:?}");
    let state = gcp.state();
    let destroyed =
        state["keys"].as_array().unwrap().iter().filter(|key| key["state"] == "DESTROY_SCHEDULED");
    assert_eq!(destroyed.count(), 4);
}
