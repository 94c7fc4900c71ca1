//! What each operation does to which table and which keys: observed, and held against docs/aws-permissions.json, from which roles
//! are made, and the table in docs/aws.md. `POSTQ_WRITE_SNAPSHOTS=1` writes both anew.
//!
//! Keys are `signing-kek`, under which the vault's own key-encryption key lies wrapped, and `customer-keys`, which are reached by
//! assuming one of the `customer-roles`. `seal-ledger` is the Lambda.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use vault::{
    caller::Environment,
    custody::CloudName,
    id::OrgId,
    ops::{create_org, reconcile_keys, recover, rewrap, rotate_due_keys, rotate_ledger_key, seal_ledger},
    store::Intent,
};

use crate::{
    local_azure::account,
    local_kms::ROLE,
    python::root,
    watched::{Permissions, Watched, watch},
};

async fn observed() -> Permissions {
    let mut w = watch().await;
    let ports = create_org::Ports { custody: w.custody(), writes: w.store() };
    let request = create_org::Request { name: "org".into(), environment: Environment::Live, token: None };
    let made = create_org::create_org(&ports, request).await.unwrap();
    w.token = made.token.expose().to_owned();
    w.note("create-org");

    let steady = w.call("create-key", "POST", "/v1/hybrid-keys", json!({"name": "steady"})).await;
    w.steady = steady["id"].as_str().unwrap().to_owned();
    let key =
        w.call("create-key", "POST", "/v1/hybrid-keys", json!({"name": "k", "allowFollow": true})).await;
    let id = key["id"].as_str().unwrap().to_owned();
    let unknown = "key_01h00000000000000000000000";
    w.refused("create-key", "/v1/hybrid-keys", json!({"name": ""})).await;
    let signed = w.call("sign", "POST", "/v1/sign", json!({"keyId": id, "payload": "aGVsbG8="})).await;
    w.refused("sign", "/v1/sign", json!({"keyId": unknown, "payload": ""})).await;
    let check = |key: &str| json!({"keyId": key, "payload": "aGVsbG8=", "signature": signed["signature"]});
    w.call("verify", "POST", "/v1/verify", check(&id)).await;
    w.refused("verify", "/v1/verify", check(unknown)).await;
    w.call("whoami", "GET", "/v1/whoami", Value::Null).await;
    w.call("health", "GET", "/v1/health", Value::Null).await;
    w.call("list-keys", "GET", "/v1/hybrid-keys", Value::Null).await;
    w.call("get-key", "GET", &format!("/v1/hybrid-keys/{id}"), Value::Null).await;
    w.call("public-key", "GET", &format!("/v1/hybrid-keys/{id}/public-key"), Value::Null).await;
    w.call_stirred("key-audit", "GET", &format!("/v1/hybrid-keys/{id}/audit"), Value::Null).await;
    let event = signed["eventId"].as_str().unwrap();
    w.call_stirred("receipt", "GET", &format!("/v1/receipts/{event}"), Value::Null).await;
    let rotate = format!("/v1/hybrid-keys/{id}/rotate");
    let next = w.call("rotate-key", "POST", &rotate, json!({})).await;
    let next = next["id"].as_str().unwrap().to_owned();
    w.refused("rotate-key", &rotate, json!({})).await;
    let followed = json!({"keyId": id, "payload": "", "followSuccessor": true});
    w.call("sign", "POST", "/v1/sign", followed).await;
    w.call_stirred("key-lineage", "GET", &format!("/v1/hybrid-keys/{id}/lineage"), Value::Null).await;
    w.call("api-tokens", "GET", "/v1/api-tokens", Value::Null).await;
    let confined = |key: &str| json!({"name": "t", "scopes": ["sign"], "keyIds": [key]});
    let token = w.call("api-tokens", "POST", "/v1/api-tokens", confined(&next)).await;
    w.refused("api-tokens", "/v1/api-tokens", confined(unknown)).await;
    let path = format!("/v1/api-tokens/{}", token["id"].as_str().unwrap());
    w.call("api-tokens", "DELETE", &path, Value::Null).await;
    of_policies(&mut w, &next).await;
    w.call_stirred("usage", "GET", "/v1/usage", Value::Null).await;
    w.call_stirred("append-ledger", "POST", "/v1/ledger/entries", json!({"name": "n"})).await;
    w.refused("append-ledger", "/v1/ledger/entries", json!({"name": ""})).await;
    for path in
        ["entries", "entries?eventType=key.created", "checkpoints", "consistency?from=1&to=2", "bundle"]
    {
        w.call_stirred("read-ledger", "GET", &format!("/v1/ledger/{path}"), Value::Null).await;
    }
    let newest =
        w.call_stirred("append-ledger", "POST", "/v1/ledger/entries", json!({"name": "newest"})).await;
    let path = format!("/v1/ledger/proof/{}", newest["id"].as_str().unwrap());
    w.call_stirred("read-ledger", "GET", &path, Value::Null).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    w.call_stirred("seal-ledger", "POST", "/v1/ledger/seal", json!({})).await;
    w.stir().await;
    seal_ledger::seal_all(&server::seal_ports(&w.store(), &w.custody())).await.unwrap();
    w.note("seal-ledger");

    let store = w.store();
    let ports = rotate_ledger_key::Ports {
        orgs: store.clone(),
        keys: store.clone(),
        sealed: store.clone(),
        custody: w.custody(),
        writes: store,
    };
    rotate_ledger_key::rotate_ledger_key(&ports, &made.org).await.unwrap();
    w.note("rotate-ledger-key");
    // Evidence then tells of the line of ledger keys as well.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    w.stir().await;
    seal_ledger::seal_all(&server::seal_ports(&w.store(), &w.custody())).await.unwrap();
    w.note("seal-ledger");
    w.call_stirred("read-ledger", "GET", "/v1/ledger/bundle", Value::Null).await;
    w.call_stirred("read-ledger", "GET", "/v1/ledger/bundle?since=1&limit=3", Value::Null).await;
    w.call_stirred("receipt", "GET", &format!("/v1/receipts/{event}"), Value::Null).await;
    w.call_stirred("key-lineage", "GET", &format!("/v1/hybrid-keys/{id}/lineage"), Value::Null).await;
    w.stir().await;
    w.store().waiting(10).await.unwrap();
    server::sequencer(&w.store()).sequence(&made.org).await.unwrap();
    w.note("sequence-events");

    let kept = in_clouds(&mut w, &made.org).await;
    let rewrap = rewrap::Ports { custody: w.custody(), rows: w.store() };
    let key = w.store().key(&made.org, &next.parse().unwrap()).await.unwrap().unwrap();
    w.recorder.take();
    w.store().rewrap(&key, &key).await.unwrap();
    rewrap::rewrap(&rewrap).await.unwrap();
    w.note("rewrap-keys");

    w.call("revoke-key", "DELETE", &format!("/v1/hybrid-keys/{next}"), Value::Null).await;
    w.refused("sign", "/v1/sign", json!({"keyId": next, "payload": ""})).await;
    w.call("verify", "POST", "/v1/verify", check(&next)).await;
    withhold(&w, &made.org, &next).await;
    w.note("sign");
    give_up(&w, &made.org).await;
    w.note("seal-ledger");

    // A key of which the restored table has forgotten that it was revoked.
    let remembered = [
        ("pk", format!("{}#{kept}", made.org)),
        ("sk", "-".to_owned()),
        ("org", made.org.to_string()),
        ("key_id", kept),
        ("fingerprint", String::new()),
    ];
    let remembered = remembered.map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
    let client = w.local.client();
    let put = client.put_item().table_name("vault-tombstones").set_item(Some(remembered.into()));
    put.item("revoked_at", AttributeValue::N("1".into())).send().await.unwrap();
    client.delete_table().table_name("vault-successions").send().await.unwrap();
    w.local.store("vault-").await;
    let ports = recover::Ports { recovery: w.store() };
    let done = recover::recover(&ports, recover::Request::default()).await.unwrap();
    assert_eq!(done.revoked_again.len(), 1);
    w.note("recover");
    w.seen.insert("not-found".to_owned(), BTreeMap::new());
    w.seen
}

