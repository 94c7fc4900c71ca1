//! AWS KMS and STS on this machine (`tests/python/local_kms.py`), and what can go wrong with them.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_kms::{
    Client,
    types::{KeySpec, KeyUsageType},
};
use aws_types::{SdkConfig, region::Region};
use custody_aws::{AwsCloud, OwnIdentity};
use serde_json::{Value, json};
use vault::{
    Timestamp,
    custody::{Cloud, CloudName, DeploymentId},
    id::OrgId,
    providers::KekProvider,
    settings::{AwsAccount, KmsKeyArn, RoleArn, SettingsRecord},
};

use crate::{in_process::Vault, local_dynamodb::http_client, python::root};

/// It lives as long as this, and forgets everything then.
pub(crate) struct LocalKms {
    process: Child,
    port: u16,
}

/// A role of the account, to be named in settings and given a trust policy by [`LocalKms::trust`].
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/vault";

impl LocalKms {
    pub(crate) fn start() -> Self {
        let python = root().join("target/tools/venv/bin/python");
        assert!(python.exists(), "the tests' Python packages are missing; `cargo xtask test` sets them up");
        let script = root().join("tests/python/local_kms.py");
        let mut process = Command::new(python).arg(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        // It listens before it says where.
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, port: port.trim().parse().expect("the emulated KMS says where it listens") }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn config(&self) -> SdkConfig {
        config(&self.url())
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.config())
    }

    pub(crate) fn cloud(&self) -> Arc<AwsCloud> {
        Arc::new(AwsCloud::new(&self.config(), OwnIdentity::Never))
    }

    /// A symmetric key, by its complete name.
    pub(crate) async fn make_kek(&self) -> String {
        make_kek(&self.client()).await
    }

    /// Has the role trust whoever brings the external id; without one, everybody.
    pub(crate) fn trust(&self, role: &str, external_id: Option<&str>) {
        let trust = external_id.map_or(json!({}), |id| json!({"demands": id}));
        self.control(&json!({"roles": {role: trust}}));
    }

    /// Faults by action (`*` for any) and, if named, by a part of a key's name; `times` times, if that is said.
    pub(crate) fn faults(&self, faults: &Value) {
        self.control(&json!({"faults": faults}));
    }

    pub(crate) fn control(&self, change: &Value) {
        let done = ureq::post(format!("{}/control", self.url())).send_json(change).unwrap();
        assert_eq!(done.status(), 200);
    }

    /// `{calls, keys}`
    pub(crate) fn state(&self) -> Value {
        let answer = ureq::get(format!("{}/control", self.url())).call().unwrap();
        answer.into_body().read_json().unwrap()
    }

    /// The actions that were called since they were last forgotten, in their order.
    pub(crate) fn calls(&self) -> Vec<String> {
        let state = self.state();
        let calls = state["calls"].as_array().unwrap().iter();
        calls.map(|call| call["action"].as_str().unwrap().to_owned()).collect()
    }

    /// Keys with marks of the vault's: their states.
    pub(crate) fn marked(&self) -> Vec<(String, String)> {
        let state = self.state();
        let marked = |key: &&Value| key["Tags"].as_array().is_some_and(|tags| !tags.is_empty());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let keys = state["keys"].as_array().unwrap().iter();
        keys.filter(marked).map(|key| (text(&key["Arn"]), text(&key["KeyState"]))).collect()
    }

    /// A vault whose first organisation has its account here, entered by [`ROLE`].
    pub(crate) async fn vault(&self) -> (Vault, String) {
        self.equip(Vault::new().await).await
    }

    /// Gives a vault its account here.
    pub(crate) async fn equip(&self, vault: Vault) -> (Vault, String) {
        let cloud = self.cloud();
        let vault = vault.with_custody(|custody| custody.clouds.push(cloud));
        let whoami = vault.get("/v1/whoami").await;
        self.trust(ROLE, whoami["externalId"].as_str());
        let kek = self.make_kek().await;
        let settings = json!({"aws": {"keyArn": kek, "roleArn": ROLE}});
        let (status, body) = vault.put("/v1/vault/settings", &settings).await;
        assert_eq!(status, 200, "{body}");
        (vault, kek)
    }
}

impl Drop for LocalKms {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How an AWS on this machine is reached.
pub(crate) fn config(url: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "any", "any", None, None, "tests",
        )))
        .endpoint_url(url)
        .http_client(http_client())
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        ))
        .time_source(aws_smithy_async::time::SharedTimeSource::new(
            aws_smithy_async::time::SystemTimeSource::new(),
        ))
        .build()
}

pub(crate) async fn make_kek(kms: &Client) -> String {
    let call = kms.create_key().key_spec(KeySpec::SymmetricDefault).key_usage(KeyUsageType::EncryptDecrypt);
    call.send().await.unwrap().key_metadata.unwrap().arn.unwrap()
}

/// Settings that name a key, and a role if one is to be assumed under this external id.
pub(crate) fn settings(key: &str, role: Option<(&str, &str)>) -> SettingsRecord {
    let now = Timestamp::now();
    let key = KmsKeyArn::parse(key).unwrap();
    SettingsRecord {
        org: OrgId::generate(now).unwrap(),
        external_id: role.map_or("postq-none", |(_, external_id)| external_id).to_owned(),
        deployment: DeploymentId::parse(&"0a".repeat(16)).unwrap(),
        default_kek: KekProvider::Env,
        dek_cache_ttl: 0,
        aws: Some(AwsAccount::new(key, role.map(|(arn, _)| RoleArn::parse(arn).unwrap())).unwrap()),
        azure: None,
        gcp: None,
        updated_at: now,
    }
}

/// What a cloud answered instead of what it was asked for, by its code in the API.
pub(crate) fn fault<T>(outcome: Result<T, vault::custody::CustodyError>) -> &'static str {
    match outcome.err().expect("it succeeded") {
        vault::custody::CustodyError::Cloud { cloud: CloudName::Aws, fault, .. } => fault.code(),
        error => panic!("{error}"),
    }
}

/// An account that was entered.
pub(crate) async fn enter(cloud: &dyn Cloud, settings: &SettingsRecord) -> vault::custody::Entered {
    cloud.enter(settings, None).await.unwrap()
}
