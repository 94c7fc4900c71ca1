//! What an organisation has set: which accounts of its own in which clouds the vault is to use, and how it enters them.

mod azure;
mod gcp;

use std::fmt;

use ledger::Json;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Timestamp,
    custody::{CloudName, DEK_CACHE_TTL_OF_ENV, DeploymentId},
    id::OrgId,
    providers::KekProvider,
};

pub use azure::{
    AzureAccount, AzureAuth, AzureCloudName, Guid, NotOfAzure, VaultKeyId, VaultKeyName, VaultUrl,
};
pub use gcp::{
    CryptoKeyName, CryptoKeyVersionName, GcpAccount, GcpAuth, KeyRingName, NotOfGcp, ProtectionLevel,
    ServiceAccount, ServiceAccountKey, WorkloadIdentityProvider,
};

/// An organisation's settings, with all that a cloud needs to be entered by them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsRecord {
    /// The organisation.
    pub org: OrgId,
    /// What its accounts must be told to expect from it: the organisation's, never a caller's choice.
    pub external_id: String,
    /// What is made in its accounts is marked with.
    pub deployment: DeploymentId,
    /// Who wraps the data keys of keys that do not say.
    pub default_kek: KekProvider,
    /// For how many seconds halves may stay opened whose data key one of its clouds wraps, at most [`MAX_DEK_CACHE_TTL`].
    pub dek_cache_ttl: u16,
    /// Its AWS account.
    pub aws: Option<AwsAccount>,
    /// Its Azure account.
    pub azure: Option<AzureAccount>,
    /// Its Google Cloud account.
    pub gcp: Option<GcpAccount>,
    /// When they were saved.
    pub updated_at: Timestamp,
}

impl SettingsRecord {
    /// Whether they name an account in the cloud.
    #[must_use]
    pub const fn names(&self, cloud: CloudName) -> bool {
        match cloud {
            CloudName::Aws => self.aws.is_some(),
            CloudName::Azure => self.azure.is_some(),
            CloudName::Gcp => self.gcp.is_some(),
        }
    }

    /// The clouds that they name an account in.
    pub fn clouds(&self) -> impl Iterator<Item = CloudName> {
        CloudName::ALL.into_iter().filter(|cloud| self.names(*cloud))
    }

    /// What putting these in place of `stored` asks of what rests on those.
    #[must_use]
    pub fn demands(&self, stored: &Self) -> Demand {
        fn demand<A>(old: Option<&A>, new: Option<&A>, same: impl Fn(&A, &A) -> bool) -> Demand {
            match (old, new) {
                (Some(_), None) => Demand::Nothing,
                (Some(old), Some(new)) if same(old, new) => Demand::None,
                (Some(_), Some(_)) => Demand::NothingPending,
                (None, _) => Demand::None,
            }
        }
        let aws = demand(stored.aws.as_ref(), self.aws.as_ref(), AwsAccount::is_entered_as);
        let azure = demand(stored.azure.as_ref(), self.azure.as_ref(), AzureAccount::is_entered_as);
        let gcp = demand(stored.gcp.as_ref(), self.gcp.as_ref(), GcpAccount::is_entered_as);
        aws.max(azure).max(gcp)
    }

    /// Whether an account of the cloud is entered by a secret that the vault keeps.
    #[must_use]
    pub fn needs_secret(&self, cloud: CloudName) -> bool {
        match cloud {
            CloudName::Azure => {
                self.azure.as_ref().is_some_and(|azure| azure.auth == AzureAuth::ClientSecret)
            }
            CloudName::Gcp => {
                self.gcp.as_ref().is_some_and(|gcp| matches!(gcp.auth, GcpAuth::ServiceAccountKey { .. }))
            }
            CloudName::Aws => false,
        }
    }

    /// What the secret of a cloud is bound to.
    pub(crate) fn binding(&self, cloud: CloudName) -> Option<[u8; 32]> {
        match cloud {
            CloudName::Azure => self.azure.as_ref().map(AzureAccount::derive_binding),
            CloudName::Gcp => self.gcp.as_ref().map(GcpAccount::derive_binding),
            CloudName::Aws => None,
        }
    }

