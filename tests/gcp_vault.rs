//! Google Cloud KMS as a provider: what it wraps and signs, how it is entered, and what is found and destroyed there.

use std::{sync::Arc, time::Duration};

use composite::{ClassicalAlgorithm, MlDsaSet};
use conformance::custody::Binds;
use custody_gcp::GcpCloud;
use futures::future::join_all;
use serde_json::{Value, json};
use vault::{
    custody::{
        Cloud, CloudName, CustodyError, Deletion, HalfAlgorithm, Kept, NoAssertions, ProviderSecret, Remains,
        Subject,
    },
    id::{KeyId, OrgId},
    settings::{KeyRingName, ProtectionLevel},
};
use zeroize::Zeroizing;

use crate::{
    clouds::{self, ids},
    local_gcp::{By, EMAIL, HOSTS, KEK, LONG, LocalGcp, PROVIDER, RING, settings},
};

fn fault<T>(outcome: Result<T, CustodyError>) -> &'static str {
    clouds::fault(CloudName::Gcp, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn cloud_kms_wraps_and_signs_as_every_provider_must() {
    let gcp = LocalGcp::start();
    let settings = settings(By::Key);
    let secret = gcp.secret();
    gcp.cloud().test(&settings, Some(&secret)).await.unwrap();
    let entered = gcp.cloud_with_budget(LONG).enter(&settings, Some(&secret)).await.unwrap();
    conformance::custody::key_encryption(entered.kek.as_ref(), Binds::Subject).await;
    conformance::custody::classical_signer(entered.classical.as_ref(), &ClassicalAlgorithm::ALL).await;
    conformance::custody::pq_signer(entered.pq.expect("it has ML-DSA").as_ref()).await;
    let looked_up = gcp.looked_up.lock().unwrap().clone();
    assert!(looked_up.iter().all(|host| host == HOSTS[0]), "{looked_up:?}");
}

#[tokio::test]
async fn a_project_is_entered_by_its_own_proof_alone() {
    let gcp = LocalGcp::start();
    let secret = gcp.secret();
    let test = async |by, secret: Option<&ProviderSecret>| gcp.cloud().test(&settings(by), secret).await;
    // A key that Google does not know any more, and one that is none.
    gcp.control(&json!({"disableKeys": [EMAIL]}));
    assert_eq!(fault(test(By::Key, Some(&secret)).await), "kms_denied");
    gcp.control(&json!({"enableKeys": [EMAIL]}));
    test(By::Key, Some(&secret)).await.unwrap();
    let broken = secret.0.replace("MII", "AAA");
    assert_eq!(
        fault(test(By::Key, Some(&ProviderSecret(Zeroizing::new(broken)))).await),
        "kms_denied",
        "it signs nothing"
    );
    for by in [By::Federation, By::Impersonation] {
        let provider = |audience: Value| {
            gcp.control(
                &json!({"providers": {PROVIDER: {"audience": audience, "subjects": ["the deployment"]}}}),
            );
        };
        gcp.control(
            &json!({"providers": {PROVIDER: {"audience": "postq-1", "subjects": ["somebody else"]}}}),
        );
        assert_eq!(fault(test(by, None).await), "kms_denied", "its condition is for another");
        provider(json!("postq-2"));
        assert_eq!(fault(test(by, None).await), "kms_denied", "it expects another organisation");
        provider(json!("postq-1"));
        test(by, None).await.unwrap();
        provider(Value::Null);
        assert_eq!(fault(test(by, None).await), "role_open", "anybody's settings could name it");
        let without = GcpCloud::new(&gcp.network(), Arc::new(NoAssertions)).unwrap();
        let refused = without.enter(&settings(by), None).await.unwrap();
        let (org, key) = ids();
        let refused = refused.kek.generate_dek(Subject { org: &org, key: &key }).await;
        assert_eq!(fault(refused), "credentials_unavailable");
    }
    gcp.control(&json!({
        "providers": {PROVIDER: {"audience": "postq-1"}}, "serviceAccounts": {EMAIL: {"impersonators": []}},
    }));
    assert_eq!(fault(test(By::Impersonation, None).await), "kms_denied", "it may not stand for the account");
    test(By::Federation, None).await.unwrap();
    let looked_up = gcp.looked_up.lock().unwrap().clone();
    assert!(looked_up.iter().all(|host| HOSTS.contains(&host.as_str())), "{looked_up:?}");
}

/// What the page for customers tells them to grant is what is needed, and not more.
#[tokio::test]
async fn each_permission_that_is_asked_for_is_needed_for_what_it_is_said_to_be() {
    let gcp = LocalGcp::start();
    gcp.control(&json!({"pending": 0}));
    let (settings, secret) = (settings(By::Key), gcp.secret());
    let entered = gcp.cloud_with_budget(LONG).enter(&settings, Some(&secret)).await.unwrap();
    let (org, key) = ids();
    let subject = Subject { org: &org, key: &key };
    let page = std::fs::read_to_string(crate::python::root().join("docs/gcp.md")).unwrap();
    for permission in PERMISSIONS {
        assert!(page.contains(permission), "docs/gcp.md has {permission}");
    }
    let allow = |names: &[&str]| {
        let granted: Vec<_> = PERMISSIONS
            .iter()
            .filter(|permission| names.iter().any(|name| permission.ends_with(name)))
            .collect();
        assert_eq!(granted.len(), names.len());
        gcp.control(&json!({"permissions": {EMAIL: granted}}));
    };
    allow(&["useToEncrypt"]);
    let dek = entered.kek.generate_dek(subject).await.unwrap();
    assert_eq!(fault(entered.kek.unwrap_dek(subject, &dek.wrapped).await), "kms_denied");
    allow(&["useToDecrypt"]);
    entered.kek.unwrap_dek(subject, &dek.wrapped).await.unwrap();
    assert_eq!(fault(entered.kek.generate_dek(subject).await), "kms_denied");
    allow(&["cryptoKeys.create"]);
    let half = entered.classical.generate(subject, ClassicalAlgorithm::Ed25519).await;
    let CustodyError::Cloud { remains: Remains::Half(half), .. } = half.err().unwrap() else {
        panic!("what was made is not named")
    };
    allow(&["viewPublicKey"]);
    let ed25519 = HalfAlgorithm::Classical(ClassicalAlgorithm::Ed25519);
    entered.halves.would_sign(&half, ed25519).await.unwrap();
    allow(&["cryptoKeys.get", "cryptoKeyVersions.destroy"]);
    let done = entered.halves.schedule_deletion(&half, &settings.deployment, &key).await.unwrap();
    assert_eq!(done, Deletion::Scheduled);
    let again = entered.halves.schedule_deletion(&half, &settings.deployment, &key).await;
    assert_eq!(fault(again), "kms_denied", "that it is done is not shown");
    allow(&["cryptoKeys.get", "cryptoKeyVersions.get", "cryptoKeyVersions.destroy"]);
    let again = entered.halves.schedule_deletion(&half, &settings.deployment, &key).await.unwrap();
    assert_eq!(again, Deletion::Scheduled);
    allow(&["cryptoKeys.list"]);
    assert_eq!(entered.halves.marked(&settings.deployment).await.unwrap().len(), 1);
    assert_eq!(fault(entered.halves.is_gone(&half).await), "kms_denied");
    allow(&["cryptoKeyVersions.get"]);
    assert!(entered.halves.is_gone(&half).await.unwrap());
}

const PERMISSIONS: [&str; 9] = [
    "cloudkms.cryptoKeyVersions.useToEncrypt",
    "cloudkms.cryptoKeyVersions.useToDecrypt",
    "cloudkms.cryptoKeyVersions.useToSign",
    "cloudkms.cryptoKeyVersions.viewPublicKey",
    "cloudkms.cryptoKeyVersions.get",
    "cloudkms.cryptoKeyVersions.destroy",
    "cloudkms.cryptoKeys.create",
    "cloudkms.cryptoKeys.get",
    "cloudkms.cryptoKeys.list",
];

/// The service's own trail says whose data key was opened.
#[tokio::test]
async fn data_keys_are_bound_to_their_subject_and_open_by_the_version_that_wrapped_them() {
    let gcp = LocalGcp::start();
    let entered = gcp.cloud().enter(&settings(By::Key), Some(&gcp.secret())).await.unwrap();
    let (org, key) = ids();
    let subject = Subject { org: &org, key: &key };
    let first = entered.kek.generate_dek(subject).await.unwrap();
    assert_eq!(first.wrapped.kek_key_id.as_deref(), Some(&*format!("{KEK}/cryptoKeyVersions/1")));
    gcp.control(&json!({"rotate": [KEK]}));
    let second = entered.kek.generate_dek(subject).await.unwrap();
    assert_eq!(second.wrapped.kek_key_id.as_deref(), Some(&*format!("{KEK}/cryptoKeyVersions/2")));
    for dek in [&first, &second] {
        assert_eq!(entered.kek.unwrap_dek(subject, &dek.wrapped).await.unwrap().0, dek.dek.0);
    }
    let context = format!(r#"{{"postq:key":"{key}","postq:org":"{org}"}}"#);
    let calls = gcp.state()["calls"].as_array().unwrap().clone();
    let crypts: Vec<_> = calls.iter().filter(|call| call.get("aad").is_some()).collect();
    assert_eq!(crypts.len(), 4);
    assert!(crypts.iter().all(|call| call["aad"] == context && call["on"] == KEK), "{crypts:?}");
    gcp.control(&json!({"disable": [format!("{KEK}/cryptoKeyVersions/1")]}));
    assert_eq!(fault(entered.kek.unwrap_dek(subject, &first.wrapped).await), "kms_denied");
    entered.kek.unwrap_dek(subject, &second.wrapped).await.unwrap();
}

#[tokio::test]
async fn a_half_is_made_in_the_ring_and_at_the_level_that_settings_name() {
    let gcp = LocalGcp::start();
    let elsewhere = "projects/other-project/locations/global/keyRings/halves";
    gcp.control(&json!({"rings": [elsewhere]}));
    let mut settings = settings(By::Key);
    let account = settings.gcp.as_mut().unwrap();
    account.ring = KeyRingName::parse(elsewhere).unwrap();
    account.protection = ProtectionLevel::Hsm;
    let entered = gcp.cloud().enter(&settings, Some(&gcp.secret())).await.unwrap();
    let (org, key) = ids();
    let subject = Subject { org: &org, key: &key };
    let made = entered.classical.generate(subject, ClassicalAlgorithm::EcdsaP256).await.unwrap();
    let Kept::AtProvider(id) = made.secret else { panic!("it is not at the provider") };
    let name = format!("{elsewhere}/cryptoKeys/postq-{}-classical", key.as_str().trim_start_matches("key_"));
    assert_eq!(id, format!("{name}/cryptoKeyVersions/1"));
    let state = gcp.state();
    let there = state["keys"].as_array().unwrap().iter().find(|half| half["name"] == name).unwrap();
    assert_eq!((&there["protectionLevel"], &there["purpose"]), (&json!("HSM"), &json!("ASYMMETRIC_SIGN")));
    assert_eq!(
        there["labels"],
        json!({
            "postq-deployment": settings.deployment.as_str(), "postq-org": org.as_str(), "postq-key": key.as_str(),
            "postq-half": "classical",
        })
    );
    // Google's modules have no ML-DSA, and say so.
    let refused = entered.pq.unwrap().generate(subject, MlDsaSet::MlDsa65).await.err().unwrap();
    let CustodyError::Cloud { remains: Remains::Nothing, detail, .. } = refused else { panic!("{refused}") };
    assert!(detail.contains("INVALID_ARGUMENT"), "{detail}");
}

#[tokio::test]
async fn a_half_that_takes_its_time_is_waited_for_within_the_request() {
    let gcp = LocalGcp::start();
    let (settings, secret) = (settings(By::Key), gcp.secret());
    let (org, key) = ids();
    let subject = Subject { org: &org, key: &key };
    gcp.control(&json!({"pending": 4}));
    let entered = gcp.cloud().enter(&settings, Some(&secret)).await.unwrap();
    entered.pq.unwrap().generate(subject, MlDsaSet::MlDsa44).await.unwrap();
    gcp.control(&json!({"pending": 1000}));
    let hurried =
        gcp.cloud_with_budget(Duration::from_millis(700)).enter(&settings, Some(&secret)).await.unwrap();
    let refused = hurried.classical.generate(subject, ClassicalAlgorithm::Ed25519).await.err().unwrap();
    let CustodyError::Cloud { remains: Remains::Half(half), fault, .. } = refused else {
        panic!("{refused}")
    };
    assert_eq!(fault.code(), "kms_timeout");
    assert!(half.starts_with(RING), "{half}");
}

#[tokio::test]
async fn a_token_is_kept_until_it_expires_and_one_that_is_not_taken_is_asked_for_anew() {
    let gcp = LocalGcp::start();
    gcp.control(&json!({"providers": {PROVIDER: {"audience": "postq-1"}}}));
    let tokens = |gcp: &LocalGcp| {
        let of = |name: &str| gcp.calls().iter().filter(|call| *call == name).count();
        (of("sts.token"), of("iamcredentials.generateAccessToken"))
    };
    for (by, once) in [(By::Federation, (1, 0)), (By::Impersonation, (1, 1))] {
        gcp.control(&json!({"forgetCalls": true}));
        let (cloud, settings) = (gcp.cloud(), settings(by));
        let (org, key) = ids();
        let wrap = async || {
            let entered = cloud.enter(&settings, None).await?;
            entered.kek.generate_dek(Subject { org: &org, key: &key }).await
        };
        wrap().await.unwrap();
        let all = join_all((0..5).map(|_| wrap())).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(tokens(&gcp), once);
        gcp.control(&json!({"forgetTokens": true}));
        assert_eq!(fault(wrap().await), "kms_denied");
        wrap().await.unwrap();
        assert_eq!(tokens(&gcp), (2 * once.0, 2 * once.1));
    }
    // Two minutes before its end a token is not used any more.
    gcp.control(
        &json!({"providers": {PROVIDER: {"audience": "postq-1", "seconds": 100}}, "forgetCalls": true}),
    );
    let (cloud, settings) = (gcp.cloud(), settings(By::Federation));
    let (org, key) = ids();
    for _ in 0..2 {
        let entered = cloud.enter(&settings, None).await.unwrap();
        entered.kek.generate_dek(Subject { org: &org, key: &key }).await.unwrap();
    }
    assert_eq!(tokens(&gcp), (2, 0));
}

#[tokio::test]
async fn a_half_is_destroyed_only_if_it_carries_both_marks() {
    let gcp = LocalGcp::start();
    gcp.control(&json!({"page": 2}));
    let settings = settings(By::Key);
    let entered = gcp.cloud_with_budget(LONG).enter(&settings, Some(&gcp.secret())).await.unwrap();
    let mut halves = Vec::new();
    for _ in 0..5 {
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
    assert_eq!(entered.halves.marked(&elsewhere).await.unwrap(), []);
    let p256 = HalfAlgorithm::Classical(ClassicalAlgorithm::EcdsaP256);
    entered.halves.would_sign(id, p256).await.unwrap();
    let ed25519 = HalfAlgorithm::Classical(ClassicalAlgorithm::Ed25519);
    assert_eq!(
        fault(entered.halves.would_sign(id, ed25519).await),
        "kms_wrong_answer",
        "it is of another kind"
    );
    for _ in 0..2 {
        let done = entered.halves.schedule_deletion(id, &settings.deployment, key).await.unwrap();
        assert_eq!(done, Deletion::Scheduled, "and again");
    }
    assert_eq!(fault(entered.halves.would_sign(id, p256).await), "kms_denied");
    // Cloud KMS lists what is destroyed as well, for ever.
    for half in entered.halves.marked(&settings.deployment).await.unwrap() {
        assert_eq!(entered.halves.is_gone(&half.key_id).await.unwrap(), half.key_id == *id);
    }
    gcp.control(&json!({"forget": [id.split_once("/cryptoKeyVersions").unwrap().0]}));
    let young = entered.halves.schedule_deletion(id, &settings.deployment, key).await;
    assert_eq!(fault(young), "kms_unavailable", "it may not be known everywhere yet");
}

/// What cannot be destroyed because it never was, or is no more, is not tried for ever; and what says of an identity that it is not found
/// says nothing of a key.
#[tokio::test]
async fn a_half_is_taken_for_destroyed_only_where_it_is() {
    let gcp = LocalGcp::start();
    gcp.control(&json!({"pending": 0, "providers": {PROVIDER: {"audience": "postq-1"}}}));
    let settings = settings(By::Impersonation);
    let two_hours_ago =
        vault::Timestamp::from_millis(vault::Timestamp::now().as_millis() - 2 * 60 * 60 * 1000).unwrap();
    let (org, key) = (OrgId::generate(two_hours_ago).unwrap(), KeyId::generate(two_hours_ago).unwrap());
    let subject = Subject { org: &org, key: &key };
    let cloud = gcp.cloud();
    let entered = cloud.enter(&settings, None).await.unwrap();
    let made = entered.classical.generate(subject, ClassicalAlgorithm::Ed25519).await.unwrap();
    let Kept::AtProvider(id) = made.secret else { panic!("it is not at the provider") };
    for (action, how, expected) in [
        ("iamcredentials.generateAccessToken", "missing", "kms_denied"),
        ("iamcredentials.generateAccessToken", "invalid", "kms_denied"),
        ("sts.token", "missing", "kms_denied"),
        ("DestroyCryptoKeyVersion", "denied", "kms_denied"),
        ("DestroyCryptoKeyVersion", "down", "kms_unavailable"),
    ] {
        let entered = gcp.cloud().enter(&settings, None).await.unwrap();
        gcp.faults(&json!([{"action": action, "how": how}]));
        let refused = entered.halves.schedule_deletion(&id, &settings.deployment, &key).await;
        assert_eq!(fault(refused), expected, "{action} {how}");
        let refused = entered.halves.is_gone(&id).await;
        if !action.starts_with("Destroy") {
            assert_eq!(fault(refused), expected, "{action} {how}");
        }
        gcp.faults(&json!([]));
    }
    let done = async || entered.halves.schedule_deletion(&id, &settings.deployment, &key).await.unwrap();
    // Neither can be destroyed, says Google, and neither is there.
    gcp.control(&json!({"states": {&id: "GENERATION_FAILED"}}));
    assert_eq!(done().await, Deletion::Scheduled);
    gcp.control(&json!({"states": {&id: "ENABLED"}}));
    assert_eq!(done().await, Deletion::Scheduled);
    gcp.control(&json!({"deleteVersion": [&id]}));
    assert_eq!(done().await, Deletion::Scheduled);
    gcp.control(&json!({"forget": [id.split_once("/cryptoKeyVersions").unwrap().0]}));
    assert_eq!(done().await, Deletion::Scheduled, "it is old enough to be known everywhere");
}

/// A creation that something on the way sends twice is refused the second time, and has made what it is not told of.
#[tokio::test]
async fn a_half_that_is_there_already_is_left_to_be_destroyed() {
    let gcp = LocalGcp::start();
    let entered = gcp.cloud().enter(&settings(By::Key), Some(&gcp.secret())).await.unwrap();
    let (org, key) = ids();
    let name = format!("postq-{}-pq", key.as_str().trim_start_matches("key_"));
    gcp.control(&json!({"make": [{
        "ring": RING, "name": name, "purpose": "ASYMMETRIC_SIGN", "algorithm": "PQ_SIGN_ML_DSA_65_EXTERNAL_MU",
    }]}));
    let made = entered.pq.unwrap().generate(Subject { org: &org, key: &key }, MlDsaSet::MlDsa65).await;
    let CustodyError::Cloud { remains, .. } = made.err().unwrap() else { panic!("it is no cloud's") };
    assert_eq!(remains, Remains::Half(format!("{RING}/cryptoKeys/{name}/cryptoKeyVersions/1")));
}

/// A project has an id and a number, and an answer may have the one where the settings have the other.
#[tokio::test]
async fn a_project_s_number_is_as_good_as_its_id() {
    let gcp = LocalGcp::start();
    gcp.control(&json!({"answers_as": ["projects/customer-project/", "projects/123456789012/"]}));
    let settings = settings(By::Key);
    let entered = gcp.cloud_with_budget(LONG).enter(&settings, Some(&gcp.secret())).await.unwrap();
    let (org, key) = ids();
    let subject = Subject { org: &org, key: &key };
    let dek = entered.kek.generate_dek(subject).await.unwrap();
    assert_eq!(dek.wrapped.kek_key_id, Some(format!("{KEK}/cryptoKeyVersions/1")));
    entered.kek.unwrap_dek(subject, &dek.wrapped).await.unwrap();
    conformance::custody::classical_signer(entered.classical.as_ref(), &ClassicalAlgorithm::ALL).await;
    let marked = entered.halves.marked(&settings.deployment).await.unwrap();
    assert!(!marked.is_empty() && marked.iter().all(|half| half.key_id.starts_with(RING)), "{marked:?}");
}
