//! Who remembers: narrow reads per table, and writes that are each one effect and one transaction.
//!
//! The contract of every port. A method that returns `Ok` has been made durable: it survives the process being killed and
//! the machine losing power. A read sees every write that was acknowledged before it began, on any instance. A write
//! happens whole or not at all, and after an error it may have happened. Nothing here decides who may do what.

use std::str::FromStr;

use async_trait::async_trait;
use composite::{Algorithm, PublicKey};
use ledger::{Content, Event};
use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    caller::{Environment, Scope, UnknownName},
    custody::WrappedDek,
    id::{EventId, KeyId, OrgId, TokenId},
    providers::{KekProvider, KeyProvider, PqProvider, Tier},
    record_tag::{KekId, RecordTag},
    token::TokenHash,
};

/// Reads organisations.
#[async_trait]
pub trait Orgs: Send + Sync {
    /// One organisation.
    async fn org(&self, org: &OrgId) -> Result<Option<OrgRecord>, StoreError>;

    /// Whether there is any organisation at all: a store without one has never been used.
    async fn any_org(&self) -> Result<bool, StoreError>;
}

/// Reads tokens.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// The token of a hash, revoked or not.
    async fn token(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError>;
}

/// Reads keys. A row that the vault would not have written is [`StoreError::Corrupt`], never a panic and never a guess.
#[async_trait]
pub trait Keys: Send + Sync {
    /// One key of an organisation, of any kind and status.
    async fn key(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyRecord>, StoreError>;

    /// The status of one key alone, read anew.
    async fn status(&self, org: &OrgId, key: &KeyId) -> Result<Option<KeyStatus>, StoreError>;

    /// User keys of an organisation that match, newest first: at most `limit`, those before `before`.
    async fn list(&self, org: &OrgId, filter: &KeyFilter) -> Result<Vec<KeyRecord>, StoreError>;
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

/// Reads the intake: events in the order in which they arrived.
#[async_trait]
pub trait Intake: Send + Sync {
    /// All events of an organisation.
    async fn events(&self, org: &OrgId) -> Result<Vec<Event>, StoreError>;
}

/// Makes organisations.
#[async_trait]
pub trait OrgWrites: Send + Sync {
    /// The organisation, its ledger key and its first token, or [`StoreError::Exists`].
    async fn create_org(&self, org: NewOrg, record: Record) -> Result<(), StoreError>;
}

/// Makes keys.
#[async_trait]
pub trait KeyWrites: Send + Sync {
    /// The key's row and its sealed halves, or [`StoreError::Exists`].
    async fn create(&self, key: &KeyRecord, sealed: &SealedRecord, record: Record) -> Result<(), StoreError>;
}

/// Commits signatures.
#[async_trait]
pub trait SignatureWrites: Send + Sync {
    /// The issued-row and the event, unless the key is revoked: then nothing is written.
    async fn record(&self, issued: &IssuedRecord, record: Record) -> Result<Commit, StoreError>;

    /// Takes the issued-row away and writes the event that says so.
    async fn withhold(&self, issued: &IssuedRecord, record: Record) -> Result<(), StoreError>;
}

/// Writes events that have no other effect.
#[async_trait]
pub trait EventWrites: Send + Sync {
    /// The events.
    async fn append(&self, record: Record) -> Result<(), StoreError>;
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

    /// The key-encryption keys that active rows name in a well-formed tag or, where they have one, in their wrapping, and
    /// how many rows name each.
    async fn kek_use(&self) -> Result<Vec<(KekId, u64)>, StoreError>;

    /// Puts the new tag and wrapped key on a row, on condition that both are as `from` has them and the key is active;
    /// `false` where they are not.
    async fn rewrap(&self, from: &KeyRecord, to: &KeyRecord) -> Result<bool, StoreError>;
}

/// Every port in one store.
pub trait Store:
    Orgs
    + Tokens
    + Keys
    + SealedHalves
    + Issued
    + Intake
    + OrgWrites
    + KeyWrites
    + SignatureWrites
    + EventWrites
    + Rewrapping
{
}

impl<S> Store for S where
    S: Orgs
        + Tokens
        + Keys
        + SealedHalves
        + Issued
        + Intake
        + OrgWrites
        + KeyWrites
        + SignatureWrites
        + EventWrites
        + Rewrapping
{
}

/// What belongs to an effect and is committed with it.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The events, all of the organisation that the effect is about.
    pub events: Vec<Event>,
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgRecord {
    /// `org_…`
    pub id: OrgId,
    /// 1 to 128 characters.
    pub name: String,
    /// Live or test.
    pub environment: Environment,
    /// What a customer's cloud account must be told to expect from this organisation; made here, never changed.
    pub external_id: String,
    /// The key that signs its checkpoints.
    pub ledger_key: KeyId,
    /// When.
    pub created_at: Timestamp,
}

/// A token: its hash, never itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// `apk_…`
    pub id: TokenId,
    /// The organisation that it speaks for.
    pub org: OrgId,
    /// SHA-256 of the token.
    pub hash: TokenHash,
    /// 1 to 128 characters.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When.
    pub created_at: Timestamp,
    /// When it died.
    pub revoked_at: Option<Timestamp>,
}

/// What makes an organisation.
#[derive(Debug, Clone)]
pub struct NewOrg {
    /// The organisation.
    pub org: OrgRecord,
    /// Its ledger key.
    pub ledger_key: KeyRecord,
    /// The ledger key's halves.
    pub sealed: SealedRecord,
    /// Its first token.
    pub token: TokenRecord,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Signs user contexts and successions.
    User,
    /// Signs checkpoints and successions, and nothing else; no key route knows it.
    Ledger,
}

impl KeyKind {
    /// The name in formats and stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Ledger => "ledger",
        }
    }
}

