//! Who remembers: narrow reads per table, and writes that are each one effect and one transaction.
//!
//! The contract of every port. A method that returns `Ok` has been made durable: it survives the process being killed and
//! the machine losing power. A read sees every write that was acknowledged before it began, on any instance. A write
//! happens whole or not at all, and after an error it may have happened. Nothing here decides who may do what.

mod clouds;
mod ledger_tables;
mod policies;
mod records;
mod replies;

use async_trait::async_trait;
use ledger::Event;

use crate::{
    Timestamp,
    custody::{CloudName, SealedSecret},
    id::{KeyId, OrgId, TokenId},
    record_tag::KekId,
    token::TokenHash,
};

pub use clouds::{
    Clearing, Dependent, Intent, Intents, Leftover, ProviderSecrets, Reconciling, Saving, Settings,
    SettingsWrites,
};
pub use ledger_tables::{
    Batch, CheckpointRecord, CheckpointWrites, EntryFilter, Head, Intake, LedgerReads, Placed, Placing,
    Sealing, Usage, UsageRecord,
};
pub use policies::{MAX_POLICIES, Making, Policies, PolicyWrites, StoredPolicy};
pub use records::{
    ActiveKey, Change, Commit, Hold, IssuedDigest, IssuedRecord, KekHold, KeyFilter, KeyKind, KeyRecord,
    KeyStatus, NewOrg, OrgRecord, Rotation, SealedRecord, SuccessionRecord, TokenRecord, Tombstone,
};
pub use replies::{Attempt, Begin, KEPT_MILLIS, LEASE_MILLIS, Lease, Replies, Reply, Slot, StoredAnswer};

/// Reads organisations.
#[async_trait]
pub trait Orgs: Send + Sync {
    /// One organisation.
    async fn org(&self, org: &OrgId) -> Result<Option<OrgRecord>, StoreError>;

    /// Whether there is any organisation at all: a store without one has never been used.
    async fn any_org(&self) -> Result<bool, StoreError>;

    /// Organisations in the order of their ids: at most `limit`, those after `after`.
    async fn orgs(&self, after: Option<&OrgId>, limit: usize) -> Result<Vec<OrgId>, StoreError>;
}

/// Reads tokens.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// The token of a hash, revoked or not.
    async fn token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError>;

    /// An organisation's tokens, revoked ones too, newest first: at most `limit`, those before `before`.
    async fn tokens(
        &self,
        org: &OrgId,
        before: Option<&TokenId>,
        limit: usize,
    ) -> Result<Vec<TokenRecord>, StoreError>;
}

