//! A Google Cloud account in the settings: its key file is handed over, used, and never seen again.

use serde_json::{Value, json};

use crate::{
    clouds::{changed, code},
    emulation::{Log, assert_hidden},
    local_gcp::{EMAIL, KEK, LocalGcp, PROVIDER, RING},
};

const SETTINGS: &str = "/v1/vault/settings";
const TEST: &str = "/v1/vault/settings/test";

/// The account with a member that is another, or without it.
fn with(gcp: &LocalGcp, changes: &Value) -> Value {
    json!({"gcp": changed(gcp.account(), changes)})
}

#[tokio::test]
async fn a_key_file_is_handed_over_once_and_never_shown() {
    let gcp = LocalGcp::start();
    let vault = gcp.vault().await;
    let whoami = vault.get("/v1/whoami").await;
    let shown = vault.get(SETTINGS).await;
    assert_eq!(
        shown["gcp"],
        json!({
            "kekKeyName": KEK, "keyRingName": RING, "protectionLevel": "software", "workloadIdentityProvider": null,
            "serviceAccountEmail": EMAIL, "serviceAccountKeyConfigured": true, "externalId": whoami["externalId"],
        })
    );
    // What was read can be sent back, and the key stays.
    let again = json!({"defaultKekProvider": "gcp-kms", "gcp": shown["gcp"]});
    let (status, body) = vault.put(SETTINGS, &again).await;
    assert_eq!((status, &body["data"]["gcp"]), (200, &shown["gcp"]), "{body}");
    let key = vault.post("/v1/hybrid-keys", json!({"name": "by default"})).await;
    assert_eq!((&key["kekProvider"], &key["tier"]), (&json!("gcp-kms"), &json!(1)));
    let id = key["id"].as_str().unwrap();
    assert_eq!(vault.sign(id).await.0, 200);

    // It is used anew by every process: nothing but the stored one is there to enter by. The name of the account need not be said again.
    gcp.control(&json!({"make": [{"ring": RING, "name": "kek-2"}]}));
    let fresh = gcp.cloud();
    let vault = vault.with_custody(|custody| custody.clouds = vec![fresh]);
    let other = format!("{RING}/cryptoKeys/kek-2");
    let other_key = json!({"gcp": {"kekKeyName": other, "protectionLevel": "HSM", "keyRingName": RING}});
    let (status, body) = vault.put(SETTINGS, &other_key).await;
    assert_eq!((status, &body["data"]["gcp"]["kekKeyName"]), (200, &json!(other)), "{body}");
    assert_eq!(body["data"]["gcp"]["protectionLevel"], "hsm", "Google's own spelling is understood");
    assert_eq!(vault.sign(id).await.0, 200, "a key keeps the wrapping key that it was wrapped by");

    let (status, refused) = vault.delete(SETTINGS).await;
    assert_eq!((status, &refused["code"]), (409, &json!("settings_in_use")));
    vault.revoke(id).await;
    assert_eq!(vault.delete(SETTINGS).await.0, 200);
    let left = with(&gcp, &json!({"serviceAccountKey": null}));
    assert_eq!(
        code(&vault.put(SETTINGS, &left).await),
        (400, "invalid_request"),
        "it went with the settings"
    );

    let events = vault.events().await;
    let changes: Vec<_> =
        events.iter().filter(|event| event.event_type.name() == "vault.settings_changed").collect();
    assert_eq!(changes.len(), 4, "three savings, one clearing");
    assert_eq!(
        changes[0].data.to_canonical(),
        format!(
            r#"{{"aws":null,"defaultKekProvider":"env","gcp":{{"kekKeyName":"{KEK}","keyRingName":"{RING}","protectionLevel":"software","serviceAccountEmail":"{EMAIL}","workloadIdentityProvider":null}}}}"#
        )
    );
    assert!(events.iter().all(|event| !event.data.to_canonical().contains("PRIVATE KEY")));
}

