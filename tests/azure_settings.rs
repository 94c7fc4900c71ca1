//! An Azure account in the settings: its secret is handed over, used, and never seen again.

use serde_json::{Value, json};

use crate::{
    clouds::{changed, code},
    emulation::{Log, assert_hidden},
    local_azure::{CLIENT, LocalAzure, SECRET, TENANT, VAULT, account},
};

const SETTINGS: &str = "/v1/vault/settings";
const TEST: &str = "/v1/vault/settings/test";

/// What no answer, event, row or line of a log may have of it, however it was encoded.
const CANARY: &str = "canary-of-a-client-secret";

/// The account with a member that is another, or without it.
fn with(changes: &Value) -> Value {
    json!({"azure": changed(account(), changes)})
}

#[tokio::test]
async fn a_secret_is_handed_over_once_and_never_shown() {
    let azure = LocalAzure::start();
    let vault = azure.vault().await;
    let whoami = vault.get("/v1/whoami").await;
    let shown = vault.get(SETTINGS).await;
    assert_eq!(
        shown["azure"],
        json!({
            "vaultUrl": VAULT, "kekName": "kek", "tenantId": TENANT, "clientId": CLIENT, "auth": "client-secret",
            "clientSecretConfigured": true, "externalId": whoami["externalId"],
        })
    );
    // What was read can be sent back, and the secret stays; older names and other spellings are understood.
    let again = json!({"defaultKekProvider": "azure-kv", "azure": shown["azure"]});
    let (status, body) = vault.put(SETTINGS, &again).await;
    assert_eq!((status, &body["data"]["azure"]), (200, &shown["azure"]), "{body}");
    let key = vault.post("/v1/hybrid-keys", json!({"name": "by default"})).await;
    assert_eq!((&key["kekProvider"], &key["tier"]), (&json!("azure-kv"), &json!(1)));
    let id = key["id"].as_str().unwrap();
    assert_eq!(vault.sign(id).await.0, 200);

    // It is used anew by every process: nothing but the stored one is there to enter by.
    azure.control(
        &json!({"forgetTokens": true, "make": [{"host": "customer.vault.azure.net", "name": "kek-2"}]}),
    );
    let fresh = azure.cloud();
    let vault = vault.with_custody(|custody| custody.clouds = vec![fresh]);
    let other_key = with(
        &json!({"kekName": null, "keyName": "kek-2", "clientSecret": null, "vaultUrl": format!("{VAULT}/").to_uppercase().replace("HTTPS", "https")}),
    );
    let (status, body) = vault.put(SETTINGS, &other_key).await;
    assert_eq!((status, &body["data"]["azure"]["kekName"]), (200, &json!("kek-2")), "{body}");
    assert_eq!(body["data"]["azure"]["vaultUrl"], VAULT);
    assert_eq!(vault.sign(id).await.0, 200, "a key keeps the wrapping key that it was wrapped by");

    let (status, refused) = vault.delete(SETTINGS).await;
    assert_eq!((status, &refused["code"]), (409, &json!("settings_in_use")));
    vault.revoke(id).await;
    assert_eq!(vault.delete(SETTINGS).await.0, 200);
    let left = json!({"azure": with(&json!({"clientSecret": null}))["azure"]});
    assert_eq!(vault.put(SETTINGS, &left).await.0, 400, "it went with the settings");

    let events = vault.events().await;
    let changes: Vec<_> =
        events.iter().filter(|event| event.event_type.name() == "vault.settings_changed").collect();
    assert_eq!(changes.len(), 4, "three savings, one clearing");
    assert_eq!(
        changes[0].data.to_canonical(),
        format!(
            r#"{{"aws":null,"azure":{{"auth":"client-secret","clientId":"{CLIENT}","kekName":"kek","tenantId":"{TENANT}","vaultUrl":"{VAULT}"}},"defaultKekProvider":"env"}}"#
        )
    );
    assert!(events.iter().all(|event| !event.data.to_canonical().contains(CANARY)));
}

