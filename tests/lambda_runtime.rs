//! The Lambda binaries really run: each is driven over the Lambda Runtime API with API Gateway HTTP API events (payload
//! 2.0), over DynamoDB, and answers as a vault in one process does.

use std::{
    collections::HashMap,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

use crate::{in_process::Vault, python::root, server_process::binary};

/// One function's environment: a Runtime API on a port of its own, and the function as its process.
pub(crate) struct Lambda {
    process: Child,
    invocations: mpsc::Sender<(String, Value)>,
    answers: Answers,
    count: usize,
}

type Answers = Arc<Mutex<HashMap<String, oneshot::Sender<Result<Value, String>>>>>;

#[derive(Clone)]
struct RuntimeApi {
    next: Arc<AsyncMutex<mpsc::Receiver<(String, Value)>>>,
    answers: Answers,
}

impl Lambda {
    pub(crate) async fn start(name: &str, vault: &Vault) -> Self {
        let mut variables = vault.variables();
        let permissions = std::fs::read_to_string(root().join("docs/aws-permissions.json")).unwrap();
        let permissions: Value = serde_json::from_str(&permissions).unwrap();
        if permissions[name]["signing-kek"].is_null() {
            // What may not open the key-encryption key is not handed one either.
            variables.retain(|(name, _)| *name != "POSTQ_SIGNING_KEK");
        }
        if ["read-ledger", "key-lineage", "receipt"].contains(&name) {
            let sealer = Self::start_with("seal-ledger", &vault.variables()).await;
            variables.push(("AWS_ENDPOINT_URL_LAMBDA", invoke_api(sealer).await));
            variables.push(("POSTQ_SEAL_FUNCTION", "seal-ledger".to_owned()));
        }
        Self::start_with(name, &variables).await
    }

    /// The same with an environment of the caller's choosing.
    pub(crate) async fn start_with(name: &str, variables: &[(&str, String)]) -> Self {
        let (invocations, next) = mpsc::channel(1);
        let answers = Answers::default();
        let api = RuntimeApi { next: Arc::new(AsyncMutex::new(next)), answers: answers.clone() };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_invocation))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
            .with_state(api);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let process = Command::new(binary(name))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, invocations, answers, count: 0 }
    }

    /// Sends one event and reads what comes of it.
    pub(crate) async fn invoke(&mut self, event: Value) -> Result<Value, String> {
        self.count += 1;
        let id = format!("8476a536-e9f4-11e8-9739-2dfe598c3f{:02}", self.count);
        let (answer, answered) = oneshot::channel();
        self.answers.lock().unwrap().insert(id.clone(), answer);
        self.invocations.send((id, event)).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(60), answered).await;
        answer.expect("the function answers").unwrap()
    }

    /// Sends a request and reads the answer as API Gateway would.
    pub(crate) async fn call(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let answer = self.invoke(event(method, path, token, body)).await.unwrap();
        let headers = answer["headers"].as_object().unwrap();
        assert!(headers.contains_key("postq-request-id"), "{answer}");
        let text = answer["body"].as_str().unwrap();
        let text = match answer["isBase64Encoded"].as_bool() {
            Some(true) => String::from_utf8(STANDARD.decode(text).unwrap()).unwrap(),
            _ => text.to_owned(),
        };
        let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        // It may have ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where a Lambda is invoked by other programs (the API of 2015-03-31): its address.
async fn invoke_api(lambda: Lambda) -> String {
    let lambda = Arc::new(AsyncMutex::new(lambda));
    let invoke = async |State(lambda): State<Arc<AsyncMutex<Lambda>>>, body: Bytes| match lambda
        .lock()
        .await
        .invoke(serde_json::from_slice(&body).unwrap())
        .await
    {
        Ok(answer) => answer.to_string().into_response(),
        Err(error) => ([("X-Amz-Function-Error", "Unhandled")], json!({"errorMessage": error}).to_string())
            .into_response(),
    };
    let route = "/2015-03-31/functions/{name}/invocations";
    let router = Router::new().route(route, post(invoke)).with_state(lambda);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn next_invocation(State(api): State<RuntimeApi>) -> Response {
    let next = api.next.lock().await.recv().await;
    let Some((id, event)) = next else {
        return StatusCode::GONE.into_response();
    };
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", id.as_str()),
        ("lambda-runtime-deadline-ms", "32503680000000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:f"),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
        ),
        ("content-type", "application/json"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    (headers, event.to_string()).into_response()
}

async fn answered(State(api): State<RuntimeApi>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    deliver(&api, &id, Ok(serde_json::from_slice(&body).unwrap()))
}

async fn failed(State(api): State<RuntimeApi>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    deliver(&api, &id, Err(String::from_utf8_lossy(&body).into_owned()))
}

fn deliver(api: &RuntimeApi, id: &str, answer: Result<Value, String>) -> StatusCode {
    if let Some(waiting) = api.answers.lock().unwrap().remove(id) {
        // Whoever waited may have been ended meanwhile.
        let _ = waiting.send(answer);
    }
    StatusCode::ACCEPTED
}

/// An event of an API Gateway HTTP API, payload format 2.0.
fn event(method: &str, path: &str, token: &str, body: Option<&Value>) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut event = json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "authorization": format!("Bearer {token}"),
            "host": "abc.execute-api.eu-west-1.amazonaws.com",
            "x-forwarded-proto": "https"
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "domainName": "abc.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "abc",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": format!("{method} {path}"),
            "stage": "$default",
            "time": "10/Mar/2026:05:16:23 +0000",
            "timeEpoch": 1_773_119_783_000_u64
        },
        "isBase64Encoded": false
    });
    if let Some(body) = body {
        event["headers"]["content-type"] = json!("application/json");
        // API Gateway hands a body on as base64 or as text; the functions take both.
        if body.to_string().len().is_multiple_of(2) {
            event["isBase64Encoded"] = json!(true);
            event["body"] = json!(STANDARD.encode(body.to_string()));
        } else {
            event["body"] = json!(body.to_string());
        }
    }
    event
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lambdas_answer_as_one_process_does() {
    let vault = Vault::in_dynamodb().await;
    let token = vault.token.clone();

    let mut create = Lambda::start("create-key", &vault).await;
    let (status, created) =
        create.call("POST", "/v1/hybrid-keys", &token, Some(&json!({"name": "made by a Lambda"}))).await;
    assert_eq!(status, 201, "{created}");
    let id = created["data"]["id"].as_str().unwrap().to_owned();

    let mut sign = Lambda::start("sign", &vault).await;
    let mut verify = Lambda::start("verify", &vault).await;
    for request in [json!({"keyId": id, "payload": "aGVsbG8="}), json!({"keyId": id, "payload": "aGVsbG8h"})]
    {
        let (status, signed) = sign.call("POST", "/v1/sign", &token, Some(&request)).await;
        assert_eq!(status, 200, "{signed}");
        let (_, in_process) = vault.call("/v1/sign", Some(&request)).await;
        assert_eq!(
            without(&signed, ["signature", "eventId", "eventDigest"]),
            without(&in_process, ["signature", "eventId", "eventDigest"])
        );
        for signature in [&signed["data"]["signature"], &in_process["data"]["signature"]] {
            let check = json!({"keyId": id, "payload": request["payload"], "signature": signature});
            let (status, verdict) = verify.call("POST", "/v1/verify", &token, Some(&check)).await;
            assert_eq!((status, &verdict["data"]["ok"]), (200, &json!(true)), "{verdict}");
            assert_eq!(verdict, vault.call("/v1/verify", Some(&check)).await.1);
        }
    }
    // Refusals are the same too, but for the id of the request.
    for (request, token) in [
        (json!({"keyId": "key_x", "payload": ""}), token.as_str()),
        (json!({"keyId": id}), &token),
        (json!({"keyId": id, "payload": "", "context": STANDARD.encode("postq-vault")}), &token),
        (json!({"keyId": id, "payload": ""}), "not-a-token"),
    ] {
        let (status, refused) = sign.call("POST", "/v1/sign", token, Some(&request)).await;
        let (expected, by_vault) = vault.call_as(token, "/v1/sign", Some(&request)).await;
        assert_eq!((status, without(&refused, ["requestId"])), (expected, without(&by_vault, ["requestId"])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_lambda_has_its_route() {
    let vault = Vault::in_dynamodb().await;
    let id = vault.create_key("mldsa44+ed25519").await;
    for (name, path) in [
        ("health", "/health".to_owned()),
        ("health", "/v1/health".to_owned()),
        ("whoami", "/v1/whoami".to_owned()),
        ("list-keys", "/v1/hybrid-keys?limit=1".to_owned()),
        ("get-key", format!("/v1/hybrid-keys/{id}")),
        ("public-key", format!("/v1/hybrid-keys/{id}/public-key")),
        ("key-audit", format!("/v1/hybrid-keys/{id}/audit")),
        ("key-lineage", format!("/v1/hybrid-keys/{id}/lineage")),
        ("api-tokens", "/v1/api-tokens".to_owned()),
        ("usage", "/v1/usage".to_owned()),
        ("get-settings", "/v1/vault/settings".to_owned()),
        ("read-ledger", "/v1/ledger/entries".to_owned()),
        ("read-ledger", "/v1/ledger/checkpoints/latest".to_owned()),
        ("not-found", "/v1/nothing".to_owned()),
    ] {
        let mut lambda = Lambda::start(name, &vault).await;
        let (status, body) = lambda.call("GET", &path, &vault.token, None).await;
        let (expected, in_process) = vault.call(&path, None).await;
        assert_eq!((status, without(&body, ["requestId"])), (expected, without(&in_process, ["requestId"])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lives_and_ends_in_lambdas_and_the_ledger_tells() {
    let vault = Vault::in_dynamodb().await;
    let token = vault.token.clone();
    let id = vault.create_key("mldsa44+ed25519").await;
    let (_, signed) = vault.sign(&id).await;
    let event = signed["data"]["eventId"].as_str().unwrap();
    let call = async |name: &str, method: &str, path: &str, body: Option<&Value>| {
        let mut lambda = Lambda::start(name, &vault).await;
        let (status, answer) = lambda.call(method, path, &token, body).await;
        assert!((200..300).contains(&status), "{name}: {answer}");
        answer["data"].clone()
    };
    let next = call("rotate-key", "POST", &format!("/v1/hybrid-keys/{id}/rotate"), Some(&json!({}))).await;
    let next = next["id"].as_str().unwrap();
    let revoked = call("revoke-key", "DELETE", &format!("/v1/hybrid-keys/{next}"), None).await;
    let (_, refused) = vault.sign(next).await;
    assert_eq!(refused["code"], "key_revoked", "a revocation by one process binds the other at once");
    assert_eq!(revoked["id"], next);
    let entry = call("append-ledger", "POST", "/v1/ledger/entries", Some(&json!({"name": "n"}))).await;
    let sealed = call("seal-ledger", "POST", "/v1/ledger/seal", Some(&json!({}))).await;
    assert_eq!(sealed["treeSize"], entry["seq"].as_u64().unwrap() + 1);
    let receipt = call("receipt", "GET", &format!("/v1/receipts/{event}"), None).await;
    assert_eq!(receipt["ledger"]["checkpoint"]["treeSize"], sealed["treeSize"]);
    let bundle = call("read-ledger", "GET", "/v1/ledger/bundle", None).await;
    let bundle: ledger::Bundle = serde_json::from_value(bundle).unwrap();
    assert!(bundle.check(&ledger::Pins::default()).unwrap().complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_take_events_from_operators_streams_and_schedules() {
    let vault = Vault::in_dynamodb().await;
    let mut make = Lambda::start("create-org", &vault).await;
    let made = make.invoke(json!({"name": "made by a Lambda", "environment": "test"})).await.unwrap();
    let (org, token) = (made["org"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert!(token.starts_with("pq_test_"));
    let (status, who) = vault.call_as(token, "/v1/whoami", None).await;
    assert_eq!((status, who["data"]["org"].as_str()), (200, Some(org)), "{who}");
    for (event, named) in [
        (json!({"environment": "test"}), "name"),
        (json!({"name": "n", "environment": "prod"}), "live"),
        (json!({"name": "n", "environment": "test", "token": "mine"}), "unknown field `token`"),
    ] {
        let refused = make.invoke(event).await.unwrap_err();
        assert!(refused.contains(named), "{refused}");
    }

    // Its events wait until a record of the stream names it, or a schedule asks for all.
    let org: vault::id::OrgId = org.parse().unwrap();
    let waits = async |org: &vault::id::OrgId| !vault.store.unplaced(org, 10).await.unwrap().is_empty();
    let mut sequence = Lambda::start("sequence-events", &vault).await;
    assert!(waits(&org).await && waits(&vault.org).await);
    let record = json!({"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"S": format!("{org}#3")}, "sk": {"S": "evt_x"}}}});
    let done = sequence.invoke(json!({"Records": [record, record]})).await.unwrap();
    assert_eq!(done, json!({"sequenced": 1}));
    assert!(!waits(&org).await && waits(&vault.org).await);
    sequence.invoke(json!({"source": "aws.events"})).await.unwrap();
    assert!(!waits(&vault.org).await && !waits(&vault.other_org).await);

    let mut rotate = Lambda::start("rotate-ledger-key", &vault).await;
    let rotated = rotate.invoke(json!({"org": vault.org})).await.unwrap();
    let now = vault.store.org(&vault.org).await.unwrap().unwrap().ledger_key;
    assert_eq!(rotated["successor"], now.as_str());
    assert!(rotate.invoke(json!({"org": "org_x"})).await.is_err());

    let key = vault.create_key("mldsa44+ed25519").await;
    let mut rewrap = Lambda::start("rewrap-keys", &vault).await;
    let moved = rewrap.invoke(json!({})).await.unwrap();
    assert_eq!(
        (moved["moved"].as_u64(), moved["refused"].as_array().map(Vec::len)),
        (Some(0), Some(0)),
        "{moved}"
    );
    assert!(moved["current"].as_u64() >= Some(4), "{key} and the ledgers' keys: {moved}");

    let mut recover = Lambda::start("recover", &vault).await;
    assert_eq!(recover.invoke(json!({})).await.unwrap(), json!({"restored": false, "revokedAgain": []}));
}

#[test]
fn a_lambda_without_its_environment_says_what_to_set() {
    let told = |variables: &[(&str, &str)]| {
        let output =
            Command::new(binary("sign")).env_clear().envs(variables.iter().copied()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(told(&[]).contains("set POSTQ_TABLES to what the names of the deployment's tables begin with"));
    let tables = ("POSTQ_TABLES", "vault-");
    let region = ("AWS_REGION", "eu-central-1");
    assert!(told(&[tables, region]).contains("set POSTQ_SIGNING_KEK to 32 random bytes in base64"));
    let malformed = told(&[tables, region, ("POSTQ_SIGNING_KEK", "a-malformed-kek")]);
    assert!(malformed.contains("POSTQ_SIGNING_KEK is malformed") && !malformed.contains("a-malformed"));
}

/// The answer without members that differ from call to call.
fn without<const N: usize>(answer: &Value, members: [&str; N]) -> Value {
    let mut answer = answer.clone();
    for member in members {
        if let Some(object) = answer.as_object_mut() {
            object.remove(member);
        }
        if let Some(data) = answer["data"].as_object_mut() {
            data.remove(member);
        }
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sealer_is_reached_by_its_route_by_name_and_by_a_schedule() {
    let vault = Vault::in_dynamodb().await;
    for org in [&vault.org, &vault.other_org] {
        server::sequencer(&vault.store).sequence(org).await.unwrap();
    }
    let mut seal = Lambda::start("seal-ledger", &vault).await;
    assert_eq!(seal.invoke(json!({"org": vault.org})).await.unwrap(), json!({"sealed": 1}));
    let size =
        async |org| vault.store.checkpoints(org, None, 1).await.unwrap().pop().map(|newest| newest.tree_size);
    assert_eq!((size(&vault.org).await, size(&vault.other_org).await), (Some(2), None));
    let schedule = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
    assert_eq!(seal.invoke(schedule.clone()).await.unwrap(), json!({"sealed": 1}));
    assert_eq!(size(&vault.other_org).await, Some(2));
    assert_eq!(seal.invoke(schedule).await.unwrap(), json!({"sealed": 0}), "nothing is new");
    let (status, body) = seal.call("POST", "/v1/ledger/seal", &vault.token, Some(&json!({}))).await;
    assert_eq!((status, &body["data"]["fresh"]), (200, &json!(false)), "{body}");
    assert!(seal.invoke(json!({"org": "org_01h00000000000000000000000"})).await.is_err());
}