/// What policies add to it: those that refuse, and those that only write.
async fn of_policies(w: &mut Watched, key: &str) {
    let path = "/v1/policies";
    let rule = json!({"matchOperation": "*", "minTier": 1});
    let made =
        w.call("policies", "POST", path, json!({"name": "p", "action": "enforce", "rule": rule})).await;
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    w.call("policies", "GET", path, Value::Null).await;
    w.call("policies", "GET", &one, Value::Null).await;
    w.call("policies", "GET", &format!("{path}/offered"), Value::Null).await;
    w.refused("policies", path, json!({"name": "", "action": "enforce", "rule": rule})).await;
    w.refused("sign", "/v1/sign", json!({"keyId": key, "payload": ""})).await;
    w.refused("verify", "/v1/verify", json!({"keyId": key, "payload": "", "signature": ""})).await;
    w.refused("create-key", "/v1/hybrid-keys", json!({"name": "n"})).await;
    w.refused("rotate-key", &format!("/v1/hybrid-keys/{key}/rotate"), json!({})).await;
    let due = json!({"name": "due", "allowFollow": true, "rotateAfterDays": 1});
    w.call("policies", "PATCH", &one, json!({"action": "audit"})).await;
    w.call("create-key", "POST", "/v1/hybrid-keys", due).await;
    w.call("policies", "PATCH", &one, json!({"action": "enforce"})).await;
    rotate_due(w, 1, (0, 1)).await;
    w.call("policies", "DELETE", &one, Value::Null).await;
    rotate_due(w, 1, (1, 0)).await;
}

