//! Azure Key Vault as a custody provider: on the suite that every provider passes, and when the vault, the application or the way to it
//! fails: no signature and no lost event, a clear word on who can mend it, and signing again at once when it is back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use composite::ClassicalAlgorithm;
use conformance::custody::Binds;
use custody_azure::AzureCloud;
use futures::future::join_all;
use serde_json::json;
use vault::{
    custody::{
        Cloud, CloudName, CustodyError, Deletion, HalfAlgorithm, Kept, NoAssertions, ProviderSecret, Subject,
    },
    settings::{AzureAuth, VaultUrl},
};
use zeroize::Zeroizing;

use crate::{
    clouds::{self, code, ids, issued},
    in_process::Vault,
    local_azure::{CLIENT, LONG, LocalAzure, TENANT, secret, settings},
};

fn fault<T>(outcome: Result<T, CustodyError>) -> &'static str {
    clouds::fault(CloudName::Azure, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn key_vault_wraps_and_signs_as_every_provider_must() {
    let azure = LocalAzure::start();
    let settings = settings(AzureAuth::ClientSecret);
    azure.cloud().test(&settings, Some(&secret())).await.unwrap();
    let entered = azure.cloud_with_budget(LONG).enter(&settings, Some(&secret())).await.unwrap();
    // Wrapping takes the public key alone.
    conformance::custody::key_encryption(entered.kek.as_ref(), Binds::Nothing).await;
    conformance::custody::classical_signer(entered.classical.as_ref(), &[ClassicalAlgorithm::EcdsaP256])
        .await;
    assert!(entered.pq.is_none(), "Key Vault has no ML-DSA");
    let looked_up = azure.looked_up.lock().unwrap().clone();
    let known = ["customer.vault.azure.net", "login.microsoftonline.com"];
    assert!(looked_up.iter().all(|host| known.contains(&host.as_str())), "{looked_up:?}");
}

#[tokio::test]
async fn a_vault_is_entered_by_its_applications_own_proof_alone() {
    let azure = LocalAzure::start();
    let test = async |auth, secret: Option<&str>| {
        let secret = secret.map(|secret| ProviderSecret(Zeroizing::new(secret.to_owned())));
        azure.cloud().test(&settings(auth), secret.as_ref()).await
    };
    assert_eq!(fault(test(AzureAuth::ClientSecret, Some("another")).await), "kms_denied");
    assert_eq!(fault(test(AzureAuth::Federated, None).await), "kms_denied", "it expects no assertion");
    let federated = |audience: &str| json!({"apps": {TENANT: {CLIENT: {"audience": audience}}}});
    azure.control(&federated("postq-2"));
    assert_eq!(
        fault(test(AzureAuth::Federated, None).await),
        "kms_denied",
        "it expects another organisation"
    );
    azure.control(&federated("postq-1"));
    test(AzureAuth::Federated, None).await.unwrap();
    azure.control(&federated("*"));
    assert_eq!(
        fault(test(AzureAuth::Federated, None).await),
        "role_open",
        "anybody's settings could name it"
    );
    let without = AzureCloud::new(&azure.network(), Arc::new(NoAssertions)).unwrap();
    let refused = without.enter(&settings(AzureAuth::Federated), None).await.unwrap();
    let (org, key) = ids();
    let refused = refused.kek.generate_dek(Subject { org: &org, key: &key }).await;
    assert_eq!(fault(refused), "credentials_unavailable");
}

/// Each cloud of Azure's has its own authority and its own audience.
#[tokio::test]
async fn sovereign_clouds_and_managed_hsms_are_entered_at_their_own_authorities() {
    let azure = LocalAzure::start();
    for (host, authority) in [
        ("customer.vault.azure.cn", "login.chinacloudapi.cn"),
        ("customer.vault.usgovcloudapi.net", "login.microsoftonline.us"),
        ("customer.managedhsm.azure.net", "login.microsoftonline.com"),
    ] {
        azure.control(&json!({"make": [{"host": host, "name": "kek"}], "forgetCalls": true}));
        let mut settings = settings(AzureAuth::ClientSecret);
        settings.azure.as_mut().unwrap().vault = VaultUrl::parse(&format!("https://{host}")).unwrap();
        let entered = azure.cloud().test(&settings, Some(&secret())).await.unwrap();
        let (org, key) = ids();
        let subject = Subject { org: &org, key: &key };
        entered.classical.generate(subject, ClassicalAlgorithm::EcdsaP256).await.unwrap();
        let hosts: Vec<_> =
            azure.state()["calls"].as_array().unwrap().iter().map(|call| call["host"].clone()).collect();
        assert!(hosts.iter().all(|called| called == host || called == authority), "{hosts:?}");
        assert!(hosts.contains(&json!(authority)));
    }
}

#[tokio::test]
async fn a_token_is_kept_until_it_expires_and_one_that_is_not_taken_is_asked_for_anew() {
    let azure = LocalAzure::start();
    let tokens = |azure: &LocalAzure| azure.calls().iter().filter(|call| *call == "token").count();
    let cloud = azure.cloud();
    let settings = settings(AzureAuth::ClientSecret);
    let (org, key) = ids();
    let wrap = async || {
        let entered = cloud.enter(&settings, Some(&secret())).await?;
        entered.kek.generate_dek(Subject { org: &org, key: &key }).await
    };
    for _ in 0..3 {
        wrap().await.unwrap();
    }
    assert_eq!(tokens(&azure), 1);
    azure.control(&json!({"forgetTokens": true}));
    let first = wrap().await;
    // The client answers a refusal with a new token by itself, or the next request has one.
    if first.is_err() {
        assert_eq!(fault(first), "kms_denied");
    }
    wrap().await.unwrap();
    // Five minutes before its end a token is not used any more.
    azure.control(&json!({"apps": {TENANT: {CLIENT: {"secret": crate::local_azure::SECRET, "seconds": 200}}}, "forgetTokens": true, "forgetCalls": true}));
    let cloud = azure.cloud();
    for _ in 0..2 {
        let entered = cloud.enter(&settings, Some(&secret())).await.unwrap();
        entered.kek.generate_dek(Subject { org: &org, key: &key }).await.unwrap();
    }
    assert!(tokens(&azure) >= 2);
}

#[tokio::test]
async fn a_half_is_deleted_only_if_it_carries_both_marks() {
    let azure = LocalAzure::start();
    let settings = settings(AzureAuth::ClientSecret);
    let entered = azure.cloud_with_budget(LONG).enter(&settings, Some(&secret())).await.unwrap();
    let mut halves = Vec::new();
    for _ in 0..3 {
        let (org, key) = ids();
        let made =
            entered.classical.generate(Subject { org: &org, key: &key }, ClassicalAlgorithm::EcdsaP256).await;
        let Kept::AtProvider(id) = made.unwrap().secret else { panic!("it is not at the provider") };
        halves.push((org, key, id));
    }
    let marked = entered.halves.marked(&settings.deployment).await.unwrap();
    let mut found: Vec<_> = marked.iter().map(|half| half.key_id.clone()).collect();
    found.sort();
    let mut ids: Vec<_> = halves.iter().map(|(_, _, id)| id.clone()).collect();
    ids.sort();
    assert_eq!(found, ids, "by their complete names, through all pages, and not the wrapping key");
    let (org, key, id) = &halves[0];
    let half = marked.iter().find(|half| half.key_id == *id).unwrap();
    assert_eq!((half.org.as_ref(), half.key.as_ref()), (Some(org), Some(key)));

    let (_, another, _) = &halves[1];
    let elsewhere = vault::custody::DeploymentId::parse(&"0b".repeat(16)).unwrap();
    for (deployment, of) in [(&settings.deployment, another), (&elsewhere, key)] {
        assert_eq!(entered.halves.schedule_deletion(id, deployment, of).await.unwrap(), Deletion::NotOurs);
    }
    let p256 = HalfAlgorithm::Classical(ClassicalAlgorithm::EcdsaP256);
    entered.halves.would_sign(id, p256).await.unwrap();
    for _ in 0..2 {
        let done = entered.halves.schedule_deletion(id, &settings.deployment, key).await.unwrap();
        assert_eq!(done, Deletion::Scheduled, "and again");
    }
    assert_eq!(fault(entered.halves.would_sign(id, p256).await), "kms_denied");
    assert_eq!(azure.state()["deleted"].as_array().unwrap().len(), 1);
    azure.control(&json!({"forgetDeleted": true}));
    let young = entered.halves.schedule_deletion(id, &settings.deployment, key).await;
    assert_eq!(fault(young), "kms_unavailable", "it may not be known everywhere yet");
    azure.faults(&json!([{"action": "get-keys", "how": "elsewhere"}]));
    let led_away = entered.halves.marked(&settings.deployment).await;
    assert_eq!(fault(led_away), "kms_wrong_answer", "another host's next page is not fetched");
}

/// Keys that need Azure in each of the ways in which one can.
async fn keys(vault: &Vault) -> Vec<String> {
    let axes = [("azure-kv", "postq-managed"), ("env", "azure-kv"), ("azure-kv", "azure-kv")];
    clouds::keys(vault, &axes.map(|(kek, classical)| ("mldsa44+ecdsa-p256", kek, classical, "postq-managed")))
        .await
}

#[tokio::test]
async fn whatever_key_vault_answers_no_wrong_signature_leaves() {
    let azure = LocalAzure::start();
    let vault = azure.vault().await;
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
    ];
    clouds::each_outage(&azure, (&vault, &keys), &outages, ["Azure Key Vault", "`keys/"]).await;
    // A signature over something else, and other bytes than were wrapped: the second cannot be told from a damaged row.
    azure.faults(&json!([{"how": "other"}]));
    let expected = [(500, "key_integrity"), (502, "kms_wrong_answer"), (500, "key_integrity")];
    for (key, expected) in keys.iter().zip(expected) {
        let refused = vault.sign(key).await;
        let either = key == &keys[2] && code(&refused) == (502, "kms_wrong_answer");
        assert!(code(&refused) == expected || either, "{}", refused.1);
    }
    azure.faults(&json!([]));
    for key in &keys {
        assert_eq!(vault.sign(key).await.0, 200);
    }
    assert_eq!(issued(&vault).await, signed + (outages.len() + 1) * keys.len());
}

