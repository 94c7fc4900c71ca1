//! Clouds: key services in an account that an organisation names in its settings.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use composite::{ClassicalAlgorithm, MlDsaSet};

use super::{ClassicalSigner, CustodyError, KeyEncryption, PqSigner, ProviderSecret};
use crate::{
    id::{KeyId, OrgId},
    settings::SettingsRecord,
};

/// A cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CloudName {
    /// AWS KMS.
    Aws,
    /// Azure Key Vault.
    Azure,
    /// Google Cloud KMS.
    Gcp,
}

impl CloudName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Aws, Self::Azure, Self::Gcp];

    /// The name in settings, stores and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
        }
    }

    /// The key service's name for people.
    #[must_use]
    pub const fn service(self) -> &'static str {
        match self {
            Self::Aws => "AWS KMS",
            Self::Azure => "Azure Key Vault",
            Self::Gcp => "Google Cloud KMS",
        }
    }

    /// The name on a key's axes.
    #[must_use]
    pub const fn provider(self) -> &'static str {
        match self {
            Self::Aws => "aws-kms",
            Self::Azure => "azure-kv",
            Self::Gcp => "gcp-kms",
        }
    }

    /// The cloud of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.name() == name)
    }
}

impl fmt::Display for CloudName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.service())
    }
}

/// A cloud's key service.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Which.
    fn name(&self) -> CloudName;

    /// Goes into the account that the settings name, for one request: all that is done there shares one budget of time.
    ///
    /// Fails with [`CustodyError::NoAccount`] where the settings name none.
    ///
    /// `secret` is there where [`SettingsRecord::needs_secret`].
    async fn enter(
        &self,
        settings: &SettingsRecord,
        secret: Option<&ProviderSecret>,
    ) -> Result<Entered, CustodyError>;

    /// Tries what settings say, before they are saved: the account is entered as it should be and in no other way, and its
    /// wrapping key wraps and opens. Nothing of it stays. What else is to be tried there has what is left of the budget.
    async fn test(
        &self,
        settings: &SettingsRecord,
        secret: Option<&ProviderSecret>,
    ) -> Result<Entered, CustodyError>;
}

/// An account that was entered.
#[derive(Clone)]
pub struct Entered {
    /// Wraps data keys there.
    pub kek: Arc<dyn KeyEncryption>,
    /// Holds classical halves there.
    pub classical: Arc<dyn ClassicalSigner>,
    /// Holds ML-DSA halves there; `None` in a cloud that cannot.
    pub pq: Option<Arc<dyn PqSigner>>,
    /// Looks after the halves there.
    pub halves: Arc<dyn RemoteHalves>,
}

/// Looks after halves that a cloud holds.
#[async_trait]
pub trait RemoteHalves: Send + Sync {
    /// Has a half deleted, on condition that it carries the deployment's mark and the key's. It takes its time.
    async fn schedule_deletion(
        &self,
        key_id: &str,
        deployment: &DeploymentId,
        key: &KeyId,
    ) -> Result<Deletion, CustodyError>;

    /// Every half in the account and region that carries the deployment's mark, and is not about to be deleted, unless that is only to
    /// be found out by [`Self::is_gone`]. It takes its time.
    async fn marked(&self, deployment: &DeploymentId) -> Result<Vec<MarkedHalf>, CustodyError>;

    /// Whether a half that was found by its mark is deleted already, or about to be: in a cloud that lists such as well.
    async fn is_gone(&self, _key_id: &str) -> Result<bool, CustodyError> {
        Ok(false)
    }

    /// Whether a half would sign. It does not.
    async fn would_sign(&self, key_id: &str, half: HalfAlgorithm) -> Result<(), CustodyError>;
}

/// What a half signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HalfAlgorithm {
    /// The classical half.
    Classical(ClassicalAlgorithm),
    /// The ML-DSA half.
    Pq(MlDsaSet),
}

