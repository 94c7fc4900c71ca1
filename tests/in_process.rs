//! The whole API over a store in this process, for tests that reach into the store or stand in its way.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, header},
};
use custody_local::{EnvKek, Kek};
use http_body_util::BodyExt;
use ledger::Event;
use rusqlite::Connection;
use serde_json::{Value, json};
use store_dynamodb::DynamoStore;
use store_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tower::ServiceExt;
use vault::{
    caller::Environment,
    custody::Custody,
    id::OrgId,
    ops::create_org,
    store::{EntryFilter, Store},
};

use crate::{
    local_cloud::{self, LocalCloud},
    local_dynamodb::{Faults, LocalDynamoDb},
};

/// A vault of two organisations.
pub(crate) struct Vault {
    pub(crate) app: Router,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) custody: Arc<Custody>,
    /// The first organisation and its token.
    pub(crate) org: OrgId,
    pub(crate) token: String,
    /// The second one.
    pub(crate) other_org: OrgId,
    pub(crate) other_token: String,
    kek: String,
    bed: Bed,
}

/// Where the store's bytes are.
enum Bed {
    File {
        path: PathBuf,
        _dir: tempfile::TempDir,
    },
    Tables {
        local: LocalDynamoDb,
        store: DynamoStore,
    },
    /// A deployment, which other tests use at the same time.
    Cloud,
}

impl Vault {
    pub(crate) async fn new() -> Self {
        match LocalCloud::named() {
            Some(cloud) => Self::deployed(&cloud).await,
            None => Self::over(|store| store).await,
        }
    }

    /// The same where `cargo xtask` has put a deployment: its API, over its tables.
    async fn deployed(cloud: &LocalCloud) -> Self {
        let kek = cloud.kek().await;
        let (first, second) = (cloud.organisation("first"), cloud.organisation("second"));
        Self {
            app: cloud.app(),
            store: Arc::new(cloud.store()),
            custody: custody(&kek),
            org: first.0.parse().unwrap(),
            token: first.1,
            other_org: second.0.parse().unwrap(),
            other_token: second.1,
            kek,
            bed: Bed::Cloud,
        }
    }

    /// The same vault with another custody behind its routes.
    pub(crate) fn with_custody(mut self, change: impl FnOnce(&mut Custody)) -> Self {
        let mut custody = self.custody.as_ref().clone();
        change(&mut custody);
        self.custody = Arc::new(custody);
        self.app = server::app(&self.store, &self.custody, &[]);
        self
    }

