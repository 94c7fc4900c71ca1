//! An organisation's settings: tried out before they are saved, shown without a secret, and kept while keys rest on them.

use std::sync::Arc;

use custody_aws::{AwsCloud, OwnIdentity};
use serde_json::{Value, json};

use crate::{
    in_process::Vault,
    local_kms::{LocalKms, ROLE},
};

const SETTINGS: &str = "/v1/vault/settings";
const TEST: &str = "/v1/vault/settings/test";

fn code(answer: &(u16, Value)) -> (u16, String) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn settings_are_saved_shown_and_cleared_and_the_ledger_tells() {
    let kms = LocalKms::start();
    let vault = Vault::new().await;
    assert_eq!(vault.get(SETTINGS).await, json!(null));
    let (vault, kek) = kms.equip(vault).await;
    let whoami = vault.get("/v1/whoami").await;
    let shown = vault.get(SETTINGS).await;
    assert_eq!(shown["defaultKekProvider"], "env");
    assert_eq!(
        shown["aws"],
        json!({"keyArn": kek, "roleArn": ROLE, "externalId": whoami["externalId"], "region": "eu-central-1"})
    );
    assert_eq!((&shown["azure"], &shown["gcp"]), (&json!(null), &json!(null)));

    // What was read can be sent back; the older name of a member is understood; what it says is then the default.
    let again = json!({"kekProvider": "aws-kms", "aws": shown["aws"]});
    let (status, body) = vault.put(SETTINGS, &again).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(vault.get(SETTINGS).await["updatedAt"], body["data"]["savedAt"]);
    assert_eq!(body["data"]["defaultKekProvider"], "aws-kms", "saving answers what is set now");
    assert_eq!(body["data"]["aws"], shown["aws"]);
    let key = vault.post("/v1/hybrid-keys", json!({"name": "by default"})).await;
    assert_eq!((&key["kekProvider"], &key["tier"]), (&json!("aws-kms"), &json!(1)));

    let (status, refused) = vault.delete(SETTINGS).await;
    assert_eq!((status, &refused["code"]), (409, &json!("settings_in_use")));
    assert!(refused["error"].as_str().unwrap().contains(key["id"].as_str().unwrap()), "{refused}");
    let drop = json!({"defaultKekProvider": "env"});
    let (status, tried) = vault.call(TEST, Some(&drop)).await;
    assert_eq!((status, &tried["data"]["checks"][0]["code"]), (200, &json!("settings_in_use")), "{tried}");
    assert_eq!(code(&vault.put(SETTINGS, &drop).await), (409, "settings_in_use".into()));
    vault.revoke(key["id"].as_str().unwrap()).await;
    for _ in 0..2 {
        let (status, body) = vault.delete(SETTINGS).await;
        assert_eq!((status, &body["data"]), (200, &json!({"cleared": true})));
    }
    assert_eq!(vault.get(SETTINGS).await, json!(null));
    let events = vault.events().await;
    let changes: Vec<_> =
        events.iter().filter(|event| event.event_type.name() == "vault.settings_changed").collect();
    assert_eq!(changes.len(), 3, "two savings, one clearing");
    let told = changes[1].data.to_canonical();
    assert_eq!(
        told,
        format!(r#"{{"aws":{{"keyArn":"{kek}","roleArn":"{ROLE}"}},"defaultKekProvider":"aws-kms"}}"#)
    );
}

#[tokio::test]
async fn what_is_wrong_with_settings_is_told_by_its_field_and_nothing_is_saved() {
    let kms = LocalKms::start();
    let (vault, kek) = kms.vault().await;
    let before = vault.get(SETTINGS).await;
    let elsewhere = "arn:aws:iam::210987654321:role/vault";
    for (body, field) in [
        (json!({"aws": {"keyArn": "0a1b"}}), "aws.keyArn"),
        (json!({"aws": {}}), "aws.keyArn"),
        (json!({"aws": {"keyArn": kek.replace("key/", "alias/")}}), "aws.keyArn"),
        (json!({"aws": {"keyArn": kek, "roleArn": "vault"}}), "aws.roleArn"),
        (json!({"aws": {"keyArn": kek, "roleArn": elsewhere}}), "aws.roleArn"),
        (json!({"aws": {"keyArn": kek, "roleArn": ROLE, "externalId": "mine"}}), "aws.externalId"),
        (json!({"aws": {"keyArn": kek, "roleArn": ROLE, "region": "us-east-1"}}), "aws.region"),
        (json!({"defaultKekProvider": "aws-kms"}), "defaultKekProvider"),
        (json!({"defaultKekProvider": "somebody"}), "defaultKekProvider"),
        (json!({"aws": {"keyArn": kek, "secret": "x"}}), "aws.secret"),
    ] {
        for refused in [vault.put(SETTINGS, &body).await, vault.call(TEST, Some(&body)).await] {
            assert_eq!((refused.0, &refused.1["field"]), (400, &json!(field)), "{body}: {}", refused.1);
        }
    }
    for (body, status, expected) in [
        (json!({"aws": {"keyArn": kek}}), 422, "role_missing"),
        (json!({"azure": crate::local_azure::account()}), 501, "provider_unavailable"),
        (
            json!({"gcp": {"kekKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}}),
            501,
            "provider_unavailable",
        ),
    ] {
        assert_eq!(code(&vault.put(SETTINGS, &body).await), (status, expected.into()), "{body}");
    }
    assert_eq!(vault.get(SETTINGS).await, before);
}

#[tokio::test]
async fn settings_that_do_not_work_are_not_saved_and_a_test_says_why() {
    let kms = LocalKms::start();
    let (vault, kek) = kms.vault().await;
    let external_id = vault.get("/v1/whoami").await["externalId"].clone();
    let before = vault.get(SETTINGS).await;
    let body = json!({"aws": {"keyArn": kek, "roleArn": ROLE}});
    let checked = async |body: Option<&Value>| {
        let answer = vault.call(TEST, Some(body.unwrap_or(&json!({})))).await;
        assert_eq!(answer.0, 200, "{}", answer.1);
        answer.1["data"]["checks"].clone()
    };
    assert_eq!(checked(None).await, json!([{"provider": "aws", "ok": true}]), "those that are stored");

    kms.trust(ROLE, None);
    assert_eq!(checked(Some(&body)).await[0]["code"], "role_open");
    assert_eq!(code(&vault.put(SETTINGS, &body).await), (422, "role_open".into()));
    kms.trust(ROLE, Some("postq-of-somebody-else"));
    assert_eq!(checked(Some(&body)).await[0]["code"], "kms_denied");
    assert_eq!(code(&vault.put(SETTINGS, &body).await), (502, "kms_denied".into()));
    kms.trust(ROLE, external_id.as_str());

    for (how, status, expected) in [
        ("denied", 502, "kms_denied"),
        ("throttled", 503, "kms_throttled"),
        ("internal", 503, "kms_unavailable"),
        ("garbage", 502, "kms_wrong_answer"),
        ("empty", 502, "kms_wrong_answer"),
        ("dropped", 503, "kms_unavailable"),
        ("expired", 502, "kms_denied"),
    ] {
        kms.faults(&json!([{"action": "GenerateDataKey", "how": how}]));
        let check = checked(Some(&body)).await[0].clone();
        assert_eq!((&check["ok"], &check["code"]), (&json!(false), &json!(expected)), "{how}: {check}");
        let sentence = check["error"].as_str().unwrap();
        assert!(sentence.contains("AWS KMS") && sentence.contains("kms:GenerateDataKey"), "{check}");
        let detail = check["detail"].as_str();
        let names_the_key = detail.is_some_and(|d| d.contains(&kek) && d.contains("kms:GenerateDataKey"));
        assert!(names_the_key, "{check}");
        assert_eq!(code(&vault.put(SETTINGS, &body).await), (status, expected.into()), "{how}");
    }
    kms.faults(&json!([{"action": "Decrypt", "how": "other"}]));
    assert_eq!(code(&vault.put(SETTINGS, &body).await), (502, "kms_wrong_answer".into()));
    kms.faults(&json!([]));
    assert_eq!(vault.get(SETTINGS).await, before);
    assert_eq!(checked(Some(&body)).await, json!([{"provider": "aws", "ok": true}]));
}

/// A key's data key stays wrapped by the key that wrapped it, whatever is set later: so that must stay within reach.
#[tokio::test]
async fn settings_may_change_their_key_while_the_old_one_is_within_reach() {
    let kms = LocalKms::start();
    let (vault, old) = kms.vault().await;
    let key = vault.post("/v1/hybrid-keys", json!({"name": "old", "kekProvider": "aws-kms"})).await;
    let id = key["id"].as_str().unwrap();
    let body = json!({"aws": {"keyArn": kms.make_kek().await, "roleArn": ROLE}});
    let client = kms.client();
    client.disable_key().key_id(&old).send().await.unwrap();
    assert_eq!(code(&vault.put(SETTINGS, &body).await), (502, "kms_denied".into()));
    client.enable_key().key_id(&old).send().await.unwrap();
    let (status, answer) = vault.put(SETTINGS, &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(vault.sign(id).await.0, 200, "by the key that wrapped it");
    let client = kms.client();
    client.disable_key().key_id(body["aws"]["keyArn"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(vault.sign(id).await.0, 200, "the new one has no part in it");
}

/// A vault that is declared to serve one organisation, and has two.
#[tokio::test]
async fn no_organisation_shares_the_vaults_own_identity_with_another() {
    let kms = LocalKms::start();
    let own = Arc::new(AwsCloud::new(&kms.config(), OwnIdentity::SingleOrganisation));
    let vault = Vault::new().await.with_custody(|custody| custody.clouds.push(own));
    let kek = kms.make_kek().await;
    let (status, body) = vault.put(SETTINGS, &json!({"aws": {"keyArn": kek}})).await;
    assert_eq!((status, &body["field"]), (400, &json!("aws.roleArn")), "{body}");
    assert_eq!(vault.get(SETTINGS).await, json!(null));
    let external_id = vault.get("/v1/whoami").await["externalId"].clone();
    kms.trust(ROLE, external_id.as_str());
    let elsewhere = ROLE.replace("arn:aws:", "arn:aws-cn:");
    for (role, expected) in [(elsewhere.as_str(), 400), (ROLE, 200)] {
        let (status, body) = vault.put(SETTINGS, &json!({"aws": {"keyArn": kek, "roleArn": role}})).await;
        assert_eq!(status, expected, "{body}");
    }
}

/// The policy of a half names the role that it was made by: another role of the account may see it and not sign with it.
#[tokio::test]
async fn a_role_that_could_not_sign_with_the_halves_that_exist_is_not_saved() {
    let kms = LocalKms::start();
    let (vault, kek) = kms.vault().await;
    let external_id = vault.get("/v1/whoami").await["externalId"].clone();
    let another = "arn:aws:iam::123456789012:role/another";
    kms.trust(another, external_id.as_str());
    let body = json!({"aws": {"keyArn": kek, "roleArn": another}});
    assert_eq!(vault.put(SETTINGS, &body).await.0, 200, "there is no half yet");
    let back = json!({"aws": {"keyArn": kek, "roleArn": ROLE}});
    assert_eq!(vault.put(SETTINGS, &back).await.0, 200);
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "pqProvider": "aws-kms"})).await;
    assert_eq!(code(&vault.put(SETTINGS, &body).await), (502, "kms_denied".into()));
    assert_eq!(vault.sign(key["id"].as_str().unwrap()).await.0, 200);
}

/// What is still to be cleaned up is cleaned up by the settings that it was made under.
#[tokio::test]
async fn an_account_is_entered_otherwise_only_once_nothing_is_pending_there() {
    let kms = LocalKms::start();
    let (vault, kek) = kms.vault().await;
    let external_id = vault.get("/v1/whoami").await["externalId"].clone();
    let another = "arn:aws:iam::123456789012:role/another";
    kms.trust(another, external_id.as_str());
    let body = json!({"aws": {"keyArn": kek, "roleArn": another}});
    // A creation that was refused leaves nothing behind, and so is in nobody's way.
    for (action, kek) in [("CreateKey", "env"), ("GenerateDataKey", "aws-kms")] {
        kms.faults(&json!([{"action": action, "how": "denied"}]));
        let classical = if kek == "env" { "aws-kms" } else { "postq-managed" };
        let create = json!({"name": "k", "kekProvider": kek, "keyProvider": classical});
        assert_eq!(code(&vault.call("/v1/hybrid-keys", Some(&create)).await), (502, "kms_denied".into()));
    }
    kms.faults(&json!([]));
    assert_eq!(vault.store.intents(10).await.unwrap(), []);
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "pqProvider": "aws-kms"})).await;
    vault.revoke(key["id"].as_str().unwrap()).await;
    assert_eq!(code(&vault.put(SETTINGS, &body).await), (409, "settings_in_use".into()));
    let now = vault::Timestamp::now();
    let request = vault::ops::reconcile_keys::Request { now, survey: false, give_up: None };
    let ports = server::reconcile_ports(&vault.store, &vault.custody);
    vault::ops::reconcile_keys::reconcile_keys(&ports, request).await.unwrap();
    assert_eq!(vault.put(SETTINGS, &body).await.0, 200);
}

#[tokio::test]
async fn settings_are_their_organisations_own() {
    let kms = LocalKms::start();
    let (vault, kek) = kms.vault().await;
    let (status, other) = vault.call_as(&vault.other_token, SETTINGS, None).await;
    assert_eq!((status, &other["data"]), (200, &json!(null)));
    // Another organisation cannot use the role: it is under another external id.
    let body = json!({"aws": {"keyArn": kek, "roleArn": ROLE}});
    let (status, answer) = vault.call_as(&vault.other_token, TEST, Some(&body)).await;
    assert_eq!(status, 200);
    assert_eq!(answer["data"]["checks"][0]["code"], "kms_denied", "{answer}");
}
