//! Azure Key Vault and Entra ID on this machine (`tests/python/local_azure.py`), and what can go wrong with them.

use std::{
    io::{self, BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use custody_azure::{AssertionError, Assertions, AzureCloud, BUDGET, Lookup, Network};
use serde_json::{Value, json};
use vault::{
    Timestamp,
    custody::{DeploymentId, ProviderSecret},
    id::OrgId,
    providers::KekProvider,
    settings::{AzureAccount, AzureAuth, Guid, SettingsRecord, VaultKeyName, VaultUrl},
};
use zeroize::Zeroizing;

use crate::{in_process::Vault, python::root};

/// It lives as long as this, and forgets everything then.
pub(crate) struct LocalAzure {
    process: Child,
    port: u16,
    control: u16,
    root: String,
    /// The hosts that were looked up.
    pub(crate) looked_up: Arc<Mutex<Vec<String>>>,
}

pub(crate) const VAULT: &str = "https://customer.vault.azure.net";
pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const CLIENT: &str = "66666666-7777-8888-9999-000000000000";
/// A canary: it is looked for in all that is logged and answered.
pub(crate) const SECRET: &str = "zYx8Q~canary-of-a-client-secret_1234567890";

impl LocalAzure {
    pub(crate) fn start() -> Self {
        let python = root().join("target/tools/venv/bin/python");
        assert!(python.exists(), "the tests' Python packages are missing; `cargo xtask test` sets them up");
        let script = root().join("tests/python/local_azure.py");
        let mut process = Command::new(python).arg(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        // It listens before it says where.
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).expect("the emulated Azure says where it listens");
        let port = |name: &str| u16::try_from(told[name].as_u64().unwrap()).unwrap();
        let azure = Self {
            process,
            port: port("port"),
            control: port("control"),
            root: told["root"].as_str().unwrap().to_owned(),
            looked_up: Arc::default(),
        };
        azure.control(&json!({
            "apps": {TENANT: {CLIENT: {"secret": SECRET}}},
            "make": [{"host": "customer.vault.azure.net", "name": "kek"}],
        }));
        azure
    }

    /// The network on which Azure's names lead here.
    pub(crate) fn network(&self) -> Network {
        let lookup = Here { port: self.port, looked_up: self.looked_up.clone() };
        self.network_by(Arc::new(lookup))
    }

    /// The same names by another lookup.
    pub(crate) fn network_by(&self, lookup: Arc<dyn Lookup>) -> Network {
        Network::of(lookup, vec![self.root.clone().into_bytes()])
    }

    pub(crate) fn cloud(&self) -> Arc<AzureCloud> {
        Arc::new(AzureCloud::new(&self.network(), Arc::new(TestAssertions)).unwrap())
    }

    pub(crate) fn cloud_with_budget(&self, budget: Duration) -> Arc<AzureCloud> {
        Arc::new(AzureCloud::with_budget(&self.network(), Arc::new(TestAssertions), budget).unwrap())
    }

    pub(crate) fn faults(&self, faults: &Value) {
        self.control(&json!({"faults": faults}));
    }

    pub(crate) fn control(&self, change: &Value) {
        ureq::post(self.control_url()).send_json(change).unwrap();
    }

    pub(crate) fn state(&self) -> Value {
        ureq::get(self.control_url()).call().unwrap().body_mut().read_json().unwrap()
    }

    /// The calls that came, by their names.
    pub(crate) fn calls(&self) -> Vec<String> {
        let state = self.state();
        let calls = state["calls"].as_array().unwrap().iter();
        calls.map(|call| call["action"].as_str().unwrap().to_owned()).collect()
    }

    fn control_url(&self) -> String {
        format!("http://127.0.0.1:{}/control", self.control)
    }

    /// A vault whose first organisation has its account here.
    pub(crate) async fn vault(&self) -> Vault {
        self.equip(Vault::new().await).await
    }

    /// Gives a vault its account here.
    pub(crate) async fn equip(&self, vault: Vault) -> Vault {
        let cloud = self.cloud();
        let vault = vault.with_custody(|custody| custody.clouds.push(cloud));
        let (status, body) = vault.put("/v1/vault/settings", &json!({"azure": account()})).await;
        assert_eq!(status, 200, "{body}");
        vault
    }
}

/// The account as settings name it, with its secret.
pub(crate) fn account() -> Value {
    json!({"vaultUrl": VAULT, "kekName": "kek", "tenantId": TENANT, "clientId": CLIENT, "clientSecret": SECRET})
}

pub(crate) fn secret() -> ProviderSecret {
    ProviderSecret(Zeroizing::new(SECRET.to_owned()))
}

pub(crate) fn settings(auth: AzureAuth) -> SettingsRecord {
    let now = Timestamp::now();
    SettingsRecord {
        org: OrgId::generate(now).unwrap(),
        external_id: "postq-1".to_owned(),
        deployment: DeploymentId::parse(&"0a".repeat(16)).unwrap(),
        default_kek: KekProvider::Env,
        aws: None,
        azure: Some(AzureAccount {
            vault: VaultUrl::parse(VAULT).unwrap(),
            kek: VaultKeyName::parse("kek").unwrap(),
            tenant: Guid::parse(TENANT).unwrap(),
            client: Guid::parse(CLIENT).unwrap(),
            auth,
        }),
        updated_at: now,
    }
}

impl Drop for LocalAzure {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whatever is looked up is here.
struct Here {
    port: u16,
    looked_up: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Lookup for Here {
    async fn lookup(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        self.looked_up.lock().unwrap().push(host.to_owned());
        Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))])
    }

    fn may_connect(&self, address: &SocketAddr) -> bool {
        address.port() == self.port
    }
}

/// Assertions as the emulation reads them: their audience is looked at, their signature is not.
pub(crate) struct TestAssertions;

#[async_trait]
impl Assertions for TestAssertions {
    async fn assertion(&self, audience: &str) -> Result<Zeroizing<String>, AssertionError> {
        let claims = URL_SAFE_NO_PAD.encode(json!({"aud": audience, "sub": "the deployment"}).to_string());
        Ok(Zeroizing::new(format!("{}.{claims}.signature", URL_SAFE_NO_PAD.encode("{}"))))
    }
}

/// A budget is a request's, and a suite is many.
pub(crate) const LONG: Duration = Duration::from_secs(BUDGET.as_secs() * 60);