/// Reads keys. A row that the vault would not have written is [`StoreError::Corrupt`], never a panic and never a guess.
#[async_trait]
pub trait Keys: Send + Sync {
    /// One key of an organisation, of any kind and status.
    async fn key(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyRecord>, StoreError>;

    /// The status of one key alone, read anew. A key with a tombstone is revoked, whatever its row says.
    async fn status(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyStatus>, StoreError>;

    /// User keys of an organisation that match, newest first: at most `limit`, those before `before`.
    async fn list(&self, org: &OrgId, filter: &KeyFilter) -> Result<Vec<KeyRecord>, StoreError>;
}

/// Reads lines: keys that follow each other.
#[async_trait]
pub trait Lines: Send + Sync {
    /// Every key of a line, oldest first, by the line's first key.
    async fn line(&self, org: &OrgId, first: &KeyId) -> Result<Vec<KeyRecord>, StoreError>;

    /// The succession by which a key was followed.
    async fn succession(
        &self,
        org: &OrgId,
        predecessor: &KeyId,
    ) -> Result<Option<SuccessionRecord>, StoreError>;
}

/// Reads sealed halves. Only what signs has this port.
#[async_trait]
pub trait SealedHalves: Send + Sync {
    /// The sealed halves of a key; both `None` where there are none.
    async fn sealed(&self, org: &OrgId, key: &KeyId) -> Result<SealedRecord, StoreError>;
}

/// Reads which signatures were issued.
#[async_trait]
pub trait Issued: Send + Sync {
    /// Whether a signature by the key over the digest was issued and not withheld.
    async fn is_issued(&self, org: &OrgId, key: &KeyId, digest: &IssuedDigest) -> Result<bool, StoreError>;
}

/// Makes organisations.
#[async_trait]
pub trait OrgWrites: Send + Sync {
    /// The organisation, its ledger key and its first token, or [`StoreError::Exists`].
    async fn create_org(&self, org: NewOrg, record: Record) -> Result<(), StoreError>;
}

/// Makes keys, and ends them.
#[async_trait]
pub trait KeyWrites: Send + Sync {
    /// The key's row and its sealed halves, or [`StoreError::Exists`]. The intent of a key that a cloud helps to keep goes in the
    /// same transaction; where it is gone already, or abandoned, nothing is written: [`StoreError::Abandoned`].
    async fn create(&self, key: &KeyRecord, sealed: &SealedRecord, record: Record) -> Result<(), StoreError>;

    /// The successor with its sealed halves and the succession, on condition that the predecessor is active: it becomes
    /// superseded, and its sealed halves, wrapped data key and tag are gone, and the halves that clouds hold of it are in the
    /// outbox. A ledger key's successor becomes its organisation's ledger key. The successor's intent goes as in
    /// [`KeyWrites::create`].
    async fn supersede(&self, rotation: &Rotation, record: Record) -> Result<Change, StoreError>;

    /// The tombstone, for ever, and with it the status; sealed halves, wrapped data key and tag are gone. The tombstone is
    /// also kept apart before this is acknowledged. A key that is revoked already stays as it is: nothing is written, and
    /// the answer is when it was. The halves that clouds hold of it are in the outbox.
    async fn revoke(&self, tombstone: &Tombstone, record: Record) -> Result<Timestamp, StoreError>;
}

/// Makes tokens, and ends them.
#[async_trait]
pub trait TokenWrites: Send + Sync {
    /// The token.
    async fn create_token(&self, token: &TokenRecord, record: Record) -> Result<(), StoreError>;

    /// When the token died: now, or when it did before, in which case nothing is written; `None` where there is none.
    async fn revoke_token(
        &self,
        org: &OrgId,
        token: &TokenId,
        now: Timestamp,
        record: Record,
    ) -> Result<Option<Timestamp>, StoreError>;
}

/// Commits signatures.
#[async_trait]
pub trait SignatureWrites: Send + Sync {
    /// The issued-row and the event. A store that notices in its transaction that the key is revoked writes nothing; one in
    /// which that would set all signers of a key against each other does not look. So whoever releases a signature reads
    /// the key's status after this, never before or beside it.
    async fn record(&self, issued: &IssuedRecord, record: Record) -> Result<Commit, StoreError>;

    /// Takes the issued-row and the kept answer away and writes the event that says so, unless the answer is marked as
    /// replayed: then it may have left, and nothing is written.
    async fn withhold(
        &self,
        issued: &IssuedRecord,
        answer: Option<&Slot>,
        record: Record,
    ) -> Result<(), StoreError>;
}

/// Writes events that have no other effect.
#[async_trait]
pub trait EventWrites: Send + Sync {
    /// The events.
    async fn append(&self, record: Record) -> Result<(), StoreError>;
}

/// Finds keys whose time has come.
#[async_trait]
pub trait DueRotations: Send + Sync {
    /// Rotations that were to be at or before `now`, the longest overdue first: at most `limit`, those after `after`. One may be of
    /// a key that has ended since.
    async fn due(
        &self,
        now: Timestamp,
        after: Option<&DueRotation>,
        limit: usize,
    ) -> Result<Vec<DueRotation>, StoreError>;

    /// Forgets one of a key that has ended.
    async fn settle_rotation(&self, due: &DueRotation) -> Result<(), StoreError>;
}

/// That a key is to be rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRotation {
    /// When.
    pub at: Timestamp,
    /// The organisation.
    pub org: OrgId,
    /// The key.
    pub key: KeyId,
}

/// Moves keys from one key-encryption key to another. The sealed halves are out of its reach.
#[async_trait]
pub trait Rewrapping: Send + Sync {
    /// Active keys of all organisations and kinds, in the order of (org, id): at most `limit`, those after `after`.
    async fn active_keys(
        &self,
        after: Option<(&OrgId, &KeyId)>,
        limit: usize,
    ) -> Result<Vec<ActiveKey>, StoreError>;

    /// The key-encryption keys that active rows name in a well-formed tag or, where they have one, in their wrapping, and those
    /// that encrypted secrets do; and how many rows name each.
    async fn kek_use(&self) -> Result<Vec<(KekId, u64)>, StoreError>;