    /// What the ledger tells of them: names, no secret.
    #[must_use]
    pub fn to_event_data(&self) -> Json {
        let aws = self.aws.as_ref().map_or(Json::Null, |aws| {
            Json::object([
                ("keyArn", aws.key.as_str().into()),
                ("roleArn", aws.role.as_ref().map(RoleArn::as_str).into()),
            ])
        });
        let default_kek = self.default_kek.name().into();
        let mut members = vec![("aws", aws), ("defaultKekProvider", default_kek)];
        if self.dek_cache_ttl > 0 {
            members.push(("dekCacheTtlSeconds", u64::from(self.dek_cache_ttl).into()));
        }
        members.extend(self.azure.as_ref().map(|azure| ("azure", azure.to_event_data())));
        members.extend(self.gcp.as_ref().map(|gcp| ("gcp", gcp.to_event_data())));
        Json::object(members)
    }
}

/// The longest that halves may stay opened under a customer's key-encryption key, in seconds.
pub const MAX_DEK_CACHE_TTL: u16 = 300;

/// For how many seconds halves may stay opened whose data key a provider wraps. Unless the organisation says otherwise, a grant of
/// its cloud's that is withdrawn ends the next signature.
pub(crate) fn keeps_opened(kek: KekProvider, settings: Option<&SettingsRecord>) -> u16 {
    match kek.cloud() {
        None => DEK_CACHE_TTL_OF_ENV,
        Some(_) => settings.map_or(0, |settings| settings.dek_cache_ttl),
    }
}

/// So many seconds, where that is not too long.
#[must_use]
pub fn dek_cache_ttl(seconds: u64) -> Option<u16> {
    u16::try_from(seconds).ok().filter(|seconds| *seconds <= MAX_DEK_CACHE_TTL)
}

/// What a change of settings asks of what rests on the old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// Nothing.
    None,
    /// That no creation and no deletion rests on them.
    NothingPending,
    /// That neither these nor an active key do.
    Nothing,
}

/// An AWS account, by a key in it and the role by which it is entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AwsAccount {
    /// The symmetric key that wraps data keys; halves are made in its account and region.
    pub key: KmsKeyArn,
    /// The role to assume; `None` where the deployment serves one organisation and its own identity may use the account.
    pub role: Option<RoleArn>,
}

/// The complete name of a KMS key: `arn:aws:kms:REGION:ACCOUNT:key/ID`.
///
/// An alias is refused: it can be moved to another key, and what was wrapped by the first would not open any more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KmsKeyArn(String);

/// The complete name of a role: `arn:aws:iam::ACCOUNT:role/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleArn(String);