    /// The same behind a socket: it is called by HTTP.
    pub(crate) async fn served(self) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let served = self.app.clone();
        tokio::spawn(async move { axum::serve(listener, served).await });
        Self { app: local_cloud::at(address), ..self }
    }

    /// A vault whose app sees the store through `wrap`.
    pub(crate) async fn over(wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vault.db");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path).unwrap());
        Self::in_bed(store, Bed::File { path, _dir: dir }, wrap).await
    }

    /// A vault over DynamoDB.
    pub(crate) async fn in_dynamodb() -> Self {
        let local = LocalDynamoDb::start();
        let store = local.store("vault-").await;
        Self::in_bed(Arc::new(store.clone()), Bed::Tables { local, store }, |store| store).await
    }

    async fn in_bed(
        store: Arc<dyn Store>,
        bed: Bed,
        wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Self {
        let kek = Kek::generate().unwrap().expose_base64().to_string();
        let custody = custody(&kek);
        let make = async |name: &str| {
            let ports = create_org::Ports { custody: custody.clone(), writes: store.clone() };
            let request =
                create_org::Request { name: name.into(), environment: Environment::Live, token: None };
            let made = create_org::create_org(&ports, request).await.unwrap();
            (made.org, made.token.expose().to_owned())
        };
        let (org, token) = make("first").await;
        let (other_org, other_token) = make("second").await;
        let app = server::app(&wrap(store.clone()), &custody, &[]);
        Self { app, store, custody, org, token, other_org, other_token, kek, bed }
    }

    /// Calls with the first organisation's token. A body makes it a POST.
    pub(crate) async fn call(&self, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.call_as(&self.token, path, body).await
    }

    pub(crate) async fn call_as(&self, token: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let request = Request::builder().uri(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        let request = match body {
            Some(body) => request
                .method("POST")
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        let (status, _, body) = self.send(request.unwrap()).await;
        (status, body)
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::put(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json");
        let (status, _, body) = self.send(request.body(Body::from(body.to_string())).unwrap()).await;
        (status, body)
    }

    pub(crate) async fn delete(&self, path: &str) -> (u16, Value) {
        let request = Request::delete(path).header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        let (status, _, body) = self.send(request.body(Body::empty()).unwrap()).await;
        (status, body)
    }

    /// A POST with an idempotency key: its status, whether it was a replay, and its body byte for byte.
    pub(crate) async fn once(&self, key: &str, path: &str, body: &Value) -> (u16, bool, String) {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body.to_string()));
        let (parts, body) = self.app.clone().oneshot(request.unwrap()).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let replayed = parts.headers.get("idempotency-replayed").is_some_and(|value| value == "true");
        (parts.status.as_u16(), replayed, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// The data of a GET that must succeed.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, mut body) = self.call(path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body["data"].take()
    }

    /// The data of a POST that must succeed.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, mut answer) = self.call(path, Some(&body)).await;
        assert!((200..300).contains(&status), "{path}: {answer}");
        answer["data"].take()
    }

    pub(crate) async fn rotate(&self, key: &str) -> String {
        let data = self.post(&format!("/v1/hybrid-keys/{key}/rotate"), json!({})).await;
        data["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn revoke(&self, key: &str) {
        let (status, body) = self.delete(&format!("/v1/hybrid-keys/{key}")).await;
        assert_eq!(status, 200, "{body}");
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> (u16, HeaderMap, Value) {
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), parts.headers, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(crate) async fn create_key(&self, algorithm: &str) -> String {
        self.create_key_as(&self.token, algorithm).await
    }

    pub(crate) async fn create_key_as(&self, token: &str, algorithm: &str) -> String {
        let request = json!({"name": "key", "algorithm": algorithm});
        let (status, body) = self.call_as(token, "/v1/hybrid-keys", Some(&request)).await;
        assert_eq!(status, 201, "{body}");
        body["data"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn sign(&self, key: &str) -> (u16, Value) {
        self.call("/v1/sign", Some(&json!({"keyId": key, "payload": "aGVsbG8="}))).await
    }

    /// Every event of the first organisation, in the order of the ledger.
    pub(crate) async fn events(&self) -> Vec<Event> {
        self.events_of(&self.org).await
    }

    pub(crate) async fn events_of(&self, org: &OrgId) -> Vec<Event> {
        self.events_from(org, 0).await
    }

    /// The same from a place on.
    pub(crate) async fn events_from(&self, org: &OrgId, since: u64) -> Vec<Event> {
        server::sequencer(&self.store).sequence(org).await.unwrap();
        let filter = EntryFilter { since, limit: usize::MAX, ..EntryFilter::default() };
        let entries = self.store.entries(org, &filter).await.unwrap();
        entries
            .iter()
            .map(|entry| {
                let mut payload = serde_json::to_value(&entry.payload).unwrap();
                let members = payload.as_object_mut().unwrap();
                assert_eq!(members.remove("v"), Some(json!(1)));
                assert_eq!(members.remove("seq"), Some(json!(entry.seq)));
                serde_json::from_value(payload).unwrap()
            })
            .collect()
    }

    /// What a process must find in its environment to be over the same tables, under the same key.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let Bed::Tables { local, .. } = &self.bed else { panic!("it has no tables") };
        let mut variables = local.variables();
        variables.extend([("POSTQ_TABLES", "vault-".to_owned()), ("POSTQ_SIGNING_KEK", self.kek.clone())]);
        variables
    }

    /// The leases of calls that died end by themselves, in a minute that is not waited for.
    pub(crate) async fn end_leases(&self) {
        match &self.bed {
            Bed::File { .. } => {
                self.database().execute("UPDATE replies SET lease_until = 0", []).unwrap();
            }
            Bed::Tables { local, store } => local.end_leases(store).await,
            Bed::Cloud => panic!("a deployment's leases are not this test's alone"),
        }
    }

    /// The same store, over a way on which things go wrong.
    pub(crate) fn store_over(&self, faults: Arc<Faults>) -> Arc<dyn Store> {
        let Bed::Tables { local, .. } = &self.bed else { panic!("there is no way to a file") };
        Arc::new(DynamoStore::new(&local.config_over(faults), "vault-"))
    }

    /// A connection of an intruder's own: what is written through it was not written by the vault.
    pub(crate) fn database(&self) -> Connection {
        let Bed::File { path, .. } = &self.bed else { panic!("it is no file") };
        let database = Connection::open(path).unwrap();
        database.pragma_update(None, "foreign_keys", "OFF").unwrap();
        database
    }
}

pub(crate) fn custody(kek: &str) -> Arc<Custody> {
    Arc::new(custody_local::custody(EnvKek::from_variables(Some(kek), None).unwrap()))
}