/// What is left of a call that was to make a half and failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remains {
    /// Certainly nothing.
    Nothing,
    /// Nobody knows.
    Unknown,
    /// The half, of this complete name.
    Half(String),
}

/// How having a half deleted ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It will be, or is already.
    Scheduled,
    /// Its marks are another's: it was left alone.
    NotOurs,
}

/// A half that carries the deployment's mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedHalf {
    /// The cloud's complete name for it.
    pub key_id: String,
    /// The organisation that it is marked with, where that is one's id.
    pub org: Option<OrgId>,
    /// The hybrid key that it is marked with, where that is one's id.
    pub key: Option<KeyId>,
}

/// What a deployment marks with all that it makes in a cloud: 32 hexadecimal digits, random, a store's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeploymentId(String);

impl DeploymentId {
    /// Reads one; `None` for anything but 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        digits.then(|| Self(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kept a cloud from doing what it was asked, and with it who can mend that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CloudFault {
    /// The account is not to be entered as the settings say.
    #[error(
        "did not let the vault into the account: what the settings name must exist there, and take the vault in as they say (in AWS the role, under this organisation's external id; in Azure the application, by its secret or its federated credential; in Google Cloud the service account, by its key, or the workload identity provider)"
    )]
    NotEntered,
    /// The account can be entered without the external id, or with any.
    #[error(
        "lets the vault into the account without this organisation's external id: a role's trust policy must demand it (`sts:ExternalId`), an application's federated credential and a workload identity provider must have it as their audience, or anyone else's vault could be made to use the account"
    )]
    OpenDoor,
    /// The vault has no credentials of its own, or the cloud does not take them.
    #[error(
        "could not be asked: the vault's own credentials for it are missing, expired or not accepted; its operator can mend that"
    )]
    NoCredentials,
    /// The settings name no role, and the deployment's own identity is not one organisation's, or not of that account.
    #[error(
        "is entered by a role: name one as `aws.roleArn`; only a deployment that is declared to serve a single organisation does without, and only for its own account"
    )]
    NoRole,
    /// The key is disabled or gone, or a policy withholds it.
    #[error(
        "refused: the key is disabled or deleted, or a policy no longer lets the vault use it; whoever runs that account can mend it"
    )]
    Denied,
    /// The account may have no more keys.
    #[error("made no key: a quota of the account is used up; whoever runs that account can have it raised")]
    QuotaUsedUp,
    /// Too many calls.
    #[error("has had too many calls from this account; try again, or have its request quota raised")]
    Throttled,
    /// No answer in time.
    #[error("did not answer in time; nothing was released, try again")]
    TimedOut,
    /// It failed, or could not be reached.
    #[error("is unavailable; nothing was released, try again")]
    Unavailable,
    /// It answered with something other than what it was asked for.
    #[error("answered with something other than it was asked for; nothing was released")]
    WrongAnswer,
}

impl CloudFault {
    /// Whether whoever runs the account, or names it, can mend it; else it is the cloud's or the vault's.
    #[must_use]
    pub const fn is_the_accounts(self) -> bool {
        match self {
            Self::NotEntered
            | Self::OpenDoor
            | Self::NoRole
            | Self::Denied
            | Self::QuotaUsedUp
            | Self::Throttled => true,
            Self::NoCredentials | Self::TimedOut | Self::Unavailable | Self::WrongAnswer => false,
        }
    }

    /// Its code in the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotEntered | Self::Denied => "kms_denied",
            Self::OpenDoor => "role_open",
            Self::NoRole => "role_missing",
            Self::NoCredentials => "credentials_unavailable",
            Self::QuotaUsedUp => "kms_quota_exceeded",
            Self::Throttled => "kms_throttled",
            Self::TimedOut => "kms_timeout",
            Self::Unavailable => "kms_unavailable",
            Self::WrongAnswer => "kms_wrong_answer",
        }
    }
}
