//! The accounts that a caller asks for, and how they are read.

use serde::{Deserialize, de::IgnoredAny};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::{
    Error,
    custody::ProviderSecret,
    settings::{
        AwsAccount, AzureAccount, AzureAuth, CryptoKeyName, GcpAccount, GcpAuth, Guid, KeyRingName,
        KmsKeyArn, ProtectionLevel, RoleArn, ServiceAccount, ServiceAccountKey, VaultKeyName, VaultUrl,
        WorkloadIdentityProvider,
    },
};

/// The AWS account to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = AwsSettingsRequest)]
pub struct AwsRequest {
    /// The symmetric key that is to wrap data keys, `arn:aws:kms:REGION:ACCOUNT:key/ID`; an alias is refused, because it can be
    /// moved to another key.
    pub key_arn: String,
    /// The role by which the account is to be entered, `arn:aws:iam::ACCOUNT:role/NAME`. Only a deployment that serves a single
    /// organisation does without.
    pub role_arn: Option<String>,
    /// May be sent back as it was read; it cannot be chosen.
    pub external_id: Option<String>,
    /// The key's region; any other is refused.
    pub region: Option<String>,
}

/// The Azure account to be. Without `Debug`: it may hold a secret.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = AzureSettingsRequest)]
pub struct AzureRequest {
    /// The vault, `https://NAME.vault.azure.net`, or a managed HSM; nothing but one of Azure's own addresses is taken.
    pub vault_url: String,
    /// The name of the RSA key in it that is to wrap data keys. `keyName` is an older name for it.
    #[serde(alias = "keyName")]
    pub kek_name: String,
    /// The directory (tenant) id.
    pub tenant_id: String,
    /// The application (client) id.
    pub client_id: String,
    /// How the application proves itself; `client-secret` if left out.
    pub auth: Option<AzureAuth>,
    /// The application's secret, 1 to 1,024 visible characters. It is never shown again. Left out, the stored one stays, unless `vaultUrl`,
    /// `tenantId` or `clientId` is another.
    pub client_secret: Option<HandedOver>,
    /// May be sent back as it was read; it says nothing.
    #[schema(value_type = Option<bool>)]
    pub client_secret_configured: Option<IgnoredAny>,
    /// May be sent back as it was read; it cannot be chosen.
    pub external_id: Option<String>,
}

/// A secret that a caller hands over: erased when dropped, without `Debug`.
#[derive(Deserialize, ToSchema)]
#[serde(from = "String")]
#[schema(value_type = String)]
pub struct HandedOver(Zeroizing<String>);

impl From<String> for HandedOver {
    fn from(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }
}

/// The Google Cloud account to be. Without `Debug`: it may hold a secret.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = GcpSettingsRequest)]
pub struct GcpRequest {
    /// The symmetric key that is to wrap data keys, `projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY`.
    pub kek_key_name: String,
    /// The key ring in which halves are to be made, `projects/PROJECT/locations/LOCATION/keyRings/RING`; the wrapping key's if left out.
    pub key_ring_name: Option<String>,
    /// What is to hold the halves; `software` if left out, the only one that has ML-DSA.
    pub protection_level: Option<ProtectionLevel>,
    /// The provider of a workload identity pool that takes assertions of the deployment's identity,
    /// `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`; then nothing is stored.
    pub workload_identity_provider: Option<String>,
    /// With a provider, the service account to impersonate, if any; with a key, the account that the key is of.
    pub service_account_email: Option<String>,
    /// A service account's key: the text of the JSON file that Google makes. It is never shown again. Left out, the stored one stays,
    /// unless the service account or a project is another.
    pub service_account_key: Option<HandedOver>,
    /// May be sent back as it was read; it says nothing.
    #[schema(value_type = Option<bool>)]
    pub service_account_key_configured: Option<IgnoredAny>,
    /// May be sent back as it was read; it cannot be chosen.
    pub external_id: Option<String>,
}

impl AzureRequest {
    pub(super) fn check(self, external_id: &str) -> Result<(AzureAccount, Option<ProviderSecret>), Error> {
        if self.external_id.is_some_and(|sent| sent != external_id) {
            return Err(another_external_id("azure.externalId", external_id));
        }
        let account = AzureAccount {
            vault: VaultUrl::parse(&self.vault_url).map_err(|e| Error::invalid("azure.vaultUrl", e))?,
            kek: VaultKeyName::parse(&self.kek_name).map_err(|e| Error::invalid("azure.kekName", e))?,
            tenant: Guid::parse(&self.tenant_id).map_err(|e| Error::invalid("azure.tenantId", e))?,
            client: Guid::parse(&self.client_id).map_err(|e| Error::invalid("azure.clientId", e))?,
            auth: self.auth.unwrap_or(AzureAuth::ClientSecret),
        };
        let secret = self.client_secret.map(|HandedOver(secret)| secret);
        let visible = |secret: &Zeroizing<String>| {
            (1..=MAX_SECRET).contains(&secret.len()) && secret.bytes().all(|b| b.is_ascii_graphic())
        };
        match secret {
            Some(_) if account.auth == AzureAuth::Federated => {
                let reason = "leave it out: with `auth: federated` no secret is used, and none is kept";
                Err(Error::invalid("azure.clientSecret", reason))
            }
            Some(secret) if !visible(&secret) => {
                let reason = format!("it has 1 to {MAX_SECRET} visible ASCII characters");
                Err(Error::invalid("azure.clientSecret", reason))
            }
            secret => Ok((account, secret.map(ProviderSecret))),
        }
    }
}