#[tokio::test]
async fn a_stored_secret_is_good_for_its_own_vault_tenant_and_application_alone() {
    let azure = LocalAzure::start();
    let vault = azure.vault().await;
    let other = "00000000-1111-2222-3333-444444444444";
    azure.control(&json!({"make": [{"host": "other.vault.azure.net", "name": "kek"}], "forgetCalls": true}));
    for elsewhere in [
        json!({"vaultUrl": "https://other.vault.azure.net", "clientSecret": null}),
        json!({"tenantId": other, "clientSecret": null}),
        json!({"clientId": other, "clientSecret": null}),
    ] {
        for outcome in
            [vault.put(SETTINGS, &with(&elsewhere)).await, vault.call(TEST, Some(&with(&elsewhere))).await]
        {
            assert_eq!(code(&outcome), (400, "invalid_request"), "{}", outcome.1);
            let says = outcome.1["error"].as_str().unwrap();
            assert!(says.contains("azure.clientSecret"), "{says}");
        }
    }
    assert_eq!(azure.calls(), Vec::<String>::new(), "it was sent nowhere");

    // Who can write the database cannot have it sent elsewhere either: it is bound to where and as whom it is used.
    let database = vault.database();
    let stored = |column: &str, table: &str| -> Vec<u8> {
        database
            .query_row(&format!("SELECT CAST({column} AS BLOB) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    };
    let (sealed, settings) = (stored("secret", "provider_secrets"), stored("azure", "settings"));
    assert!(!String::from_utf8_lossy(&sealed).contains(CANARY));
    assert!(!String::from_utf8_lossy(&settings).contains(CANARY));
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "kekProvider": "azure-kv"})).await;
    let id = key["id"].as_str().unwrap();
    let redirected = String::from_utf8(settings).unwrap().replace("customer.vault", "other.vault");
    database.execute("UPDATE settings SET azure = ?1", [&redirected]).unwrap();
    let calls = azure.calls().len();
    let refused = vault.sign(id).await;
    assert_eq!(code(&refused), (500, "secret_unusable"), "{}", refused.1);
    database
        .execute("UPDATE settings SET azure = ?1", [redirected.replace("other.vault", "customer.vault")])
        .unwrap();
    assert_eq!(vault.sign(id).await.0, 200);
    let mut broken = sealed.clone();
    *broken.last_mut().unwrap() ^= 1;
    for bytes in [broken, sealed[..20].to_vec(), Vec::new()] {
        database.execute("UPDATE provider_secrets SET secret = ?1", [bytes]).unwrap();
        assert_eq!(code(&vault.sign(id).await), (500, "secret_unusable"));
    }
    assert!(azure.calls().len() >= calls);
    // It is handed over anew, and all is well.
    assert_eq!(vault.put(SETTINGS, &json!({"azure": account()})).await.0, 200);
    assert_eq!(vault.sign(id).await.0, 200);
}

