//! Google's hosts are no customer's choice, but names, key files and answers may try to lead elsewhere. What is sent where is looked at
//! on sockets.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use custody_gcp::GcpCloud;
use outbound::Network;
use serde_json::{Value, json};

use crate::{
    emulation::{Inside, Leads, TestAssertions},
    in_process::Vault,
    local_gcp::{EMAIL, KEK, LocalGcp, PROVIDER},
};

const SETTINGS: &str = "/v1/vault/settings";

/// Names that lead, or could be read as leading, to `inside` or to another resource than they say.
fn hostile_names(inside: SocketAddr) -> Vec<String> {
    let at = inside.to_string();
    let targets =
        [at.as_str(), "169.254.169.254", "metadata.google.internal", "evil.example", "[::1]", "2130706433"];
    let shapes: [&dyn Fn(&str) -> String; 15] = [
        &|t| format!("https://{t}/{KEK}"),
        &|t| format!("http://{t}/{KEK}"),
        &|t| format!("//{t}/{KEK}"),
        &|t| format!("@{t}/{KEK}"),
        &|t| format!("{KEK}@{t}"),
        &|t| format!("{KEK}?to={t}"),
        &|t| format!("{KEK}#{t}"),
        &|t| format!("{KEK}\r\nHost: {t}"),
        &|t| format!("{KEK}:encrypt?x={t}"),
        &|t| format!("projects/{t}/locations/l/keyRings/r/cryptoKeys/k"),
        &|t| format!("projects/p/locations/{t}/keyRings/r/cryptoKeys/k"),
        &|t| format!("projects/p/locations/l/keyRings/{t}/cryptoKeys/k"),
        &|t| format!("projects/p/locations/l/keyRings/r/cryptoKeys/{t}"),
        &|t| format!("projects/p@{t}/locations/l/keyRings/r/cryptoKeys/k"),
        &|t| t.to_owned(),
    ];
    // What is one word of the right letters is a name, of which Google says that nothing is called so.
    let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mut names: Vec<String> = targets
        .iter()
        .filter(|target| !is_word(target))
        .flat_map(|target| shapes.iter().map(|shape| shape(target)))
        .collect();
    for piece in ["..", ".", "%2e%2e", "a/b", "a b", "", "k\u{e9}", "k\u{0}", "k;x", "k\\x", "*", "-", "k,k"]
    {
        names.push(format!("projects/p/locations/l/keyRings/r/cryptoKeys/{piece}x/"));
        names.push(format!("projects/p/locations/l/keyRings/{piece}/cryptoKeys/k!"));
        names.push(format!("projects/{piece}/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"));
        names.push(format!("projects/p/locations/{piece}/keyRings/r"));
    }
    names.push(format!("projects/p/locations/l/keyRings/r/cryptoKeys/{}", "k".repeat(64)));
    names.push(format!("/{KEK}"));
    names.push(format!("{KEK}/"));
    names.push(KEK.to_uppercase());
    names
}