/// A string that is not the complete name that it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be of the form `{0}`")]
pub struct MalformedArn(&'static str);

impl KmsKeyArn {
    /// Reads one.
    ///
    /// # Errors
    /// [`MalformedArn`], which shows the form.
    pub fn parse(text: &str) -> Result<Self, MalformedArn> {
        let malformed = MalformedArn("arn:aws:kms:REGION:ACCOUNT:key/ID");
        let [arn, partition, service, region, account, resource] = parts(text).ok_or(malformed)?;
        let id = resource.strip_prefix("key/").ok_or(malformed)?;
        let sound = arn == "arn"
            && is_partition(partition)
            && service == "kms"
            && is_word(region)
            && is_account(account)
            && is_word(id)
            && id.len() <= 64;
        if sound { Ok(Self(text.to_owned())) } else { Err(malformed) }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `aws`, `aws-us-gov` or `aws-cn`.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// The region that the key is in.
    #[must_use]
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The account that the key is in: 12 digits.
    #[must_use]
    pub fn account(&self) -> &str {
        self.part(4)
    }

    fn part(&self, number: usize) -> &str {
        self.0.split(':').nth(number).unwrap_or_default()
    }
}

impl RoleArn {
    /// Reads one.
    ///
    /// # Errors
    /// [`MalformedArn`], which shows the form.
    pub fn parse(text: &str) -> Result<Self, MalformedArn> {
        let malformed = MalformedArn("arn:aws:iam::ACCOUNT:role/NAME");
        let [arn, partition, service, region, account, resource] = parts(text).ok_or(malformed)?;
        let name = resource.strip_prefix("role/").ok_or(malformed)?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c);
        let sound = arn == "arn"
            && is_partition(partition)
            && service == "iam"
            && region.is_empty()
            && is_account(account)
            && !name.is_empty()
            && name.len() <= 577
            && name.chars().all(legal);
        if sound { Ok(Self(text.to_owned())) } else { Err(malformed) }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `aws`, `aws-us-gov` or `aws-cn`.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// The account that the role is in.
    #[must_use]
    pub fn account(&self) -> &str {
        self.part(4)
    }

    fn part(&self, number: usize) -> &str {
        self.0.split(':').nth(number).unwrap_or_default()
    }
}

impl AwsAccount {
    /// A key and a role of one account.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the role is in another account than the key: what it makes would be too.
    pub fn new(key: KmsKeyArn, role: Option<RoleArn>) -> Result<Self, Error> {
        match &role {
            Some(role) if (role.partition(), role.account()) != (key.partition(), key.account()) => {
                Err(Error::invalid("aws.roleArn", "it must be in the partition and account of `aws.keyArn`"))
            }
            _ => Ok(Self { key, role }),
        }
    }

    /// Whether another way of naming an account leads to the same place, as the same role.
    fn is_entered_as(&self, other: &Self) -> bool {
        let (own, others) = (&self.key, &other.key);
        self.role == other.role && own.account() == others.account() && own.region() == others.region()
    }
}

impl TryFrom<String> for KmsKeyArn {
    type Error = MalformedArn;

    fn try_from(text: String) -> Result<Self, MalformedArn> {
        Self::parse(&text)
    }
}

impl From<KmsKeyArn> for String {
    fn from(arn: KmsKeyArn) -> Self {
        arn.0
    }
}

impl TryFrom<String> for RoleArn {
    type Error = MalformedArn;

    fn try_from(text: String) -> Result<Self, MalformedArn> {
        Self::parse(&text)
    }
}

impl From<RoleArn> for String {
    fn from(arn: RoleArn) -> Self {
        arn.0
    }
}

impl fmt::Display for KmsKeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn parts(text: &str) -> Option<[&str; 6]> {
    let mut parts = text.splitn(6, ':');
    let six = std::array::from_fn(|_| parts.next());
    let complete = six.iter().all(Option::is_some);
    complete.then(|| six.map(Option::unwrap_or_default))
}

fn is_partition(text: &str) -> bool {
    matches!(text, "aws" | "aws-us-gov" | "aws-cn")
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_completely_or_not_at_all() {
        let arn = KmsKeyArn::parse("arn:aws:kms:eu-central-1:123456789012:key/mrk-0a1b").unwrap();
        assert_eq!((arn.partition(), arn.region(), arn.account()), ("aws", "eu-central-1", "123456789012"));
        for malformed in [
            "",
            "0a1b2c3d",
            "arn:aws:kms:eu-central-1:123456789012:alias/mine",
            "arn:aws:kms:eu-central-1:1234:key/0a1b",
            "arn:aws:kms:eu-central-1:123456789012:key/",
            "arn:aws:kms:eu-central-1:123456789012:key/0a1b/..",
            "arn:elsewhere:kms:eu-central-1:123456789012:key/0a1b",
            "arn:aws:kms:eu central:123456789012:key/0a1b",
            "arn:aws:s3:eu-central-1:123456789012:key/0a1b",
        ] {
            assert!(KmsKeyArn::parse(malformed).is_err(), "{malformed}");
        }
    }

    #[test]
    fn a_role_is_in_the_account_of_its_key() {
        let key = KmsKeyArn::parse("arn:aws:kms:eu-central-1:123456789012:key/0a1b").unwrap();
        let role =
            |account: &str| RoleArn::parse(&format!("arn:aws:iam::{account}:role/vault/signer")).unwrap();
        assert!(AwsAccount::new(key.clone(), Some(role("123456789012"))).is_ok());
        assert!(AwsAccount::new(key, Some(role("210987654321"))).is_err());
        for malformed in ["arn:aws:iam::123456789012:user/me", "arn:aws:iam:eu:123456789012:role/r", "role/r"]
        {
            assert!(RoleArn::parse(malformed).is_err(), "{malformed}");
        }
    }
}