/// What the schedule does so many days later, and how many keys it then rotates and cannot rotate.
async fn rotate_due(w: &mut Watched, days: u32, (rotated, failed): (usize, usize)) {
    let ports = server::rotate_due_ports(&w.store(), &w.custody());
    let now = vault::Timestamp::now().days_after(days);
    let done = rotate_due_keys::rotate_due_keys(&ports, now).await.unwrap();
    assert_eq!((done.rotated.len(), done.failed.len()), (rotated, failed), "{done:?}");
    w.note("rotate-due-keys");
}

/// What keys that a cloud has a part in add to it.
async fn in_clouds(w: &mut Watched, org: &OrgId) -> String {
    let external_id = w.store().org(org).await.unwrap().unwrap().external_id;
    w.recorder.take();
    w.kms.trust(ROLE, Some(&external_id));
    let settings = json!({"aws": {"keyArn": w.kms.make_kek().await, "roleArn": ROLE}});
    w.kms.control(&json!({"forgetCalls": true}));
    let path = "/v1/vault/settings";
    w.call("put-settings", "PUT", path, settings.clone()).await;
    w.call("get-settings", "GET", path, Value::Null).await;
    let keys = "/v1/hybrid-keys";
    let mut made = Vec::new();
    for (kek, classical, pq) in [
        ("aws-kms", "postq-managed", "postq-managed"),
        ("env", "aws-kms", "aws-kms"),
        ("aws-kms", "aws-kms", "postq-managed"),
    ] {
        let body = json!({
            "name": classical, "kekProvider": kek, "keyProvider": classical, "pqProvider": pq,
            "allowFollow": true, "rotateAfterDays": 2,
        });
        let key = w.call("create-key", "POST", keys, body).await["id"].as_str().unwrap().to_owned();
        w.call("sign", "POST", "/v1/sign", json!({"keyId": key, "payload": ""})).await;
        made.push(key);
    }
    w.call("put-settings", "PUT", path, settings.clone()).await;
    w.call("test-settings", "POST", &format!("{path}/test"), json!({})).await;
    w.call("test-settings", "POST", &format!("{path}/test"), settings.clone()).await;
    w.call("test-settings", "POST", &format!("{path}/test"), json!({"defaultKekProvider": "env"})).await;
    let half = json!({"keyProvider": "aws-kms", "pqProvider": "aws-kms"});
    let named = json!({"name": "half made", "keyProvider": "aws-kms", "pqProvider": "aws-kms"});
    let rotate = format!("{keys}/{}/rotate", made[0]);
    for (operation, path, body) in [("create-key", keys, named), ("rotate-key", rotate.as_str(), half)] {
        w.kms.faults(&json!([{"action": "GetPublicKey", "how": "garbage", "times": 1}]));
        w.refused(operation, path, body).await;
    }
    for key in &mut made {
        let next = w.call("rotate-key", "POST", &format!("{keys}/{key}/rotate"), json!({})).await;
        *key = next["id"].as_str().unwrap().to_owned();
    }
    w.kms.faults(&json!([{"action": "GetPublicKey", "how": "garbage", "times": 1}]));
    // One key that no cloud has a part in is due as well.
    rotate_due(w, 2, (3, 1)).await;
    rotate_due(w, 2, (4, 0)).await;
    for key in &mut made {
        loop {
            let shown = w.call("get-key", "GET", &format!("{keys}/{key}"), Value::Null).await;
            w.call("list-keys", "GET", keys, Value::Null).await;
            let Some(successor) = shown["successorId"].as_str() else { break };
            *key = successor.to_owned();
        }
    }
    for key in &made {
        w.call("revoke-key", "DELETE", &format!("{keys}/{key}"), Value::Null).await;
    }
    w.call("test-settings", "POST", &format!("{path}/test"), json!({"defaultKekProvider": "env"})).await;
    die_creating(w, org).await;
    reconcile(w, 16).await;
    w.call("put-settings", "PUT", path, json!({})).await;
    w.call("clear-settings", "DELETE", path, Value::Null).await;

    in_azure(w, org).await;

    w.call("put-settings", "PUT", path, settings).await;
    let body = json!({"name": "kept", "keyProvider": "aws-kms", "pqProvider": "aws-kms"});
    let kept = w.call("create-key", "POST", keys, body).await["id"].as_str().unwrap().to_owned();
    reconcile(w, 0).await;
    w.call("clear-settings", "DELETE", path, Value::Null).await;
    die_creating(w, org).await;
    kept
}