#[tokio::test]
async fn hostile_names_accounts_and_key_files_are_refused_and_nothing_is_sent() {
    let (inside, gcp) = (Inside::listen(), LocalGcp::start());
    let leads = Leads::to(vec![inside.address()]);
    let vault = equipped(&leads).await;
    let account = |member: &str, value: &str| {
        let mut account = json!({"kekKeyName": KEK, "workloadIdentityProvider": PROVIDER});
        account[member] = json!(value);
        json!({"gcp": account})
    };
    let names = hostile_names(inside.address());
    assert!(names.len() >= 120, "{}", names.len());
    let at = inside.address();
    let providers = [
        String::new(),
        format!("//{at}/{PROVIDER}"),
        format!("https://iam.googleapis.com/{PROVIDER}"),
        format!("{PROVIDER}?x={at}"),
        format!("{PROVIDER}/../x"),
        PROVIDER.replace("123456789012", "project-by-name"),
        PROVIDER.replace("global", "eu"),
        PROVIDER.replace("postq-pool", "Pool"),
    ];
    let accounts = [
        String::new(),
        format!("x@{at}"),
        "x@evil.example".to_owned(),
        format!("{EMAIL}:generateIdToken"),
        format!("{EMAIL}/../x"),
        format!("{EMAIL}?x"),
        "x@p.iam.gserviceaccount.com.evil.example".to_owned(),
        "x y@p.iam.gserviceaccount.com".to_owned(),
    ];
    // A key file of which one member is another.
    let file: Value = serde_json::from_str(&gcp.key_file()).unwrap();
    let files = [
        ("type", json!("external_account")),
        ("type", json!("impersonated_service_account")),
        ("client_email", json!("x@evil.example")),
        ("universe_domain", json!("evil.example")),
        ("private_key", json!("-----BEGIN RSA PRIVATE KEY-----")),
        ("private_key", json!({"file": "/etc/passwd"})),
        ("private_key_id", json!("")),
        ("project_id", Value::Null),
    ]
    .map(|(member, value)| {
        let mut file = file.clone();
        file[member] = value;
        json!({"gcp": {"kekKeyName": KEK, "serviceAccountKey": file.to_string()}})
    });
    let settings = names
        .iter()
        .map(|name| (account("kekKeyName", name), "gcp.kekKeyName"))
        .chain(names.iter().map(|name| (account("keyRingName", name), "gcp.keyRingName")))
        .filter(|(settings, field)| {
            // The ring of a name is a ring's name.
            let ring = settings["gcp"]["keyRingName"].as_str().unwrap_or_default();
            *field == "gcp.kekKeyName" || vault::settings::KeyRingName::parse(ring).is_err()
        })
        .chain(
            providers
                .iter()
                .map(|name| (account("workloadIdentityProvider", name), "gcp.workloadIdentityProvider")),
        )
        .chain(accounts.iter().map(|name| (account("serviceAccountEmail", name), "gcp.serviceAccountEmail")))
        .chain(files.into_iter().map(|settings| (settings, "gcp.serviceAccountKey")))
        .chain(["", "{}", "[]", "not JSON"].map(|file| {
            (json!({"gcp": {"kekKeyName": KEK, "serviceAccountKey": file}}), "gcp.serviceAccountKey")
        }));
    let mut tried = 0;
    for (settings, field) in settings {
        for outcome in [
            vault.put(SETTINGS, &settings).await,
            vault.call("/v1/vault/settings/test", Some(&settings)).await,
        ] {
            let (status, body) = outcome;
            assert_eq!((status, &body["code"]), (400, &json!("invalid_request")), "{settings}: {body}");
            let says = body["error"].as_str().unwrap();
            assert!(says.contains(field), "{settings}: {body}");
            assert!(!says.contains("BEGIN"), "{says}");
        }
        tried += 1;
    }
    assert!(tried >= 250, "{tried}");
    assert_eq!(leads.asked(), Vec::<String>::new(), "not even a name was looked up");
    inside.assert_untouched();
    assert_eq!(vault.get(SETTINGS).await, Value::Null);
}

/// The addresses in a key file are Google's to write and anybody's to change: none of them is ever asked.
#[tokio::test]
async fn the_addresses_in_a_key_file_are_not_asked() {
    let (inside, gcp) = (Inside::listen(), LocalGcp::start());
    let cloud = gcp.cloud();
    let vault = Vault::new().await.with_custody(|custody| custody.clouds.push(cloud));
    let mut file: Value = serde_json::from_str(&gcp.key_file()).unwrap();
    let to = format!("https://{}/token", inside.address());
    for member in
        ["token_uri", "auth_uri", "auth_provider_x509_cert_url", "client_x509_cert_url", "quota_project_id"]
    {
        file[member] = json!(to);
    }
    let settings = json!({"gcp": {"kekKeyName": KEK, "serviceAccountKey": file.to_string()}});
    let (status, body) = vault.put(SETTINGS, &settings).await;
    assert_eq!(status, 200, "{body}");
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "kekProvider": "gcp-kms"})).await;
    assert_eq!(vault.sign(key["id"].as_str().unwrap()).await.0, 200);
    inside.assert_untouched();
    let looked_up = gcp.looked_up.lock().unwrap().clone();
    assert!(looked_up.iter().all(|host| host == "cloudkms.googleapis.com"), "{looked_up:?}");
}