    /// Puts the new tag and wrapped key on a row, on condition that both are as `from` has them and the key is active;
    /// `false` where they are not.
    async fn rewrap(&self, from: &KeyRecord, to: &KeyRecord) -> Result<bool, StoreError>;

    /// What organisations handed over to be used at clouds, in the order of (org, cloud): at most `limit`, those after `after`.
    async fn secrets(
        &self,
        after: Option<(&OrgId, CloudName)>,
        limit: usize,
    ) -> Result<Vec<(OrgId, CloudName, SealedSecret)>, StoreError>;

    /// Puts the secret that was encrypted anew in place of what it was; `false` where that is not there any more.
    async fn reseal(
        &self,
        org: &OrgId,
        cloud: CloudName,
        from: &SealedSecret,
        to: &SealedSecret,
    ) -> Result<bool, StoreError>;
}

/// Notices that a store was put back to an earlier hour, and brings its revocations back.
#[async_trait]
pub trait Recovery: Send + Sync {
    /// Whether the store is another, or an earlier one, than the revocations that are kept apart belong to. Until it has
    /// recovered, every write fails with [`StoreError::Restored`].
    async fn is_restored(&self) -> Result<bool, StoreError>;

    /// Whether the revocations that are kept apart name another store than this one.
    async fn is_foreign(&self) -> Result<bool, StoreError>;

    /// The tombstones that are kept apart and that the store has not.
    async fn lost_tombstones(&self) -> Result<Vec<Tombstone>, StoreError>;

    /// Revokes a key again, with the event where there is such a key: as [`KeyWrites::revoke`] does, in a store that is restored.
    async fn revoke_again(&self, tombstone: &Tombstone, record: Record) -> Result<(), StoreError>;

    /// Declares the store to be the one that the revocations belong to, and those to be all that it has. Every lost tombstone
    /// must be back. Intents go with it: whether what they speak of was finished is not known any more, so what they led to at a
    /// provider is reported and never deleted.
    async fn declare_recovered(&self) -> Result<(), StoreError>;
}

/// Every port in one store.
pub trait Store:
    Orgs
    + Tokens
    + Keys
    + Lines
    + SealedHalves
    + Issued
    + Intake
    + LedgerReads
    + Usage
    + OrgWrites
    + KeyWrites
    + TokenWrites
    + SignatureWrites
    + EventWrites
    + Placing
    + CheckpointWrites
    + Replies
    + Rewrapping
    + Recovery
    + Settings
    + ProviderSecrets
    + SettingsWrites
    + Intents
    + Reconciling
    + Policies
    + PolicyWrites
    + DueRotations
{
}

impl<S> Store for S where
    S: Orgs
        + Tokens
        + Keys
        + Lines
        + SealedHalves
        + Issued
        + Intake
        + LedgerReads
        + Usage
        + OrgWrites
        + KeyWrites
        + TokenWrites
        + SignatureWrites
        + EventWrites
        + Placing
        + CheckpointWrites
        + Replies
        + Rewrapping
        + Recovery
        + Settings
        + ProviderSecrets
        + SettingsWrites
        + Intents
        + Reconciling
        + Policies
        + PolicyWrites
        + DueRotations
{
}

/// What belongs to an effect and is committed with it.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The events, all of the organisation that the effect is about.
    pub events: Vec<Event>,
    /// The answer to keep for a retry. Where its lease was taken over meanwhile, nothing at all is committed:
    /// [`StoreError::LeaseLost`].
    pub reply: Option<Reply>,
}

impl From<Event> for Record {
    fn from(event: Event) -> Self {
        Self { events: vec![event], reply: None }
    }
}

/// Why a store did not do what the vault asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It did not answer, or could not.
    #[error("the store failed: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row holds what the vault would not have written.
    #[error("column `{column}` holds what the vault would not have written")]
    Corrupt {
        /// The key whose row it is, where it is one's.
        key: Option<KeyId>,
        /// The column.
        column: &'static str,
    },
    /// What is to be made exists.
    #[error("a row of that id exists")]
    Exists,
    /// The creation took so long that it was given up.
    #[error("the creation was abandoned, or its intent is gone")]
    Abandoned,
    /// Another call took over the lease that the answer was to be kept under.
    #[error("the lease of the idempotency key was taken over")]
    LeaseLost,
    /// The store was put back to an earlier hour.
    #[error("the store is not the one that the revocations kept apart belong to")]
    Restored,
}
