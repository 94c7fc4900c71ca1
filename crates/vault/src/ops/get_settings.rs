//! Shows an organisation's settings. No secret is among them.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Error,
    caller::Caller,
    providers::KekProvider,
    settings::{
        AzureAuth, ProtectionLevel, RoleArn, ServiceAccount, SettingsRecord, WorkloadIdentityProvider,
    },
    store::Settings,
};

/// What showing settings touches.
#[derive(Clone)]
pub struct Ports {
    /// Settings are read.
    pub settings: Arc<dyn Settings>,
}

/// Settings as the API shows them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VaultSettings)]
pub struct Response {
    /// Who wraps the data keys of keys that do not say.
    pub default_kek_provider: KekProvider,
    /// For how many seconds a process may keep a key's halves opened whose data key a cloud wraps, 0 to 300. At 0 every signature asks the
    /// cloud.
    pub dek_cache_ttl_seconds: u16,
    /// The AWS account; null where there is none.
    pub aws: Option<AwsSettings>,
    /// The Azure account; null where there is none.
    pub azure: Option<AzureSettings>,
    /// The Google Cloud account; null where there is none.
    pub gcp: Option<GcpSettings>,
    /// When they were saved, RFC 3339 UTC with milliseconds.
    pub updated_at: String,
}

/// The AWS account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsSettings {
    /// The symmetric key that wraps data keys, `arn:aws:kms:REGION:ACCOUNT:key/ID`. Halves are made in its account and region.
    pub key_arn: String,
    /// The role by which the account is entered; null where the deployment serves one organisation and uses its own identity.
    pub role_arn: Option<String>,
    /// What the role's trust policy must demand as `sts:ExternalId`. The vault made it; it cannot be chosen.
    pub external_id: String,
    /// The key's region.
    pub region: String,
}

/// The Azure account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureSettings {
    /// The vault, `https://NAME.vault.azure.net`. Halves are made in it.
    pub vault_url: String,
    /// The name of the RSA key in it that wraps data keys.
    pub kek_name: String,
    /// The directory (tenant) id.
    pub tenant_id: String,
    /// The application (client) id.
    pub client_id: String,
    /// How the application proves itself.
    pub auth: AzureAuth,
    /// Whether a secret is stored. It is never shown.
    pub client_secret_configured: bool,
    /// With `auth: federated`, the audience that the application's federated credential must expect. The vault made it; it cannot be
    /// chosen.
    pub external_id: String,
}

/// The Google Cloud account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpSettings {
    /// The symmetric key that wraps data keys, `projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY`.
    pub kek_key_name: String,
    /// The key ring in which halves are made.
    pub key_ring_name: String,
    /// What holds the halves.
    pub protection_level: ProtectionLevel,
    /// What takes assertions of the deployment's identity; null where it is entered by a service account's key.
    pub workload_identity_provider: Option<String>,
    /// The service account that the key is of, or that is impersonated; null where the grants are the deployment's identity's own.
    pub service_account_email: Option<String>,
    /// Whether a service account's key is stored. It is never shown.
    pub service_account_key_configured: bool,
    /// With `workloadIdentityProvider`, the audience that the provider must expect, and no other. The vault made it; it cannot be
    /// chosen.
    pub external_id: String,
}

/// Shows; `None` where nothing is set.
///
/// # Errors
/// [`Error::StoreUnavailable`].
pub async fn get_settings(ports: &Ports, caller: &Caller) -> Result<Option<Response>, Error> {
    Ok(ports.settings.settings(&caller.org).await?.map(Response::from))
}

impl From<SettingsRecord> for Response {
    fn from(settings: SettingsRecord) -> Self {
        let external_id = settings.external_id;
        let azure = settings.azure.map(|azure| AzureSettings {
            vault_url: azure.vault.into(),
            kek_name: azure.kek.into(),
            tenant_id: azure.tenant.into(),
            client_id: azure.client.into(),
            auth: azure.auth,
            client_secret_configured: azure.auth == AzureAuth::ClientSecret,
            external_id: external_id.clone(),
        });
        let gcp = settings.gcp.map(|gcp| GcpSettings {
            protection_level: gcp.protection,
            workload_identity_provider: gcp.provider().cloned().map(WorkloadIdentityProvider::into),
            service_account_email: gcp.service_account().cloned().map(ServiceAccount::into),
            service_account_key_configured: gcp.provider().is_none(),
            external_id: external_id.clone(),
            kek_key_name: gcp.kek.into(),
            key_ring_name: gcp.ring.into(),
        });
        let aws = settings.aws.map(|aws| AwsSettings {
            region: aws.key.region().to_owned(),
            key_arn: aws.key.into(),
            role_arn: aws.role.map(RoleArn::into),
            external_id,
        });
        Self {
            default_kek_provider: settings.default_kek,
            dek_cache_ttl_seconds: settings.dek_cache_ttl,
            aws,
            azure,
            gcp,
            updated_at: settings.updated_at.to_string(),
        }
    }
}
