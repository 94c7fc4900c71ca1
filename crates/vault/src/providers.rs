//! Who can hold what: the three axes of a key, the tier that results, and what cannot be combined.

use std::{fmt, str::FromStr};

use composite::{Algorithm, ClassicalAlgorithm};
use serde::{Deserialize, Serialize};

use crate::{Error, caller::UnknownName, custody::CloudName};

/// Who wraps the data key that seals a key's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KekProvider {
    /// The vault's own key-encryption key.
    Env,
    /// A key of AWS KMS.
    AwsKms,
    /// A key of Azure Key Vault.
    AzureKv,
    /// A key of Google Cloud KMS.
    GcpKms,
}

/// Who holds the classical half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyProvider {
    /// The vault, sealed under the key's data key.
    PostqManaged,
    /// AWS KMS.
    AwsKms,
    /// Azure Key Vault.
    AzureKv,
    /// Google Cloud KMS.
    GcpKms,
}

/// Who holds the ML-DSA half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PqProvider {
    /// The vault, sealed under the key's data key.
    PostqManaged,
    /// AWS KMS.
    AwsKms,
    /// Google Cloud KMS.
    GcpKms,
    /// AWS CloudHSM.
    AwsCloudhsm,
    /// Azure Managed HSM.
    AzureManagedHsm,
}

/// How little of a key is in the vault's hands, 0 to 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(into = "u8", try_from = "u8")]
#[schema(value_type = u8, minimum = 0, maximum = 3)]
pub struct Tier(u8);

impl Tier {
    /// 3 if the vault holds neither half; else 2 if it does not hold one; else 1 if somebody else wraps the data key;
    /// else 0.
    #[must_use]
    pub fn derive(kek: Option<KekProvider>, classical: KeyProvider, pq: PqProvider) -> Self {
        let ours = [classical == KeyProvider::PostqManaged, pq == PqProvider::PostqManaged];
        Self(match (ours, kek) {
            ([false, false], _) => 3,
            ([true, false] | [false, true], _) => 2,
            ([true, true], Some(KekProvider::Env) | None) => 0,
            ([true, true], Some(_)) => 1,
        })
    }
}

impl From<Tier> for u8 {
    fn from(tier: Tier) -> Self {
        tier.0
    }
}

impl TryFrom<u8> for Tier {
    type Error = UnknownName;

    fn try_from(tier: u8) -> Result<Self, UnknownName> {
        if tier <= 3 { Ok(Self(tier)) } else { Err(UnknownName) }
    }
}

/// Refuses what no deployment can do, with a sentence that says what would work.
///
/// # Errors
/// [`Error::UnsupportedCombination`], and [`Error::ProviderUnavailable`] for holders that wait for their own makers.
pub fn check_combination(algorithm: Algorithm, classical: KeyProvider, pq: PqProvider) -> Result<(), Error> {
    if classical == KeyProvider::AzureKv && algorithm.classical() == ClassicalAlgorithm::Ed25519 {
        return Err(Error::UnsupportedCombination {
            reason: format!(
                "Azure Key Vault holds P-256 keys only, so keyProvider `azure-kv` cannot hold the classical half of \
                 {algorithm}; choose an `…+ecdsa-p256` algorithm, or keyProvider `aws-kms`, `gcp-kms` or `postq-managed`"
            ),
        });
    }
    if matches!(pq, PqProvider::AwsCloudhsm | PqProvider::AzureManagedHsm) {
        return Err(Error::ProviderUnavailable {
            provider: pq.name(),
            reason: "not yet available — awaiting cloud HSM ML-DSA support".to_owned(),
        });
    }
    Ok(())
}

impl KekProvider {
    const ALL: [Self; 4] = [Self::Env, Self::AwsKms, Self::AzureKv, Self::GcpKms];

    /// The name in the API and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::AwsKms => "aws-kms",
            Self::AzureKv => "azure-kv",
            Self::GcpKms => "gcp-kms",
        }
    }

    /// The cloud that it is part of; `None` for the vault itself.
    #[must_use]
    pub const fn cloud(self) -> Option<CloudName> {
        match self {
            Self::Env => None,
            Self::AwsKms => Some(CloudName::Aws),
            Self::AzureKv => Some(CloudName::Azure),
            Self::GcpKms => Some(CloudName::Gcp),
        }
    }
}

impl KeyProvider {
    const ALL: [Self; 4] = [Self::PostqManaged, Self::AwsKms, Self::AzureKv, Self::GcpKms];

    /// The name in the API and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PostqManaged => "postq-managed",
            Self::AwsKms => "aws-kms",
            Self::AzureKv => "azure-kv",
            Self::GcpKms => "gcp-kms",
        }
    }

    /// The cloud that it is part of; `None` for the vault itself.
    #[must_use]
    pub const fn cloud(self) -> Option<CloudName> {
        match self {
            Self::PostqManaged => None,
            Self::AwsKms => Some(CloudName::Aws),
            Self::AzureKv => Some(CloudName::Azure),
            Self::GcpKms => Some(CloudName::Gcp),
        }
    }
}

impl PqProvider {
    const ALL: [Self; 5] =
        [Self::PostqManaged, Self::AwsKms, Self::GcpKms, Self::AwsCloudhsm, Self::AzureManagedHsm];

    /// The name in the API and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PostqManaged => "postq-managed",
            Self::AwsKms => "aws-kms",
            Self::GcpKms => "gcp-kms",
            Self::AwsCloudhsm => "aws-cloudhsm",
            Self::AzureManagedHsm => "azure-managed-hsm",
        }
    }

    /// The cloud that it is part of; `None` for the vault itself.
    #[must_use]
    pub const fn cloud(self) -> Option<CloudName> {
        match self {
            Self::PostqManaged => None,
            Self::AwsKms | Self::AwsCloudhsm => Some(CloudName::Aws),
            Self::GcpKms => Some(CloudName::Gcp),
            Self::AzureManagedHsm => Some(CloudName::Azure),
        }
    }
}

impl FromStr for KekProvider {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|p| p.name() == name).ok_or(UnknownName)
    }
}

impl FromStr for KeyProvider {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|p| p.name() == name).ok_or(UnknownName)
    }
}

impl FromStr for PqProvider {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|p| p.name() == name).ok_or(UnknownName)
    }
}

impl fmt::Display for KekProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tier_counts_who_else_must_agree() {
        use KekProvider::{AwsKms, Env};
        let tier = |kek, classical, pq| u8::from(Tier::derive(kek, classical, pq));
        assert_eq!(tier(Some(Env), KeyProvider::PostqManaged, PqProvider::PostqManaged), 0);
        assert_eq!(tier(Some(AwsKms), KeyProvider::PostqManaged, PqProvider::PostqManaged), 1);
        assert_eq!(tier(Some(Env), KeyProvider::AzureKv, PqProvider::PostqManaged), 2);
        assert_eq!(tier(Some(Env), KeyProvider::PostqManaged, PqProvider::GcpKms), 2);
        assert_eq!(tier(None, KeyProvider::AwsKms, PqProvider::AwsKms), 3);
    }

    #[test]
    fn azure_holds_p256_only_and_the_refusal_says_what_would_work() {
        let check = |algorithm| check_combination(algorithm, KeyProvider::AzureKv, PqProvider::PostqManaged);
        assert!(check(Algorithm::MlDsa65EcdsaP256).is_ok());
        let refusal = check(Algorithm::MlDsa65Ed25519).unwrap_err().to_string();
        assert!(refusal.contains("ecdsa-p256"), "{refusal}");
    }
}