/// What keys add to it that an account has a part in which is entered by a secret.
async fn in_azure(w: &mut Watched, org: &OrgId) {
    let path = "/v1/vault/settings";
    let settings = json!({"azure": account()});
    w.call("put-settings", "PUT", path, settings.clone()).await;
    let mut again = settings.clone();
    again["azure"].as_object_mut().unwrap().remove("clientSecret");
    w.call("put-settings", "PUT", path, again.clone()).await;
    w.call("test-settings", "POST", &format!("{path}/test"), again).await;
    let keys = "/v1/hybrid-keys";
    let body = json!({
        "name": "azure", "algorithm": "mldsa44+ecdsa-p256", "kekProvider": "azure-kv", "keyProvider": "azure-kv",
        "allowFollow": true, "rotateAfterDays": 2,
    });
    let key = w.call("create-key", "POST", keys, body.clone()).await["id"].as_str().unwrap().to_owned();
    w.call("sign", "POST", "/v1/sign", json!({"keyId": key, "payload": ""})).await;
    w.azure.faults(&json!([{"action": "wrapkey", "how": "denied", "times": 1}]));
    w.refused("create-key", keys, body).await;
    let key = w.call("rotate-key", "POST", &format!("{keys}/{key}/rotate"), json!({})).await;
    // One key that no cloud has a part in is due as well.
    rotate_due(w, 2, (2, 0)).await;
    let key = w.call("get-key", "GET", &format!("{keys}/{}", key["id"].as_str().unwrap()), Value::Null).await;
    let newest = format!("{keys}/{}", key["successorId"].as_str().unwrap());

    let secret = w.store().provider_secret(org, CloudName::Azure).await.unwrap().unwrap();
    w.recorder.take();
    w.store().reseal(org, CloudName::Azure, &secret, &secret).await.unwrap();
    rewrap::rewrap(&rewrap::Ports { custody: w.custody(), rows: w.store() }).await.unwrap();
    w.note("rewrap-keys");

    w.call("revoke-key", "DELETE", &newest, Value::Null).await;
    reconcile(w, 4).await;
    w.call("clear-settings", "DELETE", path, Value::Null).await;
}

/// A creation dies, an hour ago.
async fn die_creating(w: &Watched, org: &OrgId) {
    let unfinished = Intent {
        org: org.clone(),
        key: vault::id::KeyId::generate(vault::Timestamp::now()).unwrap(),
        clouds: vec![CloudName::Aws],
        since: vault::Timestamp::from_millis(1).unwrap(),
    };
    let saved = w.store().settings(org).await.unwrap().unwrap().updated_at;
    assert!(w.store().intend(&unfinished, saved).await.unwrap());
    w.recorder.take();
}

