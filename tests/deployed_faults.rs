//! A deployment whose functions are killed, and whose KMS and DynamoDB refuse for a while: callers are told so, what they try
//! again has one effect, and the ledger tells of all of it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_kms::Client;
use axum::{Router, http::StatusCode, response::IntoResponse as _};
use serde_json::{Value, json};

use crate::{
    local_cloud::LocalCloud,
    rounds::{Dice, rounds, seeds},
    server_process::{Answer, agent},
};

/// What leases of calls that died take to end, and more.
const PATIENCE: Duration = Duration::from_secs(180);

struct Caller {
    address: String,
    token: String,
    /// How often an answer was no success, by its status and code.
    refused: Mutex<BTreeMap<String, usize>>,
}

impl Caller {
    fn new(cloud: &LocalCloud) -> Self {
        let (_, token) = cloud.organisation("faults");
        Self { address: cloud.address.clone(), token, refused: Mutex::default() }
    }

    fn once(&self, key: &str, path: &str, body: &Value) -> Answer {
        let call = agent().post(format!("{}{path}", self.address)).header("Idempotency-Key", key);
        Answer::read(call.header("Authorization", format!("Bearer {}", self.token)).send_json(body).unwrap())
    }

    /// Calls until it is done. What is no success must say that it is to be tried again.
    fn until_done(&self, key: &str, path: &str, body: &Value) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.once(key, path, body);
            if (200..300).contains(&answer.status) {
                return answer.body["data"].clone();
            }
            let code = answer.body["code"].as_str().unwrap_or(GATEWAY).to_owned();
            let again = answer.status >= 500 || code == "idempotency_in_progress";
            assert!(again, "{path}: {} {}", answer.status, answer.text);
            *self.refused.lock().unwrap().entry(format!("{} {code}", answer.status)).or_default() += 1;
            assert!(begun.elapsed() < PATIENCE, "{path} is not done: {:?}", self.refused.lock().unwrap());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn get(&self, path: &str) -> Value {
        let begun = Instant::now();
        loop {
            let call = agent().get(format!("{}{path}", self.address));
            let call = call.header("Authorization", format!("Bearer {}", self.token));
            let answer = Answer::read(call.call().unwrap());
            if answer.status == 200 {
                return answer.body["data"].clone();
            }
            assert!(answer.status >= 500 && begun.elapsed() < PATIENCE, "{path}: {}", answer.text);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The ledger, checked: how many events there are of each type.
    fn events(&self) -> BTreeMap<String, usize> {
        // A ledger is sealed once a second, and a bundle ends with a checkpoint.
        std::thread::sleep(Duration::from_millis(1100));
        let now = format!("{:?}", Instant::now());
        self.until_done(&hex::encode(ledger::sha256(now.as_bytes())), "/v1/ledger/seal", &json!({}));
        let told = self.get("/v1/ledger/bundle");
        let bundle: ledger::Bundle = serde_json::from_value(told.clone()).unwrap();
        assert!(bundle.check(&ledger::Pins::default()).unwrap().complete);
        let mut counts = BTreeMap::new();
        for entry in told["entries"].as_array().unwrap() {
            *counts.entry(entry["payload"]["eventType"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }
}

/// The processes of the deployment's functions.
fn processes(cloud: &LocalCloud) -> Vec<(u32, String)> {
    let name = format!("AWS_LAMBDA_FUNCTION_NAME={}", cloud.prefix);
    let endpoint = format!("AWS_ENDPOINT_URL={}", cloud.account);
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|id| id.parse().ok()) else { continue };
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        let environment = String::from_utf8_lossy(&environment);
        let mut variables = environment.split('\0');
        let function = variables.clone().find_map(|variable| variable.strip_prefix(&name));
        if let (Some(function), true) = (function, variables.any(|variable| variable == endpoint)) {
            found.push((id, function.to_owned()));
        }
    }
    found
}

fn kill(process: u32) {
    std::process::Command::new("sh")
        .args(["-c", "kill -s KILL \"$0\"", &process.to_string()])
        .output()
        .unwrap();
}

/// Whether a function died in the midst of a call: then the gateway answers in its place.
fn was_cut(caller: &Caller) -> bool {
    caller.refused.lock().unwrap().keys().any(|refused| refused.ends_with(GATEWAY))
}

/// What stands for a code where the answer is the gateway's.
const GATEWAY: &str = "of the gateway's own";

#[test]
#[ignore = "it kills the functions of a deployment; `cargo xtask test-cloud` makes one"]
fn killed_functions_lose_nothing_and_do_nothing_twice() {
    let cloud = LocalCloud::required();
    let caller = Caller::new(&cloud);
    let key =
        caller.until_done("key", "/v1/hybrid-keys", &json!({"name": "n", "algorithm": "mldsa44+ed25519"}));
    let key = key["id"].as_str().unwrap();
    let seed = seeds(1)[0];
    let (callers, each) = (4, usize::try_from(rounds(200)).unwrap());
    let (done, working) = (AtomicUsize::new(0), AtomicBool::new(true));
    let killed = std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let (mut dice, mut killed) = (Dice::new(seed), BTreeMap::<String, usize>::new());
            // Signing is killed until a call was cut; what dies after that is for the dice.
            let mut number = 0;
            while working.load(Ordering::SeqCst) && number < rounds(40) {
                std::thread::sleep(Duration::from_millis(300 + dice.roll(700)));
                let found = processes(&cloud);
                let cut = was_cut(&caller);
                let any = usize::try_from(dice.roll(1 << 30)).unwrap() % found.len().max(1);
                let chosen = found.get(any).filter(|_| cut).map_or("sign", |(_, function)| function.as_str());
                for (process, function) in found.iter().filter(|(_, function)| function == chosen) {
                    kill(*process);
                    *killed.entry(function.clone()).or_default() += 1;
                }
                number += u64::from(cut);
            }
            killed
        });
        let work: Vec<_> = (0..callers)
            .map(|name| {
                let (caller, done) = (&caller, &done);
                scope.spawn(move || {
                    for number in 0..each {
                        let once = format!("{name}-{number}");
                        let signed = json!({"keyId": key, "payload": "aGVsbG8="});
                        let signed = caller.until_done(&once, "/v1/sign", &signed);
                        assert!(signed["signature"].is_string());
                        if number % 5 == 0 {
                            caller.until_done(&once, "/v1/hybrid-keys", &json!({"name": "n"}));
                            caller.until_done(&once, "/v1/ledger/entries", &json!({"name": "n"}));
                            caller.until_done(&once, "/v1/ledger/seal", &json!({}));
                        }
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        work.into_iter().for_each(|thread| thread.join().unwrap());
        working.store(false, Ordering::SeqCst);
        killer.join().unwrap()
    });
    let refused = caller.refused.lock().unwrap().clone();
    println!("seed {seed}: killed {killed:?}; refused {refused:?}");
    assert!(was_cut(&caller) && killed.contains_key("sign"), "no call was cut: {killed:?}, {refused:?}");
    let events = caller.events();
    let other = callers * each.div_ceil(5);
    // Its ledger key has its event too.
    assert_eq!(done.load(Ordering::SeqCst), callers * each);
    assert_eq!(events["signature.issued"], callers * each, "{events:?}");
    assert_eq!(events["key.created"], other + 2, "{events:?}");
    assert_eq!(events["custom.event"], other, "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes the KMS key from a deployment; `cargo xtask test-cloud` makes one"]
async fn a_kms_that_refuses_is_told_and_signing_goes_on_after_it() {
    let cloud = LocalCloud::required();
    let caller = Caller::new(&cloud);
    let key = caller.until_done("key", "/v1/hybrid-keys", &json!({"name": "n"}))["id"].clone();
    let (kms, alias) = (Client::new(&cloud.config()), format!("alias/{}signing-kek", cloud.prefix));
    let key_id = kms.describe_key().key_id(alias).send().await.unwrap().key_metadata.unwrap().key_id;
    kms.disable_key().key_id(&key_id).send().await.unwrap();
    // Those that run have opened what they need.
    processes(&cloud).into_iter().for_each(|(process, _)| kill(process));
    let request = json!({"keyId": key, "payload": "aGVsbG8="});
    let refused: Vec<_> = (0..3).map(|_| caller.once("signature", "/v1/sign", &request)).collect();
    // Whatever comes of it, others have their key again.
    kms.enable_key().key_id(&key_id).send().await.unwrap();
    assert!(refused.iter().all(|answer| answer.status >= 500), "{refused:?}");
    assert!(refused.iter().any(|answer| answer.body["code"] == "kek_unavailable"), "{refused:?}");
    let signed = caller.until_done("signature", "/v1/sign", &request);
    assert_eq!(caller.until_done("signature", "/v1/sign", &request), signed, "it is replayed");
    assert_eq!(caller.events()["signature.issued"], 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes the tables from a deployment; `cargo xtask test-cloud` makes one"]
async fn a_dynamodb_that_refuses_is_told_and_signing_goes_on_after_it() {
    let cloud = LocalCloud::required();
    let caller = Caller::new(&cloud);
    let key = caller.until_done("key", "/v1/hybrid-keys", &json!({"name": "n"}))["id"].clone();
    let request = json!({"keyId": key, "payload": "aGVsbG8="});
    for (number, (status, fault)) in [
        (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
        (StatusCode::BAD_REQUEST, "ThrottlingException"),
    ]
    .into_iter()
    .enumerate()
    {
        let refuse = move || async move {
            let body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{fault}"), "message": "for a while"});
            (status, [("content-type", "application/x-amz-json-1.0")], body.to_string()).into_response()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(refuse)).await });

        let before = variables(&cloud, "sign");
        let mut elsewhere = before.clone();
        elsewhere["AWS_ENDPOINT_URL_DYNAMODB"] = json!(url);
        set_variables(&cloud, "sign", &elsewhere);
        let once = format!("signature-{number}");
        let refused = caller.once(&once, "/v1/sign", &request);
        set_variables(&cloud, "sign", &before);
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (503, &json!("store_unavailable")),
            "{}",
            refused.text
        );
        assert!(!refused.header("retry-after").is_empty(), "it says when to come back");
        let signed = caller.until_done(&once, "/v1/sign", &request);
        assert_eq!(caller.until_done(&once, "/v1/sign", &request), signed, "it is replayed");
        assert_eq!(caller.events()["signature.issued"], number + 1);
    }
}

fn configuration(cloud: &LocalCloud, function: &str) -> String {
    format!("{}/2015-03-31/functions/{}{function}/configuration", cloud.account, cloud.prefix)
}

fn variables(cloud: &LocalCloud, function: &str) -> Value {
    let answer = cloud.signed(agent().get(configuration(cloud, function)), "lambda").call().unwrap();
    answer.into_body().read_json::<Value>().unwrap()["Environment"]["Variables"].clone()
}

fn set_variables(cloud: &LocalCloud, function: &str, variables: &Value) {
    let body = json!({"Environment": {"Variables": variables}});
    let answer = cloud.signed(agent().put(configuration(cloud, function)), "lambda").send_json(body).unwrap();
    assert_eq!(answer.status().as_u16(), 200);
}
