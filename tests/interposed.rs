//! A store with somebody in its way: before and after every call that the vault makes of it.

use std::sync::Arc;

use async_trait::async_trait;
use ledger::{Entry, Event, TileId};
use vault::{
    Timestamp,
    custody::{CloudName, DeploymentId, SealedSecret},
    id::{EventId, KeyId, OrgId, PolicyId, TokenId},
    policies::PolicyRecord,
    record_tag::KekId,
    settings::{Demand, SettingsRecord},
    store::{
        ActiveKey, Attempt, Batch, Begin, Change, CheckpointRecord, CheckpointWrites, Clearing, Commit,
        Dependent, DueRotation, DueRotations, EntryFilter, EventWrites, Head, Intake, Intent, Intents,
        Issued, IssuedDigest, IssuedRecord, KeyFilter, KeyRecord, KeyStatus, KeyWrites, Keys, Lease,
        LedgerReads, Leftover, Lines, Making, NewOrg, OrgRecord, OrgWrites, Orgs, Placing, Policies,
        PolicyWrites, ProviderSecrets, Reconciling, Record, Recovery, Replies, Reply, Rewrapping, Rotation,
        Saving, SealedHalves, SealedRecord, Sealing, Settings, SettingsWrites, SignatureWrites, Slot, Store,
        StoreError, StoredPolicy, SuccessionRecord, TokenRecord, TokenWrites, Tokens, Tombstone, Usage,
        UsageRecord,
    },
    token::TokenHash,
};

