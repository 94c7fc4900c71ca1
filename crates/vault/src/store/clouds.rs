//! What is kept for the sake of clouds: settings, and what is to be cleaned up in the accounts that they name.
//!
//! Before anything is made at a provider, an intent is durable that says for which key. Making the key takes the intent away
//! in the same transaction, so an intent that stands is a creation that did not finish, or not yet. What an ended key leaves at
//! a provider is noted in an outbox in the transaction that ends it, and stays there until the provider has it.

use async_trait::async_trait;

use super::{Hold, Record, StoreError};
use crate::{
    Timestamp,
    custody::{CloudName, DeploymentId, SealedSecret},
    id::{KeyId, OrgId},
    providers::{KeyProvider, PqProvider},
    settings::{Demand, SettingsRecord},
};

/// Reads settings.
#[async_trait]
pub trait Settings: Send + Sync {
    /// An organisation's; `None` where it has none.
    async fn settings(&self, org: &OrgId) -> Result<Option<SettingsRecord>, StoreError>;

    /// What this deployment marks with all that it makes in a cloud: the store's name for itself, random, and always the same.
    async fn deployment(&self) -> Result<DeploymentId, StoreError>;
}

/// Reads what organisations handed over to be used at clouds. Only what enters accounts has this port.
#[async_trait]
pub trait ProviderSecrets: Send + Sync {
    /// The secret of an organisation's account in a cloud.
    async fn provider_secret(
        &self,
        org: &OrgId,
        cloud: CloudName,
    ) -> Result<Option<SealedSecret>, StoreError>;
}

/// Changes settings.
#[async_trait]
pub trait SettingsWrites: Send + Sync {
    /// The settings, on condition that those stored were saved when `replaces` says; `None` where there must be none. Where they
    /// name an account no more, it must be one that could be cleared; where they name another, or enter it otherwise, no
    /// creation and no deletion may rest on the old ones. Secrets go with them: those in `secrets` take the place of what was stored,
    /// one of an account that needs none is gone, and any other stays.
    async fn put_settings(
        &self,
        settings: &SettingsRecord,
        secrets: &[(CloudName, SealedSecret)],
        replaces: Option<Timestamp>,
        record: Record,
    ) -> Result<Saving, StoreError>;

    /// Takes the settings and every secret away, on condition that no active key, no creation and no deletion rests on them. While it looks, no
    /// creation begins.
    async fn clear_settings(&self, org: &OrgId, record: Record) -> Result<Clearing, StoreError>;

    /// A key that keeps the organisation's settings from such a change at this moment.
    async fn dependent(&self, org: &OrgId, demand: Demand) -> Result<Option<Dependent>, StoreError>;
}

/// How saving settings ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saving {
    /// They are durable.
    Done,
    /// Others are stored than were expected; nothing was written.
    Changed,
    /// A key rests on an account that they name no more, or enter otherwise; nothing was written.
    InUse(Dependent),
}

/// How taking settings away ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clearing {
    /// They are gone.
    Done,
    /// There were none; nothing was written.
    NotThere,
    /// A key rests on them; nothing was written.
    InUse(Dependent),
}

/// A key that rests on settings. Its text says what would end that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Dependent {
    /// It is being made, or its creation failed and may have left something that is to be found and deleted.
    #[error(
        "{0} is being made by these settings: try again when it is made; where its creation died, the vault looks after an hour for what it left"
    )]
    Making(KeyId),
    /// It is active.
    #[error(
        "{0} is active and rests on these settings: rotate it to other providers while the account still lets it sign, or revoke it"
    )]
    Active(KeyId),
    /// It ended, or was never finished, and a half of it is still to be deleted.
    #[error(
        "a half of {0}, which signs no more, is still to be deleted by these settings: the vault tries until the account lets it; of an account that is gone its operator can have it give up"
    )]
    Leaving(KeyId),
}

/// Notes what is about to be made at a provider.
#[async_trait]
pub trait Intents: Send + Sync {
    /// The intent, on condition that the organisation's settings are those saved at `settings` and stay; `false` where they are
    /// not, and then nothing is written.
    async fn intend(&self, intent: &Intent, settings: Timestamp) -> Result<bool, StoreError>;

    /// Takes an intent back, whose own creation failed and made `left` at providers and certainly nothing else; that is to be deleted.
    /// Where the intent is gone, or the creation abandoned, nothing is written: either the key was made, or somebody else looks
    /// after what was.
    async fn withdraw(&self, org: &OrgId, key: &KeyId, left: &[Leftover]) -> Result<(), StoreError>;
}

/// That a key is about to be made with the help of clouds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The organisation.
    pub org: OrgId,
    /// The key that is to be.
    pub key: KeyId,
    /// Where.
    pub clouds: Vec<CloudName>,
    /// Since when.
    pub since: Timestamp,
}

/// Cleans up at providers. Only the reconciler has this port.
#[async_trait]
pub trait Reconciling: Send + Sync {
    /// Intents of all organisations, the oldest first: at most `limit`.
    async fn intents(&self, limit: usize) -> Result<Vec<Intent>, StoreError>;

    /// From now on the creation cannot be finished; `false` where it was meanwhile.
    async fn abandon(&self, intent: &Intent) -> Result<bool, StoreError>;

    /// Nothing of the abandoned creation is left.
    async fn forget_intent(&self, intent: &Intent) -> Result<(), StoreError>;

    /// Halves that are to be deleted, of all organisations: at most `limit`, those after `after`.
    async fn outbox(&self, after: Option<&Leftover>, limit: usize) -> Result<Vec<Leftover>, StoreError>;

    /// The provider has it.
    async fn settle(&self, leftover: &Leftover) -> Result<(), StoreError>;
}

impl Leftover {
    /// What a key whose halves are held so leaves at clouds when it ends.
    #[must_use]
    pub fn of(org: &OrgId, key: &KeyId, classical: Hold<KeyProvider>, pq: Hold<PqProvider>) -> Vec<Self> {
        let halves = [(classical.provider.cloud(), classical.key_id), (pq.provider.cloud(), pq.key_id)];
        let held = halves.into_iter().filter_map(|(cloud, key_id)| Some((cloud?, key_id?)));
        held.map(|(cloud, key_id)| Self { org: org.clone(), key: key.clone(), cloud, key_id }).collect()
    }
}

/// A half that an ended key left at a provider, and that is to be deleted there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The organisation.
    pub org: OrgId,
    /// The key that ended.
    pub key: KeyId,
    /// Where.
    pub cloud: CloudName,
    /// The cloud's complete name for the half.
    pub key_id: String,
}