#[tokio::test]
async fn a_stored_key_is_good_for_its_own_account_and_projects_alone() {
    let gcp = LocalGcp::start();
    let vault = gcp.vault().await;
    let elsewhere = "projects/other-project/locations/global/keyRings/r";
    gcp.control(&json!({"make": [{"ring": elsewhere, "name": "kek"}], "forgetCalls": true}));
    for change in [
        json!({"kekKeyName": format!("{elsewhere}/cryptoKeys/kek")}),
        json!({"kekKeyName": KEK, "keyRingName": elsewhere}),
        json!({"kekKeyName": KEK, "serviceAccountEmail": "other@customer-project.iam.gserviceaccount.com"}),
    ] {
        let settings = json!({"gcp": change});
        for outcome in [vault.put(SETTINGS, &settings).await, vault.call(TEST, Some(&settings)).await] {
            assert_eq!(code(&outcome), (400, "invalid_request"), "{}", outcome.1);
            let says = outcome.1["error"].as_str().unwrap();
            assert!(says.contains("gcp.serviceAccountKey"), "{says}");
        }
    }
    assert_eq!(gcp.calls(), Vec::<String>::new(), "nothing was signed with it");

    // Who can write the database cannot have it used elsewhere either: it is bound to where and as whom it is used.
    let database = vault.database();
    let stored = |column: &str, table: &str| -> Vec<u8> {
        database
            .query_row(&format!("SELECT CAST({column} AS BLOB) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    };
    let (sealed, settings) = (stored("secret", "provider_secrets"), stored("gcp", "settings"));
    assert!(!String::from_utf8_lossy(&sealed).contains("PRIVATE"));
    assert!(!String::from_utf8_lossy(&settings).contains("PRIVATE"));
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "kekProvider": "gcp-kms"})).await;
    let id = key["id"].as_str().unwrap();
    let settings = String::from_utf8(settings).unwrap();
    for changed in [
        settings.replace(RING, elsewhere),
        settings.replace(EMAIL, "other@customer-project.iam.gserviceaccount.com"),
    ] {
        assert_ne!(changed, settings);
        database.execute("UPDATE settings SET gcp = ?1", [&changed]).unwrap();
        let refused = vault.sign(id).await;
        assert_eq!(code(&refused), (500, "secret_unusable"), "{}", refused.1);
    }
    database.execute("UPDATE settings SET gcp = ?1", [&settings]).unwrap();
    assert_eq!(vault.sign(id).await.0, 200);
    let mut broken = sealed.clone();
    *broken.last_mut().unwrap() ^= 1;
    for bytes in [broken, sealed[..20].to_vec(), Vec::new()] {
        database.execute("UPDATE provider_secrets SET secret = ?1", [bytes]).unwrap();
        assert_eq!(code(&vault.sign(id).await), (500, "secret_unusable"));
    }
    // It is handed over anew, and all is well.
    assert_eq!(vault.put(SETTINGS, &json!({"gcp": gcp.account()})).await.0, 200);
    assert_eq!(vault.sign(id).await.0, 200);
}