#[tokio::test]
async fn a_key_that_is_disabled_stops_every_signature_at_once_and_a_moment_of_trouble_none() {
    let azure = LocalAzure::start();
    let vault = azure.vault().await;
    let keys = keys(&vault).await;
    azure.control(&json!({"enable": {"kek": false}}));
    assert_eq!(code(&vault.sign(&keys[0]).await), (502, "kms_denied"));
    assert_eq!(vault.sign(&keys[1]).await.0, 200, "it is not wrapped there");
    azure.control(&json!({"enable": {"kek": true}}));
    for key in &keys {
        for how in ["throttled", "internal", "dropped", "lost"] {
            azure.faults(&json!([{"how": how, "times": 1}]));
            let answer = vault.sign(key).await;
            assert_eq!(answer.0, 200, "{how}: {}", answer.1);
        }
    }
    // Making a key is not tried twice: what the first try may have made is found by its marks.
    azure.control(&json!({"forgetCalls": true, "faults": [{"action": "create", "how": "lost", "times": 1}]}));
    let request = json!({"name": "k", "algorithm": "mldsa44+ecdsa-p256", "keyProvider": "azure-kv"});
    assert_eq!(code(&vault.call("/v1/hybrid-keys", Some(&request)).await), (503, "kms_unavailable"));
    assert_eq!(azure.calls().iter().filter(|call| *call == "create").count(), 1);
}