#[tokio::test]
async fn with_federation_no_secret_is_taken_and_none_is_kept() {
    let azure = LocalAzure::start();
    let vault = azure.vault().await;
    let whoami = vault.get("/v1/whoami").await;
    let both = vault.put(SETTINGS, &with(&json!({"auth": "federated"}))).await;
    assert_eq!(code(&both), (400, "invalid_request"), "{}", both.1);
    let federated = with(&json!({"auth": "federated", "clientSecret": null}));
    assert_eq!(
        code(&vault.put(SETTINGS, &federated).await),
        (502, "kms_denied"),
        "the application expects none"
    );
    azure.control(&json!({"apps": {TENANT: {CLIENT: {"audience": whoami["externalId"], "secret": SECRET}}}}));
    let (status, body) = vault.put(SETTINGS, &federated).await;
    assert_eq!((status, &body["data"]["azure"]["clientSecretConfigured"]), (200, &json!(false)), "{body}");
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "kekProvider": "azure-kv"})).await;
    assert_eq!(vault.sign(key["id"].as_str().unwrap()).await.0, 200);
    let database = vault.database();
    let kept: u32 =
        database.query_row("SELECT count(*) FROM provider_secrets", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 0);
    // Back again it is asked for.
    assert_eq!(
        code(&vault.put(SETTINGS, &with(&json!({"clientSecret": null}))).await),
        (400, "invalid_request")
    );
    // An application that takes any assertion would take that of any other organisation here.
    azure.control(&json!({"apps": {TENANT: {CLIENT: {"audience": "*"}}}}));
    assert_eq!(code(&vault.put(SETTINGS, &federated).await), (422, "role_open"));
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_told_by_its_field_and_nothing_is_saved() {
    let azure = LocalAzure::start();
    let vault = azure.vault().await;
    let before = vault.get(SETTINGS).await;
    azure.control(&json!({"forgetCalls": true}));
    let long = "x".repeat(1025);
    for (change, field) in [
        (json!({"vaultUrl": null}), "vaultUrl"),
        (json!({"vaultUrl": "customer"}), "azure.vaultUrl"),
        (json!({"vaultUrl": "https://customer.vault.azure.net.evil.example"}), "azure.vaultUrl"),
        (json!({"kekName": null}), "kekName"),
        (json!({"kekName": "a/b"}), "azure.kekName"),
        (json!({"tenantId": "common"}), "azure.tenantId"),
        (json!({"clientId": "me"}), "azure.clientId"),
        (json!({"clientSecret": ""}), "azure.clientSecret"),
        (json!({"clientSecret": "two words"}), "azure.clientSecret"),
        (json!({"clientSecret": long}), "azure.clientSecret"),
        (json!({"auth": "password"}), "auth"),
        (json!({"externalId": "chosen"}), "azure.externalId"),
        (json!({"surplus": 1}), "surplus"),
    ] {
        let refused = vault.put(SETTINGS, &with(&change)).await;
        assert_eq!(code(&refused), (400, "invalid_request"), "{change}: {}", refused.1);
        let says = refused.1["error"].as_str().unwrap();
        assert!(says.contains(field), "{says}");
        assert!(!says.contains("two words") && !says.contains(&long) && !says.contains(CANARY), "{says}");
    }
    assert_eq!(azure.calls(), Vec::<String>::new());
    // What can be said only by trying.
    for (change, expected) in [
        (json!({"kekName": "missing"}), (502, "kms_denied")),
        (json!({"clientSecret": "another"}), (502, "kms_denied")),
    ] {
        let refused = vault.put(SETTINGS, &with(&change)).await;
        assert_eq!(code(&refused), expected, "{}", refused.1);
        let tried = vault.call(TEST, Some(&with(&change))).await;
        assert_eq!(tried.0, 200);
        let check = &tried.1["data"]["checks"][0];
        assert_eq!((&check["ok"], &check["code"]), (&json!(false), &json!(expected.1)), "{}", tried.1);
    }
    let refused = vault.put(SETTINGS, &json!({"defaultKekProvider": "azure-kv"})).await;
    assert_eq!(code(&refused), (400, "invalid_request"));
    assert_eq!(vault.get(SETTINGS).await, before);
    assert_eq!(vault.call(TEST, Some(&with(&json!({})))).await.1["data"]["checks"][0]["ok"], true);
    assert_eq!(vault.get(SETTINGS).await, before, "trying saves nothing");
}

/// Neither the secret, nor a token that it was exchanged for, is in a line of the log or in an answer: while all goes well, while the
/// application is refused, and while the vault is.
#[tokio::test]
async fn no_secret_of_an_account_reaches_a_log_or_an_answer() {
    let log = Log::listen();
    let azure = LocalAzure::start();
    let mut vault = azure.vault().await;
    let request = json!({"name": "k", "algorithm": "mldsa44+ecdsa-p256", "kekProvider": "azure-kv", "keyProvider": "azure-kv"});
    let key = vault.post("/v1/hybrid-keys", request).await;
    let id = key["id"].as_str().unwrap();
    let mut answers =
        vec![key.to_string(), vault.sign(id).await.1.to_string(), vault.get(SETTINGS).await.to_string()];
    let wrong = with(&json!({"clientSecret": format!("{SECRET}-but-wrong")}));
    for outcome in [vault.put(SETTINGS, &wrong).await, vault.call(TEST, Some(&wrong)).await] {
        answers.push(outcome.1.to_string());
    }
    for how in ["denied", "internal", "garbage", "redirect", "dropped"] {
        azure.control(&json!({"forgetTokens": true, "faults": [{"how": how}]}));
        let fresh = azure.cloud();
        vault = vault.with_custody(|custody| custody.clouds = vec![fresh]);
        answers.push(vault.sign(id).await.1.to_string());
    }
    let tokens: Vec<String> = azure.state()["issued"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token.as_str().unwrap().to_owned())
        .collect();
    let log = log.told();
    assert!(log.contains("customer.vault.azure.net"), "the calls were logged");
    assert!(!tokens.is_empty());
    assert_hidden(tokens.iter().map(String::as_str).chain([CANARY]), &log, &answers);
}
