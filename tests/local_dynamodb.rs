//! A DynamoDB on this machine, and what can go wrong on the way to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_dynamodb::{Client, config::BehaviorVersion, types::AttributeValue};
use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use aws_types::{SdkConfig, region::Region};
use serde_json::{Value, json};
use store_dynamodb::{DynamoStore, Table};

use crate::{python::root, rounds::Dice};

/// It lives as long as this, and forgets everything then.
pub(crate) struct LocalDynamoDb {
    process: Child,
    port: u16,
}

impl LocalDynamoDb {
    pub(crate) fn start() -> Self {
        let program = root().join("target/tools/bin/dynoxide");
        assert!(program.exists(), "dynoxide is missing; `cargo xtask test` sets it up in target/tools");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        command.args(["serve", "--host", "127.0.0.1", "--log", "quiet", "--port", &port.to_string()]);
        let local = Self { process: command.stdout(Stdio::null()).spawn().unwrap(), port };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return local;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("dynoxide does not listen at port {port}");
    }

    /// How it is reached.
    pub(crate) fn config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "any", "any", None, None, "tests",
            )))
            .endpoint_url(format!("http://127.0.0.1:{}", self.port))
            .http_client(http_client())
            .build()
    }

    /// How a process finds it.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "any".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "any".to_owned()),
        ]
    }

    /// The same, with faults on the way.
    pub(crate) fn config_over(&self, faults: Arc<Faults>) -> SdkConfig {
        let way = FaultyWay { way: http_client(), faults };
        self.config().into_builder().http_client(SharedHttpClient::new(way)).build()
    }

    /// The same, where everything that is asked of it is written down.
    pub(crate) fn config_recorded(&self, recorder: Arc<Recorder>) -> SdkConfig {
        let way = RecordedWay { way: http_client(), recorder };
        self.config().into_builder().http_client(SharedHttpClient::new(way)).build()
    }

    /// A store over tables that are made for it.
    pub(crate) async fn store(&self, prefix: &str) -> DynamoStore {
        let store = DynamoStore::new(&self.config(), prefix);
        store.make_tables().await.unwrap();
        store
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.config())
    }

    /// The leases of the dead end by themselves, in a minute that is not waited for.
    pub(crate) async fn end_leases(&self, store: &DynamoStore) {
        let (client, table) = (self.client(), store.table_name(Table::Replies));
        let found = client.scan().table_name(&table).send().await.unwrap();
        for item in found.items() {
            let key = ["pk", "sk"].map(|name| (name.to_owned(), item[name].clone()));
            let call = client.update_item().table_name(&table).set_key(Some(key.into()));
            let call = call.update_expression("SET lease_until = :zero");
            call.expression_attribute_values(":zero", AttributeValue::N("0".into())).send().await.unwrap();
        }
    }
}

impl Drop for LocalDynamoDb {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}

/// What goes wrong, by dice.
#[derive(Debug)]
pub(crate) struct Faults {
    dice: Mutex<Dice>,
    /// One call in so many goes wrong.
    odds: u64,
    /// What happened, by name.
    pub(crate) seen: Mutex<Vec<&'static str>>,
}

impl Faults {
    pub(crate) fn new(seed: u64, odds: u64) -> Arc<Self> {
        Arc::new(Self { dice: Mutex::new(Dice::new(seed)), odds, seen: Mutex::default() })
    }

    fn next(&self, is_transaction: bool) -> Option<&'static str> {
        let mut dice = self.dice.lock().unwrap();
        if dice.roll(self.odds) != 0 {
            return None;
        }
        let mut seen = self.seen.lock().unwrap();
        // Each of them once, before chance decides.
        let new = FAULTS
            .into_iter()
            .find(|fault| !seen.contains(fault) && (is_transaction || *fault != "conflict"));
        let fault = new.unwrap_or_else(|| match dice.roll(6) {
            0 | 1 if is_transaction => "conflict",
            0 | 2 => "throttled",
            3 => "failed",
            4 => "lost before",
            _ => "lost after",
        });
        seen.push(fault);
        Some(fault)
    }
}

