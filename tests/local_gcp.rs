//! Google Cloud KMS on this machine (`tests/python/local_gcp.py`), with what hands out its tokens, and what can go wrong with them.

use std::{ops::Deref, sync::Arc, time::Duration};

use custody_gcp::{BUDGET, GcpCloud};
use serde_json::{Value, json};
use vault::{
    Timestamp,
    custody::{DeploymentId, ProviderSecret},
    id::OrgId,
    providers::KekProvider,
    settings::{
        CryptoKeyName, GcpAccount, GcpAuth, ProtectionLevel, ServiceAccount, ServiceAccountKey,
        SettingsRecord, WorkloadIdentityProvider,
    },
};

use crate::{
    emulation::{Emulation, TestAssertions},
    in_process::Vault,
};

/// It lives as long as this, and forgets everything then.
pub(crate) struct LocalGcp(Emulation);

pub(crate) const RING: &str = "projects/customer-project/locations/europe-west3/keyRings/postq";
pub(crate) const KEK: &str = "projects/customer-project/locations/europe-west3/keyRings/postq/cryptoKeys/kek";
pub(crate) const EMAIL: &str = "postq@customer-project.iam.gserviceaccount.com";
pub(crate) const PROVIDER: &str =
    "projects/123456789012/locations/global/workloadIdentityPools/postq-pool/providers/postq";

/// The hosts that the vault may ask.
pub(crate) const HOSTS: [&str; 3] =
    ["cloudkms.googleapis.com", "sts.googleapis.com", "iamcredentials.googleapis.com"];

/// A way into the account.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Key,
    Federation,
    Impersonation,
}

impl LocalGcp {
    pub(crate) fn start() -> Self {
        let gcp = Self(Emulation::start("local_gcp.py"));
        gcp.control(&json!({
            "serviceAccounts": {EMAIL: {"key": true, "impersonators": [PROVIDER]}},
            "make": [{"ring": RING, "name": "kek"}],
        }));
        gcp
    }

    pub(crate) fn cloud(&self) -> Arc<GcpCloud> {
        self.cloud_with_budget(BUDGET)
    }

    pub(crate) fn cloud_with_budget(&self, budget: Duration) -> Arc<GcpCloud> {
        Arc::new(GcpCloud::with_budget(&self.network(), Arc::new(TestAssertions), budget).unwrap())
    }

    /// The text of the service account's key file, as Google makes it.
    pub(crate) fn key_file(&self) -> String {
        self.state()["keyFiles"][EMAIL].to_string()
    }

    /// The same, as the vault keeps it.
    pub(crate) fn secret(&self) -> ProviderSecret {
        ProviderSecret(ServiceAccountKey::parse(&self.key_file()).unwrap().into_text())
    }

    /// The account as settings name it, with its key.
    pub(crate) fn account(&self) -> Value {
        json!({"kekKeyName": KEK, "serviceAccountKey": self.key_file()})
    }

    /// A vault whose first organisation has its account here.
    pub(crate) async fn vault(&self) -> Vault {
        let cloud = self.cloud();
        let vault = Vault::new().await.with_custody(|custody| custody.clouds.push(cloud));
        let (status, body) = vault.put("/v1/vault/settings", &json!({"gcp": self.account()})).await;
        assert_eq!(status, 200, "{body}");
        vault
    }
}

impl Deref for LocalGcp {
    type Target = Emulation;

    fn deref(&self) -> &Emulation {
        &self.0
    }
}

pub(crate) fn settings(by: By) -> SettingsRecord {
    let now = Timestamp::now();
    let account = ServiceAccount::parse(EMAIL).unwrap();
    let provider = WorkloadIdentityProvider::parse(PROVIDER).unwrap();
    let kek = CryptoKeyName::parse(KEK).unwrap();
    SettingsRecord {
        org: OrgId::generate(now).unwrap(),
        external_id: "postq-1".to_owned(),
        deployment: DeploymentId::parse(&"0a".repeat(16)).unwrap(),
        default_kek: KekProvider::Env,
        dek_cache_ttl: 0,
        aws: None,
        azure: None,
        gcp: Some(GcpAccount {
            ring: kek.ring(),
            kek,
            protection: ProtectionLevel::Software,
            auth: match by {
                By::Key => GcpAuth::ServiceAccountKey { account },
                By::Federation => GcpAuth::Federated { provider, account: None },
                By::Impersonation => GcpAuth::Federated { provider, account: Some(account) },
            },
        }),
        updated_at: now,
    }
}

/// A budget is a request's, and a suite is many.
pub(crate) const LONG: Duration = Duration::from_secs(BUDGET.as_secs() * 60);
