//! The tables of the ledger: the intake, the entries and their tree, the checkpoints, and what is counted beside.

use async_trait::async_trait;
use ledger::{Entry, Event, EventType, TileId, tree::Hash};

use super::{KeyStatus, Reply, StoreError};
use crate::{
    Timestamp,
    id::{CheckpointId, EventId, KeyId, OrgId},
    providers::Tier,
};

/// Reads the intake: events that were committed and have no place yet.
///
/// An intake may be spread over lanes that are read one after the other, so that what is read is no moment in time. What
/// one read promises: every event that was committed before it began and had no place by then is in it, unless the limit
/// cut it off; and none is in it that had its place before it began.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Organisations that have events without a place: at most `limit`.
    async fn waiting(&self, limit: usize) -> Result<Vec<OrgId>, StoreError>;

    /// At most `limit` events. Fewer than `limit` are all there are. Where there are none, a head that is read afterwards has
    /// all that left.
    async fn unplaced(&self, org: &OrgId, limit: usize) -> Result<Vec<Event>, StoreError>;
}

/// Reads the ledger.
#[async_trait]
pub trait LedgerReads: Send + Sync {
    /// Where an organisation's ledger ends.
    async fn head(&self, org: &OrgId) -> Result<Head, StoreError>;

    /// The place of an event; `None` where it has none.
    async fn place(&self, org: &OrgId, event: &EventId) -> Result<Option<u64>, StoreError>;

    /// Entries that match, in their order or the newest first.
    async fn entries(&self, org: &OrgId, filter: &EntryFilter) -> Result<Vec<Entry>, StoreError>;

    /// The entries that the vault wrote about a key, newest first: at most `limit`, those before the place `before`.
    async fn key_entries(
        &self,
        org: &OrgId,
        key: &KeyId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Tiles of the tree, each as its hashes one after the other; those that do not exist are left out.
    async fn tiles(&self, org: &OrgId, ids: &[TileId]) -> Result<Vec<(TileId, Vec<u8>)>, StoreError>;

    /// Checkpoints, newest first: at most `limit`, those of trees smaller than `below`.
    async fn checkpoints(
        &self,
        org: &OrgId,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<CheckpointRecord>, StoreError>;
}

/// Gives events their place.
#[async_trait]
pub trait Placing: Send + Sync {
    /// How many events a batch may have, at least 1.
    fn max_batch(&self) -> usize;

    /// The whole batch, on condition that the ledger ends at `from`; `false` where it does not. No event of the batch has a
    /// place already.
    async fn append_batch(&self, org: &OrgId, from: &Head, batch: &Batch) -> Result<bool, StoreError>;
}

/// Keeps checkpoints.
#[async_trait]
pub trait CheckpointWrites: Send + Sync {
    /// The checkpoint, on condition that it is larger than every other and that the key which signed it is active; and with
    /// it the answer to keep, if there is one.
    async fn seal(
        &self,
        org: &OrgId,
        checkpoint: &CheckpointRecord,
        reply: Option<Reply>,
    ) -> Result<Sealing, StoreError>;
}

/// Reads what is counted beside the ledger.
#[async_trait]
pub trait Usage: Send + Sync {
    /// How many keys there are, and how many signatures were committed on each day since `since`, both by the ledger.
    async fn usage(&self, org: &OrgId, since: &str) -> Result<UsageRecord, StoreError>;

    /// When each of the keys last signed, by the ledger; in the order of `keys`.
    async fn last_used(&self, org: &OrgId, keys: &[KeyId]) -> Result<Vec<Option<Timestamp>>, StoreError>;
}

/// Where a ledger ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// How many entries it has.
    pub size: u64,
    /// The hash of the last one; 32 zero bytes before the first.
    pub hash: Hash,
}

/// Which entries to read.
#[derive(Debug, Clone, Default)]
pub struct EntryFilter {
    /// Only those from this place on.
    pub since: u64,
    /// Only those before this place.
    pub before: Option<u64>,
    /// The newest first, instead of in their order.
    pub newest_first: bool,
    /// At most so many.
    pub limit: usize,
    /// Only of this type.
    pub event_type: Option<EventType>,
    /// Only about this subject.
    pub subject: Option<String>,
}

/// Entries to be appended, with all that is kept of them.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The entries.
    pub entries: Vec<Placed>,
    /// The tiles that change.
    pub tiles: Vec<(TileId, Vec<u8>)>,
    /// Where the ledger then ends.
    pub head: Head,
}

/// An entry to be appended.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The entry.
    pub entry: Entry,
    /// Its type.
    pub event_type: EventType,
    /// What it is about.
    pub subject: Option<String>,
    /// The keys in whose audit it stands.
    pub keys: Vec<KeyId>,
    /// The day (`2026-01-02`) on which a signature is counted, and the moment at which its key was used.
    pub signed: Option<(String, KeyId, Timestamp)>,
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRecord {
    /// `cpt_…`
    pub id: CheckpointId,
    /// How many entries it covers.
    pub tree_size: u64,
    /// The root over them.
    pub root: Hash,
    /// The composite signature over its body, raw.
    pub signature: Vec<u8>,
    /// The ledger key that signed.
    pub key: KeyId,
    /// When.
    pub created_at: Timestamp,
}

/// How sealing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// It is durable.
    Done,
    /// There is one as large already; nothing was written.
    NotNewer,
    /// The key that signed it has been followed by another; nothing was written.
    KeyNotActive,
}

/// What is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageRecord {
    /// How many user keys there are of each status and tier.
    pub keys: Vec<(KeyStatus, Tier, u64)>,
    /// How many signatures were committed on each day that had any, oldest first.
    pub signatures: Vec<(String, u64)>,
}
