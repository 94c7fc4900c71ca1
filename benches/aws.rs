//! What distance costs: signatures where every call of KMS takes 20 ms more, and 64 signers where every call of DynamoDB takes 5 ms
//! more. `cargo xtask bench-aws`; both services are emulated on this machine.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a program that prints figures")]
#![expect(dead_code, clippy::expect_used, clippy::indexing_slicing, reason = "what the tests are made of")]

#[path = "../tests/in_process.rs"]
mod in_process;
#[path = "../tests/local_cloud.rs"]
mod local_cloud;
#[path = "../tests/local_dynamodb.rs"]
mod local_dynamodb;
#[path = "../tests/local_kms.rs"]
mod local_kms;
#[path = "../tests/python.rs"]
mod python;
#[path = "../tests/rounds.rs"]
mod rounds;
#[path = "../tests/server_process.rs"]
mod server_process;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use futures::future::join_all;
use serde_json::json;
use store_dynamodb::DynamoStore;
use vault::{caller::Environment, ops::create_org, store::Store};

use crate::{in_process::Vault, local_kms::LocalKms};

#[tokio::main]
async fn main() {
    tiers().await;
    signers().await;
}

/// The median of so many.
const ROUNDS: usize = 60;

async fn tiers() {
    let kms = LocalKms::start();
    let (vault, kek) = kms.vault().await;
    let mut keys = Vec::new();
    for (name, wraps, classical, pq) in [
        ("tier 0", "env", "postq-managed", "postq-managed"),
        ("tier 1: Decrypt", "aws-kms", "postq-managed", "postq-managed"),
        ("tier 2: Sign", "env", "aws-kms", "postq-managed"),
        ("tier 2: Decrypt, Sign", "aws-kms", "aws-kms", "postq-managed"),
        ("tier 3: Sign, Sign", "env", "aws-kms", "aws-kms"),
    ] {
        let request = json!({"name": "k", "kekProvider": wraps, "keyProvider": classical, "pqProvider": pq});
        keys.push((name, vault.post("/v1/hybrid-keys", request).await["id"].as_str().unwrap().to_owned()));
    }
    let client = kms.client();
    kms.control(&json!({"latencyMs": 20}));
    let call = median(async || {
        client.describe_key().key_id(&kek).send().await.unwrap();
    });
    let call = call.await;
    println!("one call of KMS                {:>6.1} ms", millis(call));
    let mut nothing = Duration::ZERO;
    for (name, key) in keys {
        let took = median(async || assert_eq!(vault.sign(&key).await.0, 200)).await;
        if name == "tier 0" {
            nothing = took;
        }
        let over = millis(took) - millis(nothing);
        println!(
            "{name:<30} {:>6.1} ms, {over:>5.1} ms over tier 0: {:.2} calls",
            millis(took),
            over / millis(call)
        );
    }
}

async fn median(work: impl AsyncFn()) -> Duration {
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        work().await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    took.get(ROUNDS / 2).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

const SIGNERS: usize = 64;

async fn signers() {
    let vault = Vault::in_dynamodb().await;
    let (_, url) = vault.variables().into_iter().find(|(name, _)| *name == "AWS_ENDPOINT_URL").unwrap();
    let way = LongWay { way: local_dynamodb::http_client(), longer: Duration::from_millis(5) };
    let config = local_kms::config(&url).into_builder().http_client(SharedHttpClient::new(way)).build();
    let far: Arc<dyn Store> = Arc::new(DynamoStore::new(&config, "vault-"));
    let mut tokens = Vec::new();
    for number in 0..SIGNERS {
        let ports = create_org::Ports { custody: vault.custody.clone(), writes: vault.store.clone() };
        let request =
            create_org::Request { name: number.to_string(), environment: Environment::Live, token: None };
        let token = create_org::create_org(&ports, request).await.unwrap().token.expose().to_owned();
        let key = vault.create_key_as(&token, "mldsa65+ed25519").await;
        tokens.push((token, key));
    }
    let app = server::app(&far, &vault.custody, &[]);
    let one: Vec<_> = tokens.iter().take(1).cycle().take(SIGNERS).cloned().collect();
    // In turns, so that what else the machine does meets both.
    let (mut of_one, mut of_all) = (0.0, 0.0);
    for _ in 0..3 {
        of_all += a_second(&app, &tokens).await / 3.0;
        of_one += a_second(&app, &one).await / 3.0;
    }
    println!("64 signers of 64 organisations {of_all:>6.0} signatures a second");
    println!(
        "64 signers of one              {of_one:>6.0} signatures a second: {:.2} of that",
        of_one / of_all
    );
}

async fn a_second(app: &axum::Router, signers: &[(String, String)]) -> f64 {
    let begun = Instant::now();
    let until = begun + Duration::from_secs(6);
    let each = signers.iter().map(|(token, key)| {
        let (app, token, key) = (app.clone(), token.clone(), key.clone());
        tokio::spawn(async move {
            let mut signed = 0_u32;
            while Instant::now() < until {
                let request = axum::http::Request::post("/v1/sign")
                    .header("authorization", format!("Bearer {token}"))
                    .header("content-type", "application/json")
                    .body(axum::body::Body::from(json!({"keyId": key, "payload": ""}).to_string()));
                let answer = tower::ServiceExt::oneshot(app.clone(), request.unwrap()).await.unwrap();
                assert_eq!(answer.status(), 200);
                signed += 1;
            }
            signed
        })
    });
    let signed: u32 = join_all(each).await.into_iter().map(Result::unwrap).sum();
    f64::from(signed) / begun.elapsed().as_secs_f64()
}

/// A way that takes so long longer.
#[derive(Debug)]
struct LongWay {
    way: SharedHttpClient,
    longer: Duration,
}

impl HttpClient for LongWay {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.way.http_connector(settings, components);
        SharedHttpConnector::new(LongConnector { connector, longer: self.longer })
    }
}

#[derive(Debug)]
struct LongConnector {
    connector: SharedHttpConnector,
    longer: Duration,
}

impl HttpConnector for LongConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (connector, longer) = (self.connector.clone(), self.longer);
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(longer).await;
            connector.call(request).await
        })
    }
}
