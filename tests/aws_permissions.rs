//! What each operation does to which table and which keys: observed, and held against docs/aws-permissions.json, from which roles
//! are made, and the table in docs/aws.md. `POSTQ_WRITE_SNAPSHOTS=1` writes both anew.
//!
//! Keys are `signing-kek`, under which the vault's own key-encryption key lies wrapped, and `customer-keys`, which are reached by
//! assuming one of the `customer-roles`. `seal-ledger` is the Lambda.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use api::routes;
use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::types::DataKeySpec;
use aws_types::SdkConfig;
use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use custody_aws::open_signing_kek;
use custody_local::{EnvKek, Kek, KekSource};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use store_dynamodb::DynamoStore;
use tower::ServiceExt;
use vault::{
    caller::Environment,
    custody::{Custody, CustodyError},
    id::OrgId,
    ledger_access::{LedgerAccess, Sealer},
    ops::{
        create_org, key_lineage, read_ledger, receipt, reconcile_keys, recover, rewrap, rotate_ledger_key,
        seal_ledger,
    },
    store::{CheckpointRecord, Intent, Store},
};

use crate::{
    local_dynamodb::{LocalDynamoDb, Recorder},
    local_kms::{LocalKms, ROLE},
    python::root,
};

type Permissions = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A deployment that is watched. Every call is by a process that was just started, so that what is asked once is asked.
struct Watched {
    local: LocalDynamoDb,
    kms: LocalKms,
    /// The vault's own key-encryption key as KMS wrapped it.
    wrapped_kek: Vec<u8>,
    /// What the sealer seals with; it is a Lambda of its own, and its row is made by its own calls.
    opened: Arc<Custody>,
    invoked: Arc<AtomicBool>,
    recorder: Arc<Recorder>,
    seen: Permissions,
    token: String,
    /// A key that signs all the while.
    steady: String,
}

impl Watched {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(DynamoStore::new(&self.local.config_recorded(self.recorder.clone()), "vault-"))
    }

    /// A process's own, that has opened no key and assumed no role.
    fn custody(&self) -> Arc<Custody> {
        let source = WrappedKek { aws: self.kms.config(), ciphertext: self.wrapped_kek.clone() };
        let mut custody = custody_local::custody(EnvKek::opened_on_first_use(Box::new(source)));
        custody.clouds.push(self.kms.cloud());
        Arc::new(custody)
    }

    /// The operation as its Lambda has it: what makes evidence has no key, and invokes the sealer.
    fn app(&self, operation: &str) -> Router {
        let store = self.store();
        let access = LedgerAccess {
            orgs: store.clone(),
            keys: store.clone(),
            lines: store.clone(),
            sequencer: server::sequencer(&store),
            sealer: Arc::new(Invoked {
                sealer: server::seal_ports(&self.unwatched(), &self.opened),
                ledger: store.clone(),
                invoked: self.invoked.clone(),
            }),
        };
        match operation {
            "read-ledger" => routes::READ_LEDGER.router(store.clone(), read_ledger::Ports { access }),
            "receipt" => routes::RECEIPT.router(store.clone(), receipt::Ports { keys: store, access }),
            "key-lineage" => {
                routes::KEY_LINEAGE.router(store.clone(), key_lineage::Ports { keys: store, access })
            }
            _ => server::app(&store, &self.custody(), &[]),
        }
    }

    fn unwatched(&self) -> Arc<dyn Store> {
        Arc::new(DynamoStore::new(&self.local.config(), "vault-"))
    }

    fn note(&mut self, operation: &str) {
        let tables = self.seen.entry(operation.to_owned()).or_default();
        if self.invoked.swap(false, Ordering::SeqCst) {
            tables.entry("seal-ledger".to_owned()).or_default().insert("InvokeFunction".to_owned());
        }
        for call in self.kms.state()["calls"].as_array().unwrap() {
            let action = call["action"].as_str().unwrap();
            let of = match (action, &call["key"]) {
                ("AssumeRole" | "GetCallerIdentity", _) => "customer-roles",
                ("Decrypt", Value::Null) => "signing-kek",
                _ => "customer-keys",
            };
            let actions = tables.entry(of.to_owned()).or_default();
            actions.insert(action.to_owned());
            if action == "CreateKey" {
                // It is made with its tags, which takes a right of its own.
                actions.insert("TagResource".to_owned());
            }
        }
        self.kms.control(&json!({"forgetCalls": true}));
        for (table, actions) in self.recorder.take() {
            tables.entry(table).or_default().extend(actions);
        }
    }

    /// Has something wait that whoever needs a place must place first: a signature, which is counted as well.
    async fn stir(&self) {
        let store = self.unwatched();
        let request = Request::post("/v1/sign")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(json!({"keyId": self.steady, "payload": ""}).to_string()));
        let answer = server::app(&store, &self.custody(), &[]).oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
        self.kms.control(&json!({"forgetCalls": true}));
    }

    /// The same where something waits.
    async fn call_stirred(&mut self, operation: &str, method: &str, path: &str, body: Value) -> Value {
        self.stir().await;
        self.call(operation, method, path, body).await
    }

    /// Calls twice under one idempotency key where it is a POST, and notes what was asked of the tables.
    async fn call(&mut self, operation: &str, method: &str, path: &str, body: Value) -> Value {
        let app: Router = self.app(operation);
        let mut first = Value::Null;
        for time in 0..if method == "POST" { 2 } else { 1 } {
            let mut request = Request::builder().method(method).uri(path);
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
            if method == "PUT" {
                request = request.header(header::CONTENT_TYPE, "application/json");
            }
            if method == "POST" {
                let key = hex::encode(ledger::sha256(format!("{path}{body}").as_bytes()));
                request =
                    request.header(header::CONTENT_TYPE, "application/json").header("idempotency-key", key);
            }
            let text = if body.is_null() { String::new() } else { body.to_string() };
            let answer = app.clone().oneshot(request.body(Body::from(text)).unwrap()).await.unwrap();
            let status = answer.status().as_u16();
            let bytes = answer.into_body().collect().await.unwrap().to_bytes();
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            // The replay of a secret is refused, with its id.
            let fits = (200..300).contains(&status)
                || (status == 409 && (time == 1 || operation == "clear-settings"));
            assert!(fits, "{operation}: {answer}");
            if time == 0 {
                first = answer;
            }
        }
        self.note(operation);
        first["data"].take()
    }

    /// Calls what is refused.
    async fn refused(&mut self, operation: &str, path: &str, body: Value) {
        let app: Router = server::app(&self.store(), &self.custody(), &[]);
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", hex::encode(ledger::sha256(body.to_string().as_bytes())))
            .body(Body::from(body.to_string()));
        let answer = app.oneshot(request.unwrap()).await.unwrap();
        assert!(!answer.status().is_success(), "{operation}: {}", answer.status());
        self.note(operation);
    }
}