#[tokio::test]
async fn a_vault_that_hangs_costs_a_request_its_budget_and_soon_only_one_at_a_time() {
    let azure = LocalAzure::start();
    let budget = Duration::from_millis(400);
    let cloud = azure.cloud_with_budget(budget);
    let vault = azure.vault().await;
    let key = keys(&vault).await.remove(0);
    let vault = vault.with_custody(|custody| custody.clouds = vec![cloud]);
    assert_eq!(vault.sign(&key).await.0, 200);
    let signed = issued(&vault).await;
    azure.faults(&json!([{"action": "unwrapkey", "how": "hang"}]));
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
    azure.faults(&json!([]));
    assert_eq!(vault.sign(&key).await.0, 200, "it is back, and so is the vault");
    assert_eq!(issued(&vault).await, signed + 1);
}

/// What ended keys, and creations that failed, left in the vault is deleted there.
#[tokio::test]
async fn what_keys_leave_in_the_vault_is_deleted_there() {
    let azure = LocalAzure::start();
    let vault = azure.vault().await;
    let made = keys(&vault).await;
    vault.revoke(&made[1]).await;
    vault.rotate(&made[2]).await;
    azure.faults(&json!([{"action": "wrapkey", "how": "denied", "times": 1}]));
    let request = json!({"name": "k", "algorithm": "mldsa44+ecdsa-p256", "kekProvider": "azure-kv", "keyProvider": "azure-kv"});
    assert_eq!(code(&vault.call("/v1/hybrid-keys", Some(&request)).await), (502, "kms_denied"));
    let ports = server::reconcile_ports(&vault.store, &vault.custody);
    let request =
        vault::ops::reconcile_keys::Request { now: vault::Timestamp::now(), survey: true, give_up: None };
    let done = vault::ops::reconcile_keys::reconcile_keys(&ports, request).await.unwrap();
    assert_eq!((done.deleted.len(), done.failed, done.strays.len()), (3, 0, 0), "{done:?}");
    assert_eq!(azure.state()["deleted"].as_array().unwrap().len(), 3);
}