impl FromStr for KeyKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        [Self::User, Self::Ledger].into_iter().find(|k| k.name() == name).ok_or(UnknownName)
    }
}

/// Where a key is in its life. It only ever moves downward in this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyStatus {
    /// Signs and verifies.
    Active,
    /// Verifies; its successor signs.
    Superseded,
    /// Signs no more, for ever.
    Revoked,
}

impl KeyStatus {
    /// The name in the API and in stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
        }
    }
}

impl FromStr for KeyStatus {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        [Self::Active, Self::Superseded, Self::Revoked]
            .into_iter()
            .find(|s| s.name() == name)
            .ok_or(UnknownName)
    }
}

/// A hybrid key without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The organisation.
    pub org: OrgId,
    /// `key_…`
    pub id: KeyId,
    /// What it is for.
    pub kind: KeyKind,
    /// 1 to 128 characters.
    pub name: String,
    /// What its creator noted.
    pub metadata: Content,
    /// Where it is in its life.
    pub status: KeyStatus,
    /// Both public halves, and with them the algorithm.
    pub public_key: PublicKey,
    /// The wrapped data key; `None` where nothing is sealed, or no more.
    pub kek: Option<KekHold>,
    /// Who holds the classical half.
    pub classical: Hold<KeyProvider>,
    /// Who holds the ML-DSA half.
    pub pq: Hold<PqProvider>,
    /// The tag over all of it that decides a signature; `None` once the key signs no more.
    pub tag: Option<RecordTag>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The key that it follows.
    pub predecessor: Option<KeyId>,
    /// The key that follows it.
    pub successor: Option<KeyId>,
}

impl KeyRecord {
    /// How little of it is in the vault's hands.
    #[must_use]
    pub fn tier(&self) -> Tier {
        Tier::derive(self.kek.as_ref().map(|kek| kek.provider), self.classical.provider, self.pq.provider)
    }
}

/// The wrapped data key and who wrapped it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KekHold {
    /// Who.
    pub provider: KekProvider,
    /// What.
    pub wrapped: WrappedDek,
}

/// Who holds a half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold<P> {
    /// Who.
    pub provider: P,
    /// The provider's complete name for it; `None` for `postq-managed`.
    pub key_id: Option<String>,
}

/// The sealed halves of a key, 61 bytes each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealedRecord {
    /// The ML-DSA half.
    pub pq: Option<Vec<u8>>,
    /// The classical half.
    pub classical: Option<Vec<u8>>,
}

/// SHA-256(ph ‖ ctx): what an issued signature is found by. Never by its bytes, of which there can be many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuedDigest(pub [u8; 32]);

/// That a signature was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedRecord {
    /// The organisation.
    pub org: OrgId,
    /// The key.
    pub key: KeyId,
    /// What it signed.
    pub digest: IssuedDigest,
    /// The event that says so.
    pub event: EventId,
}

/// How a commit of a signature ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// It is durable.
    Done,
    /// The key was revoked before it; nothing was written.
    KeyRevoked,
}

/// Which keys to list.
#[derive(Debug, Clone, Default)]
pub struct KeyFilter {
    /// At most so many.
    pub limit: usize,
    /// Only those made before this one.
    pub before: Option<KeyId>,
    /// Only of this algorithm.
    pub algorithm: Option<Algorithm>,
    /// Only of this status; without it every status but, unless asked for, revoked.
    pub status: Option<KeyStatus>,
    /// Revoked keys too.
    pub include_revoked: bool,
    /// Only of this tier.
    pub tier: Option<Tier>,
    /// Only those whose name begins so, letter by letter.
    pub name_prefix: Option<String>,
}

/// A row as rewrapping reads it: a corrupt one is passed by and named, so that one row cannot hold up the rest.
#[derive(Debug, Clone)]
pub struct ActiveKey {
    /// The organisation.
    pub org: OrgId,
    /// The key.
    pub id: KeyId,
    /// The row, or the column that the vault would not have written.
    pub row: Result<Box<KeyRecord>, &'static str>,
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
}
