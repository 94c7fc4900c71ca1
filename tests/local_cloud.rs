//! A deployment in an emulated account, where `cargo xtask` tells of one: then what tests call over HTTP is that, and no server.
//!
//! `POSTQ_TEST_CLOUD` names the description that `cargo xtask cloud-up` writes.

use std::path::PathBuf;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_types::SdkConfig;
use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, Response},
    response::IntoResponse as _,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use store_dynamodb::DynamoStore;

use crate::{local_kms::config, server_process::agent};

/// Where a deployment is, and under which names.
#[derive(Debug, Clone)]
pub(crate) struct LocalCloud {
    /// AWS's own services.
    pub(crate) account: String,
    /// The API.
    pub(crate) address: String,
    /// What names of functions and tables begin with.
    pub(crate) prefix: String,
    signing_kek_ciphertext: Vec<u8>,
}

impl LocalCloud {
    /// The deployment that the environment tells of.
    pub(crate) fn named() -> Option<Self> {
        let file = PathBuf::from(std::env::var_os("POSTQ_TEST_CLOUD")?);
        let told = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask cloud-up`", file.display()));
        let told: Value = serde_json::from_str(&told).unwrap();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        Some(Self {
            account: text("account"),
            address: text("address"),
            prefix: format!("{}-", text("name")),
            signing_kek_ciphertext: STANDARD.decode(text("signingKekCiphertext")).unwrap(),
        })
    }

    /// For tests that are about a deployment, and have no other bed.
    pub(crate) fn required() -> Self {
        Self::named().expect("there is no deployment: `cargo xtask cloud-up` makes one, and POSTQ_TEST_CLOUD names its target/cloud/cloud.json")
    }

    /// Its account, entered as whoever owns it.
    pub(crate) fn config(&self) -> SdkConfig {
        let owner = Credentials::new("test", "test", None, None, "tests");
        let config = config(&self.account).into_builder();
        config.credentials_provider(SharedCredentialsProvider::new(owner)).build()
    }

    /// A function that is on no route.
    pub(crate) fn invoke(&self, function: &str, event: &Value) -> Value {
        let url = format!("{}/2015-03-31/functions/{}{function}/invocations", self.account, self.prefix);
        let call = self.signed(agent().post(&url), "lambda").send_json(event).unwrap();
        let failed = call.headers().get("x-amz-function-error").cloned();
        let answer: Value = call.into_body().read_json().unwrap();
        assert!(failed.is_none(), "{function}: {answer}");
        answer
    }

    /// The emulator looks at the credential's name alone where it is the owner's.
    pub(crate) fn signed<B>(&self, call: ureq::RequestBuilder<B>, service: &str) -> ureq::RequestBuilder<B> {
        let scope = format!("20260101/{REGION}/{service}/aws4_request");
        call.header("Authorization", format!("AWS4-HMAC-SHA256 Credential=test/{scope}"))
    }

    /// A new organisation: its id and first token.
    pub(crate) fn organisation(&self, name: &str) -> (String, String) {
        let made = self.invoke("create-org", &json!({"name": name, "environment": "live"}));
        (made["org"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
    }

    /// Its tables.
    pub(crate) fn store(&self) -> DynamoStore {
        DynamoStore::new(&self.config(), &self.prefix)
    }

    /// Its key-encryption key, opened as its functions do, in base64.
    pub(crate) async fn kek(&self) -> String {
        let opened = custody_aws::open_signing_kek(&self.config(), &self.signing_kek_ciphertext).await;
        STANDARD.encode(opened.unwrap())
    }

    /// Its API as a router, so that tests call it as they call one in their process.
    pub(crate) fn app(&self) -> Router {
        at(self.address.clone())
    }
}

/// What is served at an address, as a router.
pub(crate) fn at(address: String) -> Router {
    Router::new().fallback(move |request: Request<Body>| {
        let address = address.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let answer =
                tokio::task::spawn_blocking(move || forward(&address, Request::from_parts(parts, body)));
            answer.await.unwrap().map(Body::from).into_response()
        }
    })
}

fn forward(address: &str, mut request: Request<Bytes>) -> Response<Bytes> {
    let path = request.uri().path_and_query().unwrap().clone();
    *request.uri_mut() = format!("{address}{path}").parse().unwrap();
    let answer = if request.body().is_empty() {
        agent().run(request.map(drop))
    } else {
        agent().run(request.map(|body| body.to_vec()))
    };
    let (parts, mut body) = answer.unwrap().into_parts();
    let bytes = body.with_config().limit(64 << 20).read_to_vec().unwrap();
    let mut answer = Response::from_parts(parts, Bytes::from(bytes));
    answer.headers_mut().remove("transfer-encoding");
    answer
}

pub(crate) const REGION: &str = "eu-central-1";

/// The account as the emulator has it.
pub(crate) const ACCOUNT: &str = "000000000000";

/// The one role of a customer's that the deployment may assume.
pub(crate) const CUSTOMER_ROLE: &str = "arn:aws:iam::111111111111:role/vault";