#[tokio::test]
async fn with_federation_no_key_is_taken_and_none_is_kept() {
    let gcp = LocalGcp::start();
    let vault = gcp.vault().await;
    let whoami = vault.get("/v1/whoami").await;
    let both = vault.put(SETTINGS, &with(&gcp, &json!({"workloadIdentityProvider": PROVIDER}))).await;
    assert_eq!(code(&both), (400, "invalid_request"), "{}", both.1);
    let federated = |email: Option<&str>| {
        let provider = format!("//iam.googleapis.com/{PROVIDER}");
        let account =
            json!({"kekKeyName": KEK, "workloadIdentityProvider": provider, "serviceAccountEmail": email});
        json!({"gcp": account})
    };
    let refused = vault.put(SETTINGS, &federated(None)).await;
    assert_eq!(code(&refused), (502, "kms_denied"), "there is no such provider: {}", refused.1);
    gcp.control(&json!({"providers": {PROVIDER: {"audience": whoami["externalId"]}}}));
    for email in [None, Some(EMAIL)] {
        let (status, body) = vault.put(SETTINGS, &federated(email)).await;
        let shown = &body["data"]["gcp"];
        assert_eq!((status, &shown["serviceAccountKeyConfigured"]), (200, &json!(false)), "{body}");
        assert_eq!(
            (&shown["workloadIdentityProvider"], &shown["serviceAccountEmail"]),
            (&json!(PROVIDER), &json!(email))
        );
        let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "kekProvider": "gcp-kms"})).await;
        assert_eq!(vault.sign(key["id"].as_str().unwrap()).await.0, 200);
        let calls = gcp.state()["calls"].as_array().unwrap().clone();
        let signed_as = &calls.iter().rev().find(|call| call["action"] == "Decrypt").unwrap()["as"];
        assert_eq!(signed_as, email.unwrap_or(PROVIDER));
    }
    let database = vault.database();
    let kept: u32 =
        database.query_row("SELECT count(*) FROM provider_secrets", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 0);
    // Back again it is asked for.
    let back = with(&gcp, &json!({"serviceAccountKey": null, "serviceAccountEmail": EMAIL}));
    assert_eq!(code(&vault.put(SETTINGS, &back).await), (400, "invalid_request"));
    // A provider that takes any assertion would take that of any other organisation here.
    gcp.control(&json!({"providers": {PROVIDER: {"audience": null}}}));
    assert_eq!(code(&vault.put(SETTINGS, &federated(None)).await), (422, "role_open"));
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_told_by_its_field_and_nothing_is_saved() {
    let gcp = LocalGcp::start();
    let vault = gcp.vault().await;
    let before = vault.get(SETTINGS).await;
    gcp.control(&json!({"forgetCalls": true}));
    let long = "x".repeat(17 * 1024);
    for (change, field) in [
        (json!({"kekKeyName": null}), "kekKeyName"),
        (json!({"kekKeyName": "kek"}), "gcp.kekKeyName"),
        (json!({"kekKeyName": format!("{KEK}/cryptoKeyVersions/1")}), "gcp.kekKeyName"),
        (json!({"keyRingName": KEK}), "gcp.keyRingName"),
        (json!({"protectionLevel": "external"}), "protectionLevel"),
        (json!({"serviceAccountEmail": "me@example.com"}), "gcp.serviceAccountEmail"),
        (json!({"serviceAccountEmail": "other@p.iam.gserviceaccount.com"}), "gcp.serviceAccountEmail"),
        (json!({"serviceAccountKey": ""}), "gcp.serviceAccountKey"),
        (json!({"serviceAccountKey": "two words"}), "gcp.serviceAccountKey"),
        (json!({"serviceAccountKey": long}), "gcp.serviceAccountKey"),
        (json!({"serviceAccountKey": {"type": "service_account"}}), "serviceAccountKey"),
        (
            json!({"serviceAccountKey": null, "workloadIdentityProvider": "pool"}),
            "gcp.workloadIdentityProvider",
        ),
        (json!({"externalId": "chosen"}), "gcp.externalId"),
        (json!({"surplus": 1}), "surplus"),
    ] {
        let refused = vault.put(SETTINGS, &with(&gcp, &change)).await;
        assert_eq!(code(&refused), (400, "invalid_request"), "{change}: {}", refused.1);
        let says = refused.1["error"].as_str().unwrap();
        assert!(says.contains(field), "{says}");
        assert!(!says.contains("two words") && !says.contains(&long) && !says.contains("PRIVATE"), "{says}");
    }
    assert_eq!(gcp.calls(), Vec::<String>::new());
    // What can be said only by trying.
    let unknown = {
        let mut file: Value = serde_json::from_str(&gcp.key_file()).unwrap();
        file["private_key_id"] = json!("0123");
        file.to_string()
    };
    for (change, expected) in [
        (json!({"kekKeyName": format!("{RING}/cryptoKeys/missing")}), (502, "kms_denied")),
        (json!({"serviceAccountKey": unknown}), (502, "kms_denied")),
    ] {
        let refused = vault.put(SETTINGS, &with(&gcp, &change)).await;
        assert_eq!(code(&refused), expected, "{}", refused.1);
        let tried = vault.call(TEST, Some(&with(&gcp, &change))).await;
        assert_eq!(tried.0, 200);
        let check = &tried.1["data"]["checks"][0];
        assert_eq!((&check["ok"], &check["code"]), (&json!(false), &json!(expected.1)), "{}", tried.1);
    }
    let refused = vault.put(SETTINGS, &json!({"defaultKekProvider": "gcp-kms"})).await;
    assert_eq!(code(&refused), (400, "invalid_request"));
    assert_eq!(vault.get(SETTINGS).await, before);
    assert_eq!(vault.call(TEST, Some(&with(&gcp, &json!({})))).await.1["data"]["checks"][0]["ok"], true);
    assert_eq!(vault.get(SETTINGS).await, before, "trying saves nothing");
}