fn another_external_id(field: &str, external_id: &str) -> Error {
    let reason =
        format!("it is made by the vault and cannot be chosen: leave it out, or send `{external_id}`");
    Error::invalid(field, reason)
}

impl AwsRequest {
    pub(super) fn check(self, external_id: &str) -> Result<AwsAccount, Error> {
        let key = KmsKeyArn::parse(&self.key_arn).map_err(|e| Error::invalid("aws.keyArn", e))?;
        let role = self.role_arn.map(|role| RoleArn::parse(&role)).transpose();
        let role = role.map_err(|e| Error::invalid("aws.roleArn", e))?;
        if self.external_id.is_some_and(|sent| sent != external_id) {
            return Err(another_external_id("aws.externalId", external_id));
        }
        if self.region.is_some_and(|region| region != key.region()) {
            let reason = format!("it must be the key's, which is `{}`", key.region());
            return Err(Error::invalid("aws.region", reason));
        }
        AwsAccount::new(key, role)
    }
}

impl GcpRequest {
    /// `stored` is the account that is set now: whose service account's key may stay.
    pub(super) fn check(
        self,
        external_id: &str,
        stored: Option<&GcpAccount>,
    ) -> Result<(GcpAccount, Option<ProviderSecret>), Error> {
        if self.external_id.is_some_and(|sent| sent != external_id) {
            return Err(another_external_id("gcp.externalId", external_id));
        }
        let kek =
            CryptoKeyName::parse(&self.kek_key_name).map_err(|e| Error::invalid("gcp.kekKeyName", e))?;
        let ring = self.key_ring_name.map(|ring| KeyRingName::parse(&ring)).transpose();
        let ring = ring.map_err(|e| Error::invalid("gcp.keyRingName", e))?.unwrap_or_else(|| kek.ring());
        let provider = self.workload_identity_provider;
        let provider = provider.map(|provider| WorkloadIdentityProvider::parse(&provider)).transpose();
        let provider = provider.map_err(|e| Error::invalid("gcp.workloadIdentityProvider", e))?;
        let email = self.service_account_email.map(|email| ServiceAccount::parse(&email)).transpose();
        let email = email.map_err(|e| Error::invalid("gcp.serviceAccountEmail", e))?;
        let key =
            self.service_account_key.map(|HandedOver(text)| ServiceAccountKey::parse(&text)).transpose();
        let key = key.map_err(|e| Error::invalid("gcp.serviceAccountKey", e))?;
        let (auth, secret) = match (provider, key) {
            (Some(_), Some(_)) => {
                let reason = "leave it out: with `workloadIdentityProvider` no key is used, and none is kept";
                return Err(Error::invalid("gcp.serviceAccountKey", reason));
            }
            (Some(provider), None) => (GcpAuth::Federated { provider, account: email }, None),
            (None, Some(key)) => {
                if email.is_some_and(|email| email != key.account) {
                    let reason = "it must be the `client_email` of the key file; it can be left out";
                    return Err(Error::invalid("gcp.serviceAccountEmail", reason));
                }
                let account = key.account.clone();
                (GcpAuth::ServiceAccountKey { account }, Some(ProviderSecret(key.into_text())))
            }
            (None, None) => {
                let kept = match stored.map(|stored| &stored.auth) {
                    Some(GcpAuth::ServiceAccountKey { account }) => Some(account.clone()),
                    _ => None,
                };
                let reason = "send a service account's key file, or `workloadIdentityProvider` in its place";
                let account =
                    email.or(kept).ok_or_else(|| Error::invalid("gcp.serviceAccountKey", reason))?;
                (GcpAuth::ServiceAccountKey { account }, None)
            }
        };
        let protection = self.protection_level.unwrap_or(ProtectionLevel::Software);
        Ok((GcpAccount { kek, ring, protection, auth }, secret))
    }
}

/// In bytes; Entra ID's own have some 40.
const MAX_SECRET: usize = 1024;