/// Who stands in the way. `call` is the name of the port's method.
#[async_trait]
pub(crate) trait Interposer: Send + Sync {
    /// Before the store is called; with an error it never is.
    async fn before(&self, call: &'static str) -> Result<(), StoreError>;

    /// After the store has done it; with an error nobody learns.
    async fn after(&self, call: &'static str) -> Result<(), StoreError>;
}

/// The store as the vault sees it.
pub(crate) struct Interposed {
    inner: Arc<dyn Store>,
    by: Arc<dyn Interposer>,
}

impl Interposed {
    pub(crate) fn over(inner: Arc<dyn Store>, by: Arc<dyn Interposer>) -> Arc<dyn Store> {
        Arc::new(Self { inner, by })
    }
}

/// A store that does not answer.
pub(crate) fn down() -> StoreError {
    StoreError::Unavailable("injected".into())
}

/// Every port but the one whose every method is not a call.
macro_rules! interpose {
    ($($port:ident { $(fn $call:ident($($name:ident: $of:ty),*) -> $gives:ty;)* })*) => {$(
        #[async_trait]
        impl $port for Interposed {$(
            async fn $call(&self, $($name: $of),*) -> Result<$gives, StoreError> {
                self.by.before(stringify!($call)).await?;
                let done = self.inner.$call($($name),*).await?;
                self.by.after(stringify!($call)).await?;
                Ok(done)
            }
        )*}
    )*};
}

interpose! {
    Orgs {
        fn org(org: &OrgId) -> Option<OrgRecord>;
        fn any_org() -> bool;
        fn orgs(after: Option<&OrgId>, limit: usize) -> Vec<OrgId>;
    }
    Tokens {
        fn token(hash: &TokenHash) -> Option<TokenRecord>;
        fn tokens(org: &OrgId, before: Option<&TokenId>, limit: usize) -> Vec<TokenRecord>;
    }
    Keys {
        fn key(org: &OrgId, key: &KeyId) -> Option<KeyRecord>;
        fn status(org: &OrgId, key: &KeyId) -> Option<KeyStatus>;
        fn list(org: &OrgId, filter: &KeyFilter) -> Vec<KeyRecord>;
    }
    Lines {
        fn line(org: &OrgId, first: &KeyId) -> Vec<KeyRecord>;
        fn succession(org: &OrgId, predecessor: &KeyId) -> Option<SuccessionRecord>;
    }
    SealedHalves { fn sealed(org: &OrgId, key: &KeyId) -> SealedRecord; }
    Issued {
        fn is_issued(org: &OrgId, key: &KeyId, digest: &IssuedDigest) -> bool;
    }
    Intake {
        fn waiting(limit: usize) -> Vec<OrgId>;
        fn unplaced(org: &OrgId, limit: usize) -> Vec<Event>;
    }
    LedgerReads {
        fn head(org: &OrgId) -> Head;
        fn place(org: &OrgId, event: &EventId) -> Option<u64>;
        fn entries(org: &OrgId, filter: &EntryFilter) -> Vec<Entry>;
        fn key_entries(org: &OrgId, key: &KeyId, before: Option<u64>, limit: usize) -> Vec<Entry>;
        fn tiles(org: &OrgId, ids: &[TileId]) -> Vec<(TileId, Vec<u8>)>;
        fn checkpoints(org: &OrgId, below: Option<u64>, limit: usize) -> Vec<CheckpointRecord>;
    }
    Usage {
        fn usage(org: &OrgId, since: &str) -> UsageRecord;
        fn last_used(org: &OrgId, keys: &[KeyId]) -> Vec<Option<Timestamp>>;
    }
    OrgWrites { fn create_org(org: NewOrg, record: Record) -> (); }
    KeyWrites {
        fn create(key: &KeyRecord, sealed: &SealedRecord, record: Record) -> ();
        fn supersede(rotation: &Rotation, record: Record) -> Change;
        fn revoke(tombstone: &Tombstone, record: Record) -> Timestamp;
    }
    TokenWrites {
        fn create_token(token: &TokenRecord, record: Record) -> ();
        fn revoke_token(org: &OrgId, token: &TokenId, now: Timestamp, record: Record) -> Option<Timestamp>;
    }
    SignatureWrites {
        fn record(issued: &IssuedRecord, record: Record) -> Commit;
        fn withhold(issued: &IssuedRecord, answer: Option<&Slot>, record: Record) -> ();
    }
    EventWrites { fn append(record: Record) -> (); }
    CheckpointWrites {
        fn seal(org: &OrgId, checkpoint: &CheckpointRecord, reply: Option<Reply>) -> Sealing;
    }
    Replies {
        fn begin(attempt: &Attempt, now: Timestamp) -> Begin;
        fn purge(now: Timestamp) -> ();
        fn release(lease: &Lease) -> ();
        fn mark_replayed(slot: &Slot) -> bool;
        fn forget(slot: &Slot) -> ();
    }
    Rewrapping {
        fn active_keys(after: Option<(&OrgId, &KeyId)>, limit: usize) -> Vec<ActiveKey>;
        fn kek_use() -> Vec<(KekId, u64)>;
        fn rewrap(from: &KeyRecord, to: &KeyRecord) -> bool;
        fn secrets(after: Option<(&OrgId, CloudName)>, limit: usize) -> Vec<(OrgId, CloudName, SealedSecret)>;
        fn reseal(org: &OrgId, cloud: CloudName, from: &SealedSecret, to: &SealedSecret) -> bool;
    }
    Recovery {
        fn is_restored() -> bool;
        fn is_foreign() -> bool;
        fn lost_tombstones() -> Vec<Tombstone>;
        fn revoke_again(tombstone: &Tombstone, record: Record) -> ();
        fn declare_recovered() -> ();
    }
    Settings {
        fn settings(org: &OrgId) -> Option<SettingsRecord>;
        fn deployment() -> DeploymentId;
    }
    ProviderSecrets {
        fn provider_secret(org: &OrgId, cloud: CloudName) -> Option<SealedSecret>;
    }
    SettingsWrites {
        fn put_settings(
            settings: &SettingsRecord, secrets: &[(CloudName, SealedSecret)], replaces: Option<Timestamp>, record: Record
        ) -> Saving;
        fn clear_settings(org: &OrgId, record: Record) -> Clearing;
        fn dependent(org: &OrgId, demand: Demand) -> Option<Dependent>;
    }
    Intents {
        fn intend(intent: &Intent, settings: Timestamp) -> bool;
        fn withdraw(org: &OrgId, key: &KeyId, left: &[Leftover]) -> ();
    }
    Policies { fn policies(org: &OrgId) -> Vec<StoredPolicy>; }
    PolicyWrites {
        fn create_policy(policy: &PolicyRecord, record: Record) -> Making;
        fn replace_policy(policy: &PolicyRecord, replaces: Timestamp, record: Record) -> bool;
        fn delete_policy(org: &OrgId, policy: &PolicyId, record: Record) -> bool;
    }
    DueRotations {
        fn due(now: Timestamp, after: Option<&DueRotation>, limit: usize) -> Vec<DueRotation>;
        fn settle_rotation(due: &DueRotation) -> ();
    }
    Reconciling {
        fn intents(limit: usize) -> Vec<Intent>;
        fn abandon(intent: &Intent) -> bool;
        fn forget_intent(intent: &Intent) -> ();
        fn outbox(after: Option<&Leftover>, limit: usize) -> Vec<Leftover>;
        fn settle(leftover: &Leftover) -> ();
    }
}

#[async_trait]
impl Placing for Interposed {
    fn max_batch(&self) -> usize {
        self.inner.max_batch()
    }

    async fn append_batch(&self, org: &OrgId, from: &Head, batch: &Batch) -> Result<bool, StoreError> {
        self.by.before("append_batch").await?;
        let done = self.inner.append_batch(org, from, batch).await?;
        self.by.after("append_batch").await?;
        Ok(done)
    }
}