/// The vault's own key-encryption key, as a Lambda has it.
struct WrappedKek {
    aws: SdkConfig,
    ciphertext: Vec<u8>,
}

#[async_trait]
impl KekSource for WrappedKek {
    async fn open(&self) -> Result<(Kek, Option<Kek>), CustodyError> {
        Ok((Kek::from_bytes(open_signing_kek(&self.aws, &self.ciphertext).await?), None))
    }
}

/// The sealer, invoked: what asks for it then reads the checkpoint.
struct Invoked {
    sealer: seal_ledger::Ports,
    ledger: Arc<dyn Store>,
    invoked: Arc<AtomicBool>,
}

#[async_trait]
impl Sealer for Invoked {
    async fn seal(&self, org: &OrgId) -> Result<CheckpointRecord, vault::Error> {
        self.invoked.store(true, Ordering::SeqCst);
        self.sealer.seal(org).await?;
        Ok(self.ledger.checkpoints(org, None, 1).await?.pop().unwrap())
    }
}

async fn watch() -> Watched {
    let (local, kms) = (LocalDynamoDb::start(), LocalKms::start());
    local.store("vault-").await;
    let call = kms.client().generate_data_key_without_plaintext().key_id(kms.make_kek().await);
    let call = call.key_spec(DataKeySpec::Aes256).encryption_context("postq:purpose", "signing-kek");
    let wrapped_kek = call.send().await.unwrap().ciphertext_blob.unwrap().into_inner();
    let source = WrappedKek { aws: kms.config(), ciphertext: wrapped_kek.clone() };
    let opened = Arc::new(custody_local::custody(EnvKek::opened_on_first_use(Box::new(source))));
    opened.root.current().await.unwrap();
    kms.control(&json!({"forgetCalls": true}));
    let (recorder, seen, invoked) = (Arc::default(), Permissions::new(), Arc::default());
    let (token, steady) = (String::new(), String::new());
    Watched { local, kms, wrapped_kek, opened, invoked, recorder, seen, token, steady }
}

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
        let body = json!({"name": classical, "kekProvider": kek, "keyProvider": classical, "pqProvider": pq});
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
    for key in &made {
        w.call("revoke-key", "DELETE", &format!("{keys}/{key}"), Value::Null).await;
    }
    w.call("test-settings", "POST", &format!("{path}/test"), json!({"defaultKekProvider": "env"})).await;
    die_creating(w, org).await;
    reconcile(w, 10).await;
    w.call("put-settings", "PUT", path, json!({})).await;
    w.call("clear-settings", "DELETE", path, Value::Null).await;

    w.call("put-settings", "PUT", path, settings).await;
    let body = json!({"name": "kept", "keyProvider": "aws-kms", "pqProvider": "aws-kms"});
    let kept = w.call("create-key", "POST", keys, body).await["id"].as_str().unwrap().to_owned();
    reconcile(w, 0).await;
    w.call("clear-settings", "DELETE", path, Value::Null).await;
    die_creating(w, org).await;
    kept
}

/// A creation dies, an hour ago.
async fn die_creating(w: &Watched, org: &OrgId) {
    let unfinished = Intent {
        org: org.clone(),
        key: vault::id::KeyId::generate(vault::Timestamp::now()).unwrap(),
        clouds: vec![vault::custody::CloudName::Aws],
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
    // Every writer looks whether the tables are those that they were; the rows say the rest.
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
