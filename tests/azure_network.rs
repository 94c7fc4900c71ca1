//! Settings name hosts, and whoever may change settings may name any. What is sent where is looked at on sockets.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use custody_azure::AzureCloud;
use outbound::Network;
use serde_json::{Value, json};
use vault::custody::NoAssertions;

use crate::{
    emulation::{Inside, Leads},
    in_process::Vault,
    local_azure::{LocalAzure, account},
};

const SETTINGS: &str = "/v1/vault/settings";

/// Addresses that lead, or could be read as leading, to `inside` or to a service of the deployment's own network.
fn hostile_urls(inside: SocketAddr) -> Vec<String> {
    let port = inside.port();
    let targets = [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f.1:{port}"),
        format!("0177.0.0.1:{port}"),
        format!("127.1:{port}"),
        format!("0.0.0.0:{port}"),
        "169.254.169.254".to_owned(),
        "[fd00:ec2::254]".to_owned(),
        "metadata.google.internal".to_owned(),
    ];
    let shapes: [&dyn Fn(&str) -> String; 25] = [
        &|t| format!("https://{t}"),
        &|t| format!("http://{t}"),
        &|t| format!("https://{t}/"),
        &|t| format!("https://{t}/customer.vault.azure.net"),
        &|t| format!("https://{t}?customer.vault.azure.net"),
        &|t| format!("https://{t}#customer.vault.azure.net"),
        &|t| format!("https://{t}#.vault.azure.net"),
        &|t| format!("https://{t}/.vault.azure.net"),
        &|t| format!("https://{t}\\.vault.azure.net"),
        &|t| format!("https://customer.vault.azure.net@{t}"),
        &|t| format!("https://customer.vault.azure.net:443@{t}"),
        &|t| format!("https://customer.vault.azure.net%40{t}"),
        &|t| format!("https://{t}@customer.vault.azure.net"),
        &|t| format!("https://customer.vault.azure.net\\@{t}"),
        &|t| format!("https://customer.vault.azure.net.{t}"),
        &|t| format!("https://{t}.vault.azure.net.evil.example"),
        &|t| format!("https://customer.vault.azure.net\r\nHost: {t}"),
        &|t| format!("https://customer.vault.azure.net\t{t}"),
        &|t| format!("https://customer.vault.azure.net/../../{t}"),
        &|t| format!("https://customer.vault.azure.net/?to={t}"),
        &|t| format!("//{t}/customer.vault.azure.net"),
        &|t| format!("https:/{t}"),
        &|t| format!("https:{t}"),
        &|t| format!(" https://{t}"),
        &|t| format!("gopher://{t}"),
    ];
    let mut urls: Vec<String> =
        targets.iter().flat_map(|target| shapes.iter().map(|shape| shape(target))).collect();
    urls.extend(
        [
            "",
            "https://",
            "https://vault.azure.net",
            "https://.vault.azure.net",
            "https://-a.vault.azure.net",
            "https://a-.vault.azure.net",
            "https://ab.vault.azure.net",
            "https://a_b.vault.azure.net",
            "https://a.b.vault.azure.net",
            "https://customer.vault.azure.net.",
            "https://customer.vault.azure.net//",
            "https://customer.vault.azure.net:443",
            "https://customer.vault.azure.net:8443",
            "https://customer.vault.azure.com",
            "https://customer.vault.azure.net.cn",
            "https://customer.vaultazure.net",
            "https://customer-vault.azure.net",
            "https://customer.blob.core.windows.net",
            "https://customer.privatelink.vaultcore.azure.net",
            "https://customer.vault.microsoftazure.de",
            "https://cust\u{f6}mer.vault.azure.net",
            "https://customer.vault.\u{430}zure.net",
            "https://customer\u{3002}vault.azure.net",
            "https://customer.vault.azure.net\u{0}",
            "https://xn--.vault.azure.net.evil",
            "http://customer.vault.azure.net",
            "ftp://customer.vault.azure.net",
            "file:///etc/passwd",
            "customer.vault.azure.net",
            "https://%63ustomer.vault.azure.net",
        ]
        .map(str::to_owned),
    );
    urls
}

/// ARNs of the same kind: a region or a partition is part of a host's name.
fn hostile_arns(inside: SocketAddr) -> Vec<String> {
    let at = format!("127.0.0.1:{}", inside.port());
    let regions =
        [&at, "eu-central-1.evil.example", "eu-central-1@evil", "eu/central", "eu-central-1#", "..", ""];
    let partitions = ["aws.evil", "aws/", &at, ""];
    let mut arns: Vec<String> =
        regions.iter().map(|region| format!("arn:aws:kms:{region}:123456789012:key/0a1b")).collect();
    arns.extend(
        partitions.iter().map(|partition| format!("arn:{partition}:kms:eu-central-1:123456789012:key/0a1b")),
    );
    arns.extend(
        ["0a1b/../..", "0a1b?x=1", "0a1b#x", "0a1b\r\nHost: x", "", "0a%2f", "a b"]
            .map(|id| format!("arn:aws:kms:eu-central-1:123456789012:key/{id}")),
    );
    arns
}

fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        ".",
        "..",
        "../secrets/x",
        "kek/../../secrets/x",
        "kek?api-version=1",
        "kek#x",
        "kek%2f..",
        "kek/0123",
        "k e k",
        "kek\r\nX: y",
        "kek\u{0}",
        "kek_1",
        "k\u{e9}k",
        "kek@evil.example",
        "//evil.example/kek",
        "https://evil.example/kek",
        "kek;x",
        "kek\\..",
        "*",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("k".repeat(128));
    names
}

#[tokio::test]
async fn hostile_addresses_names_and_arns_are_refused_and_nothing_is_sent() {
    let inside = Inside::listen();
    let leads = Leads::to(vec![inside.address()]);
    let vault = equipped(&leads).await;
    let account = |member: &str, value: &str| {
        let mut account = account();
        account[member] = json!(value);
        json!({"azure": account})
    };
    let urls = hostile_urls(inside.address());
    assert!(urls.len() >= 300, "{}", urls.len());
    let (names, arns) = (hostile_names(), hostile_arns(inside.address()));
    let settings = urls
        .iter()
        .map(|url| (account("vaultUrl", url), "azure.vaultUrl"))
        .chain(names.iter().map(|name| (account("kekName", name), "azure.kekName")))
        .chain(
            ["common", "../x", "evil.example", ""]
                .map(|tenant| (account("tenantId", tenant), "azure.tenantId")),
        )
        .chain(arns.iter().map(|arn| (json!({"aws": {"keyArn": arn}}), "aws.keyArn")));
    for (settings, field) in settings {
        for outcome in [
            vault.put(SETTINGS, &settings).await,
            vault.call("/v1/vault/settings/test", Some(&settings)).await,
        ] {
            let (status, body) = outcome;
            assert_eq!((status, &body["code"]), (400, &json!("invalid_request")), "{settings}: {body}");
            assert!(body["error"].as_str().unwrap().contains(field), "{settings}: {body}");
        }
    }
    assert_eq!(leads.asked(), Vec::<String>::new(), "not even a name was looked up");
    inside.assert_untouched();
    assert_eq!(vault.get(SETTINGS).await, Value::Null);
}

/// A name under Azure's own suffixes that leads inside: its answers are refused before a connection is made.
#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed() {
    let inside = Inside::listen();
    let mapped = SocketAddr::from((Ipv4Addr::LOCALHOST.to_ipv6_mapped(), inside.address().port()));
    for to in [vec![inside.address()], vec![mapped], vec![inside.address(), mapped]] {
        let leads = Leads::to(to);
        let vault = equipped(&leads).await;
        let (status, body) = vault.put(SETTINGS, &json!({"azure": account()})).await;
        assert_eq!((status, &body["code"]), (503, &json!("kms_unavailable")), "{body}");
        assert!(!leads.asked().is_empty());
        inside.assert_untouched();
    }
}

/// The same name leads to Azure when settings are saved, and inside later on.
#[tokio::test]
async fn a_name_that_is_rebound_is_not_followed() {
    let azure = LocalAzure::start();
    let inside = Inside::listen();
    let vault = azure.vault().await;
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "kekProvider": "azure-kv"})).await;
    let id = key["id"].as_str().unwrap();
    assert_eq!(vault.sign(id).await.0, 200);
    let rebound = Leads::to(vec![inside.address()]);
    let cloud = AzureCloud::new(&azure.network_by(rebound.clone()), Arc::new(NoAssertions)).unwrap();
    let vault = vault.with_custody(|custody| custody.clouds = vec![Arc::new(cloud)]);
    let (status, body) = vault.sign(id).await;
    assert_eq!((status, &body["code"]), (503, &json!("kms_unavailable")), "{body}");
    assert!(!rebound.asked().is_empty());
    inside.assert_untouched();
}

/// A vault that sends on to another host is not followed there, by no status that there is for it.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let azure = LocalAzure::start();
    let inside = Inside::listen();
    let vault = azure.vault().await;
    let key = vault.post("/v1/hybrid-keys", json!({"name": "k", "kekProvider": "azure-kv"})).await;
    let id = key["id"].as_str().unwrap();
    for status in [301, 302, 303, 307, 308] {
        for scheme in ["http", "https"] {
            let to = format!("{scheme}://{}", inside.address());
            azure.control(&json!({"redirect": [status, to], "faults": [{"how": "redirect"}]}));
            let (refused, body) = vault.sign(id).await;
            assert_eq!((refused, &body["code"]), (502, &json!("kms_wrong_answer")), "{body}");
        }
    }
    azure.faults(&json!([]));
    inside.assert_untouched();
    assert_eq!(vault.sign(id).await.0, 200);
}

async fn equipped(leads: &Arc<Leads>) -> Vault {
    let network = Network::of(leads.clone(), Vec::new());
    let cloud = AzureCloud::new(&network, Arc::new(NoAssertions)).unwrap();
    Vault::new().await.with_custody(|custody| custody.clouds.push(Arc::new(cloud)))
}
