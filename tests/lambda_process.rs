//! A Lambda as its own process, driven over the Lambda Runtime API with API Gateway HTTP API events (payload 2.0).

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
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc, oneshot};

use crate::{in_process::Vault, python::root, server_process::binary};

/// One function's environment: a Runtime API on a port of its own, and the function as its process.
pub(crate) struct Lambda {
    pub(crate) process: Child,
    invocations: mpsc::Sender<(String, Value)>,
    answers: Answers,
    polls: Arc<Notify>,
    count: usize,
}

type Answers = Arc<Mutex<HashMap<String, oneshot::Sender<Result<Value, String>>>>>;

#[derive(Clone)]
struct RuntimeApi {
    next: Arc<AsyncMutex<mpsc::Receiver<(String, Value)>>>,
    answers: Answers,
    polls: Arc<Notify>,
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
        Self::spawn(Command::new(binary(name)), name, variables).await
    }

    /// The same with a program of the caller's choosing.
    pub(crate) async fn spawn(mut program: Command, name: &str, variables: &[(&str, String)]) -> Self {
        let (invocations, next) = mpsc::channel(1);
        let answers = Answers::default();
        let polls = Arc::new(Notify::new());
        let api = RuntimeApi {
            next: Arc::new(AsyncMutex::new(next)),
            answers: answers.clone(),
            polls: polls.clone(),
        };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_invocation))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
            .with_state(api);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let process = program
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
        Self { process, invocations, answers, polls, count: 0 }
    }

    /// Waits until it asks for what to do.
    pub(crate) async fn polls(&self) {
        let polls = tokio::time::timeout(Duration::from_secs(60), self.polls.notified());
        polls.await.expect("the function asks what to do");
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
    api.polls.notify_one();
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
pub(crate) fn event(method: &str, path: &str, token: &str, body: Option<&Value>) -> Value {
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