/// What goes wrong on the way.
pub(crate) const FAULTS: [&str; 5] = ["conflict", "throttled", "failed", "lost before", "lost after"];

struct FaultyWay {
    way: SharedHttpClient,
    faults: Arc<Faults>,
}

impl fmt::Debug for FaultyWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyWay")
    }
}

impl HttpClient for FaultyWay {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.way.http_connector(settings, components);
        SharedHttpConnector::new(FaultyConnector { connector, faults: self.faults.clone() })
    }
}

#[derive(Debug)]
struct FaultyConnector {
    connector: SharedHttpConnector,
    faults: Arc<Faults>,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let lost = || ConnectorError::timeout("the answer never came".into());
        match self.faults.next(target.ends_with(".TransactWriteItems")) {
            None => self.connector.call(request),
            Some("conflict") => HttpConnectorFuture::ready(Ok(answer(
                400,
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"Transaction cancelled",
                    "CancellationReasons":[{"Code":"TransactionConflict","Message":"Transaction is ongoing for the item"}]}"#,
            ))),
            Some("throttled") => HttpConnectorFuture::ready(Ok(answer(
                400,
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"Rate exceeded"}"#,
            ))),
            Some("failed") => HttpConnectorFuture::ready(Ok(answer(
                500,
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"Try again"}"#,
            ))),
            Some("lost before") => HttpConnectorFuture::ready(Err(lost())),
            Some(_) => {
                let answered = self.connector.call(request);
                HttpConnectorFuture::new(async move {
                    answered.await?;
                    Err(lost())
                })
            }
        }
    }
}

/// Which actions were taken on which tables, as a policy would have to allow them.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<BTreeMap<String, BTreeSet<String>>>);

impl Recorder {
    pub(crate) fn take(&self) -> BTreeMap<String, BTreeSet<String>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn record(&self, target: &str, body: &Value) {
        let call = target.rsplit('.').next().unwrap();
        let mut seen = self.0.lock().unwrap();
        let mut see = |table: &Value, action: &str| {
            let table = table.as_str().unwrap().split_once('-').unwrap().1.to_owned();
            seen.entry(table).or_default().insert(action.to_owned());
        };
        match call {
            "TransactWriteItems" => {
                for item in body["TransactItems"].as_array().unwrap() {
                    let (kind, of) = item.as_object().unwrap().iter().next().unwrap();
                    let action =
                        if kind == "ConditionCheck" { "ConditionCheckItem" } else { &format!("{kind}Item") };
                    see(&of["TableName"], action);
                }
            }
            "BatchGetItem" => {
                for table in body["RequestItems"].as_object().unwrap().keys() {
                    see(&json!(table), call);
                    // What seems to be missing is read once more in a transaction of reads, which is this to a policy.
                    see(&json!(table), "GetItem");
                }
            }
            "TransactGetItems" => {
                for item in body["TransactItems"].as_array().unwrap() {
                    see(&item["Get"]["TableName"], "GetItem");
                }
            }
            _ => see(&body["TableName"], call),
        }
    }
}

struct RecordedWay {
    way: SharedHttpClient,
    recorder: Arc<Recorder>,
}

impl fmt::Debug for RecordedWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordedWay")
    }
}

impl HttpClient for RecordedWay {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.way.http_connector(settings, components);
        SharedHttpConnector::new(RecordedConnector { connector, recorder: self.recorder.clone() })
    }
}

#[derive(Debug)]
struct RecordedConnector {
    connector: SharedHttpConnector,
    recorder: Arc<Recorder>,
}

impl HttpConnector for RecordedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
        self.recorder.record(target, &body);
        self.connector.call(request)
    }
}

pub(crate) fn answer(status: u16, body: impl Into<SdkBody>) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).unwrap(), body.into())
}