async fn reconcile(w: &mut Watched, deleted: usize) {
    let ports = server::reconcile_ports(&w.store(), &w.custody());
    let request = reconcile_keys::Request { now: vault::Timestamp::now(), survey: true, give_up: None };
    let done = reconcile_keys::reconcile_keys(&ports, request).await.unwrap();
    assert_eq!((done.deleted.len(), done.failed), (deleted, 0), "{done:?}");
    w.note("reconcile-keys");
}

/// What `sign` does about a signature whose key was revoked meanwhile.
async fn withhold(w: &Watched, org: &OrgId, key: &str) {
    use vault::store::{IssuedDigest, IssuedRecord, Record, Slot};
    let now = vault::Timestamp::now();
    let issued = IssuedRecord {
        org: org.clone(),
        key: key.parse().unwrap(),
        digest: IssuedDigest([1; 32]),
        event: vault::id::EventId::generate(now).unwrap(),
    };
    let slot = Slot {
        org: org.clone(),
        token: vault::id::TokenId::generate(now).unwrap(),
        method: "POST".into(),
        path: "/v1/sign".into(),
        key: "none".into(),
    };
    w.store().withhold(&issued, Some(&slot), Record::default()).await.unwrap();
    w.store().forget(&slot).await.unwrap();
}

/// What whoever holds a lease does where nothing came of it.
async fn give_up(w: &Watched, org: &OrgId) {
    use vault::store::{Attempt, Begin, Slot};
    let now = vault::Timestamp::now();
    let slot = Slot {
        org: org.clone(),
        token: vault::id::TokenId::generate(now).unwrap(),
        method: "POST".into(),
        path: "/v1/ledger/seal".into(),
        key: "given up".into(),
    };
    let Begin::Run(lease) = w.store().begin(&Attempt { slot, body: [0; 32] }, now).await.unwrap() else {
        panic!("no lease");
    };
    w.store().release(&lease).await.unwrap();
}

/// What each operation does, as it is written down.
pub(crate) fn written() -> Permissions {
    serde_json::from_str(&std::fs::read_to_string(root().join("docs/aws-permissions.json")).unwrap()).unwrap()
}

fn rows(permissions: &Permissions) -> String {
    let mut rows = String::from("| operation | table or keys: actions |\n|---|---|\n");
    for (operation, tables) in permissions {
        let tables: Vec<String> = tables
            .iter()
            .map(|(table, actions)| {
                format!("{table}: {}", actions.iter().cloned().collect::<Vec<_>>().join(", "))
            })
            .collect();
        rows.push_str(&format!("| `{operation}` | {} |\n", tables.join("; ")));
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_does_to_the_tables_what_is_written_and_nothing_else() {
    let mut permissions = observed().await;
    // Every writer looks whether the tables are those that they were, and no other role lets it; the rows say the rest.
    for (operation, tables) in &permissions {
        let actions: Vec<&str> = tables.values().flatten().map(String::as_str).collect();
        let writes = ["PutItem", "UpdateItem", "DeleteItem"].iter().any(|write| actions.contains(write));
        assert!(
            writes || !actions.contains(&"DescribeTable"),
            "{operation} looks at tables and writes nothing"
        );
    }
    for tables in permissions.values_mut() {
        for actions in tables.values_mut() {
            actions.remove("DescribeTable");
        }
        tables.retain(|_, actions| !actions.is_empty());
    }
    let json = format!("{}\n", serde_json::to_string_pretty(&permissions).unwrap());
    let (file, page) = (root().join("docs/aws-permissions.json"), root().join("docs/aws.md"));
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) =
        text.split_once("<!-- permissions -->\n").expect("docs/aws.md has the table's place");
    let (_, after) = rest.split_once("<!-- end of permissions -->").unwrap();
    let written =
        format!("{before}<!-- permissions -->\n{}<!-- end of permissions -->{after}", rows(&permissions));
    if std::env::var_os("POSTQ_WRITE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &json).unwrap();
        std::fs::write(&page, &written).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), json);
    assert_eq!(text, written);
}
