//! Azure Key Vault and Entra ID on this machine (`tests/python/local_azure.py`), and what can go wrong with them.

use std::{ops::Deref, sync::Arc, time::Duration};

use custody_azure::{AzureCloud, BUDGET};
use serde_json::{Value, json};
use vault::{
    Timestamp,
    custody::{DeploymentId, ProviderSecret},
    id::OrgId,
    providers::KekProvider,
    settings::{AzureAccount, AzureAuth, Guid, SettingsRecord, VaultKeyName, VaultUrl},
};
use zeroize::Zeroizing;

use crate::{
    emulation::{Emulation, TestAssertions},
    in_process::Vault,
};

/// It lives as long as this, and forgets everything then.
pub(crate) struct LocalAzure(Emulation);

pub(crate) const VAULT: &str = "https://customer.vault.azure.net";
pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const CLIENT: &str = "66666666-7777-8888-9999-000000000000";
/// A canary: it is looked for in all that is logged and answered.
pub(crate) const SECRET: &str = "zYx8Q~canary-of-a-client-secret_1234567890";

impl LocalAzure {
    pub(crate) fn start() -> Self {
        let azure = Self(Emulation::start("local_azure.py"));
        azure.control(&json!({
            "apps": {TENANT: {CLIENT: {"secret": SECRET}}},
            "make": [{"host": "customer.vault.azure.net", "name": "kek"}],
        }));
        azure
    }

    pub(crate) fn cloud(&self) -> Arc<AzureCloud> {
        self.cloud_with_budget(BUDGET)
    }

    pub(crate) fn cloud_with_budget(&self, budget: Duration) -> Arc<AzureCloud> {
        Arc::new(AzureCloud::with_budget(&self.network(), Arc::new(TestAssertions), budget).unwrap())
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

impl Deref for LocalAzure {
    type Target = Emulation;

    fn deref(&self) -> &Emulation {
        &self.0
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
        dek_cache_ttl: 0,
        aws: None,
        azure: Some(AzureAccount {
            vault: VaultUrl::parse(VAULT).unwrap(),
            kek: VaultKeyName::parse("kek").unwrap(),
            tenant: Guid::parse(TENANT).unwrap(),
            client: Guid::parse(CLIENT).unwrap(),
            auth,
        }),
        gcp: None,
        updated_at: now,
    }
}

/// A budget is a request's, and a suite is many.
pub(crate) const LONG: Duration = Duration::from_secs(BUDGET.as_secs() * 60);