/// Google's own names that lead inside: their answers are refused before a connection is made, for tokens as for keys.
#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed() {
    let (inside, gcp) = (Inside::listen(), LocalGcp::start());
    let mapped = SocketAddr::from((Ipv4Addr::LOCALHOST.to_ipv6_mapped(), inside.address().port()));
    let by_key = json!({"gcp": gcp.account()});
    let federated = json!({"gcp": {"kekKeyName": KEK, "workloadIdentityProvider": PROVIDER}});
    for to in [vec![inside.address()], vec![mapped], vec![inside.address(), mapped]] {
        for (settings, host) in [(&by_key, "cloudkms.googleapis.com"), (&federated, "sts.googleapis.com")] {
            let leads = Leads::to(to.clone());
            let vault = equipped(&leads).await;
            let (status, body) = vault.put(SETTINGS, settings).await;
            assert_eq!((status, &body["code"]), (503, &json!("kms_unavailable")), "{body}");
            assert!(leads.asked().iter().all(|asked| asked == host), "{:?}", leads.asked());
            assert!(!leads.asked().is_empty());
            inside.assert_untouched();
        }
    }
}

/// The same name leads to Google when settings are saved, and inside later on.
#[tokio::test]
async fn a_name_that_is_rebound_is_not_followed() {
    let (inside, gcp) = (Inside::listen(), LocalGcp::start());
    let vault = gcp.vault().await;
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "kekProvider": "gcp-kms"})).await;
    let id = key["id"].as_str().unwrap();
    assert_eq!(vault.sign(id).await.0, 200);
    let rebound = Leads::to(vec![inside.address()]);
    let cloud = GcpCloud::new(&gcp.network_by(rebound.clone()), Arc::new(TestAssertions)).unwrap();
    let vault = vault.with_custody(|custody| custody.clouds = vec![Arc::new(cloud)]);
    let (status, body) = vault.sign(id).await;
    assert_eq!((status, &body["code"]), (503, &json!("kms_unavailable")), "{body}");
    assert!(!rebound.asked().is_empty());
    inside.assert_untouched();
}

/// A service that sends on to another host is not followed there, by no status that there is for it, and no token goes along.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (inside, gcp) = (Inside::listen(), LocalGcp::start());
    let mut vault = gcp.vault().await;
    let external_id = vault.get("/v1/whoami").await["externalId"].clone();
    gcp.control(&json!({"providers": {PROVIDER: {"audience": external_id}}}));
    let impersonated = json!({"gcp": {
        "kekKeyName": KEK, "workloadIdentityProvider": PROVIDER, "serviceAccountEmail": EMAIL,
    }});
    let (status, body) = vault.put(SETTINGS, &impersonated).await;
    assert_eq!(status, 200, "{body}");
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "kekProvider": "gcp-kms"})).await;
    let id = key["id"].as_str().unwrap();
    for action in ["sts.token", "iamcredentials.generateAccessToken", "Decrypt"] {
        for status in [301, 302, 303, 307, 308] {
            let fresh = gcp.cloud();
            vault = vault.with_custody(|custody| custody.clouds = vec![fresh]);
            for scheme in ["http", "https"] {
                let to = format!("{scheme}://{}", inside.address());
                gcp.control(
                    &json!({"redirect": [status, to], "faults": [{"action": action, "how": "redirect"}]}),
                );
                let (refused, body) = vault.sign(id).await;
                assert_eq!((refused, &body["code"]), (502, &json!("kms_wrong_answer")), "{action}: {body}");
            }
        }
    }
    gcp.faults(&json!([]));
    inside.assert_untouched();
    assert_eq!(vault.sign(id).await.0, 200);
}

async fn equipped(leads: &Arc<Leads>) -> Vault {
    let network = Network::of(leads.clone(), Vec::new());
    let cloud = GcpCloud::new(&network, Arc::new(TestAssertions)).unwrap();
    Vault::new().await.with_custody(|custody| custody.clouds.push(Arc::new(cloud)))
}