/// Neither the key, nor a token that it signed or that an assertion was exchanged for, is in a line of the log or in an answer: while all
/// goes well, while the account is refused, and while Google Cloud fails.
#[tokio::test]
async fn no_secret_of_an_account_reaches_a_log_or_an_answer() {
    let log = Log::listen();
    let gcp = LocalGcp::start();
    let mut vault = gcp.vault().await;
    let external_id = vault.get("/v1/whoami").await["externalId"].clone();
    gcp.control(&json!({"providers": {PROVIDER: {"audience": external_id}}}));
    let by_key = json!({"gcp": gcp.account()});
    let impersonated = json!({"gcp": {
        "kekKeyName": KEK, "workloadIdentityProvider": PROVIDER, "serviceAccountEmail": EMAIL,
    }});
    let mut answers = Vec::new();
    for settings in [&by_key, &impersonated] {
        answers.push(vault.put(SETTINGS, settings).await.1.to_string());
        let request = json!({"name": "k", "kekProvider": "gcp-kms", "keyProvider": "gcp-kms"});
        let key = vault.post("/v1/hybrid-keys", request).await;
        let id = key["id"].as_str().unwrap();
        answers.extend([
            key.to_string(),
            vault.sign(id).await.1.to_string(),
            vault.get(SETTINGS).await.to_string(),
        ]);
        for how in ["denied", "rejected", "internal", "garbage", "redirect", "dropped", "other", "crc"] {
            gcp.control(&json!({"forgetTokens": true, "faults": [{"how": how}]}));
            let fresh = gcp.cloud();
            vault = vault.with_custody(|custody| custody.clouds = vec![fresh]);
            answers.push(vault.sign(id).await.1.to_string());
            for outcome in [vault.put(SETTINGS, settings).await, vault.call(TEST, Some(settings)).await] {
                answers.push(outcome.1.to_string());
            }
        }
        gcp.faults(&json!([]));
    }
    let state = gcp.state();
    let tokens = state["issued"].as_array().unwrap().iter().map(|token| token.as_str().unwrap());
    let file: Value = serde_json::from_str(&gcp.key_file()).unwrap();
    // Every line of the key is a canary.
    let lines: Vec<_> =
        file["private_key"].as_str().unwrap().lines().filter(|line| line.len() == 64).collect();
    assert!(lines.len() > 20 && state["issued"].as_array().unwrap().len() > 4);
    let log = log.told();
    assert!(log.contains("cloudkms.googleapis.com"), "the calls were logged");
    assert_hidden(tokens.chain(lines), &log, &answers);
}
