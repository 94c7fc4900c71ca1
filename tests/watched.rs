//! A deployment on this machine whose calls of DynamoDB and KMS are written down.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use api::routes;
use async_trait::async_trait;
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
    custody::{Custody, CustodyError},
    id::OrgId,
    ledger_access::{LedgerAccess, Sealer},
    ops::{key_lineage, read_ledger, receipt, seal_ledger},
    store::{CheckpointRecord, Store},
};

use crate::{
    local_azure::LocalAzure,
    local_dynamodb::{LocalDynamoDb, Recorder},
    local_kms::LocalKms,
};

/// Operation → table or kind of key → actions.
pub(crate) type Permissions = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A deployment that is watched. Every call is by a process that was just started, so that what is asked once is asked.
pub(crate) struct Watched {
    pub(crate) local: LocalDynamoDb,
    pub(crate) kms: LocalKms,
    pub(crate) azure: LocalAzure,
    /// The vault's own key-encryption key as KMS wrapped it.
    pub(crate) wrapped_kek: Vec<u8>,
    /// What the sealer seals with; it is a Lambda of its own, and its row is made by its own calls.
    pub(crate) opened: Arc<Custody>,
    pub(crate) invoked: Arc<AtomicBool>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) seen: Permissions,
    pub(crate) token: String,
    /// A key that signs all the while.
    pub(crate) steady: String,
}

impl Watched {
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::new(DynamoStore::new(&self.local.config_recorded(self.recorder.clone()), "vault-"))
    }

    /// A process's own, that has opened no key and assumed no role.
    pub(crate) fn custody(&self) -> Arc<Custody> {
        let source = WrappedKek { aws: self.kms.config(), ciphertext: self.wrapped_kek.clone() };
        let mut custody = custody_local::custody(EnvKek::opened_on_first_use(Box::new(source)));
        custody.clouds.push(self.kms.cloud());
        custody.clouds.push(self.azure.cloud());
        Arc::new(custody)
    }

    /// The operation as its Lambda has it: what makes evidence has no key, and invokes the sealer.
    pub(crate) fn app(&self, operation: &str) -> Router {
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

    pub(crate) fn unwatched(&self) -> Arc<dyn Store> {
        Arc::new(DynamoStore::new(&self.local.config(), "vault-"))
    }

    pub(crate) fn note(&mut self, operation: &str) {
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
    pub(crate) async fn stir(&self) {
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
    pub(crate) async fn call_stirred(
        &mut self,
        operation: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> Value {
        self.stir().await;
        self.call(operation, method, path, body).await
    }

    /// Calls twice under one idempotency key where it can have one, and notes what was asked of the tables.
    pub(crate) async fn call(&mut self, operation: &str, method: &str, path: &str, body: Value) -> Value {
        let app: Router = self.app(operation);
        let mut first = Value::Null;
        let once = matches!(method, "POST" | "PATCH");
        for time in 0..if once { 2 } else { 1 } {
            let mut request = Request::builder().method(method).uri(path);
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
            if method == "PUT" {
                request = request.header(header::CONTENT_TYPE, "application/json");
            }
            if once {
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
    pub(crate) async fn refused(&mut self, operation: &str, path: &str, body: Value) {
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

pub(crate) async fn watch() -> Watched {
    let (local, kms, azure) = (LocalDynamoDb::start(), LocalKms::start(), LocalAzure::start());
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
    Watched { local, kms, azure, wrapped_kek, opened, invoked, recorder, seen, token, steady }
}
