//! What stores keep, as the vault has it in its hands.

use std::str::FromStr;

use composite::{Algorithm, PublicKey};
use ledger::{Content, Statement};
use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    caller::{Environment, Scope, UnknownName},
    custody::WrappedDek,
    id::{EventId, KeyId, OrgId, TokenId},
    providers::{KekProvider, KeyProvider, PqProvider, Tier},
    record_tag::RecordTag,
    token::TokenHash,
};

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
    /// The first keys of the lines that it is confined to; `None` where it is for every key.
    pub lines: Option<Vec<KeyId>>,
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
    /// How little of it is, or was, in the vault's hands.
    pub tier: Tier,
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
    /// The first key of its line: itself, where it follows none.
    pub line: KeyId,
    /// Whether a caller may have the line's newest key sign in its place.
    pub allow_follow: bool,
    /// After so many days, 1 to 3,650, the vault has it followed by itself.
    pub rotate_after_days: Option<u16>,
}

impl KeyRecord {
    /// When it is to be followed, if that is so and it has not ended.
    #[must_use]
    pub fn rotates_at(&self) -> Option<Timestamp> {
        let days = self.rotate_after_days.filter(|_| self.status == KeyStatus::Active)?;
        Some(self.created_at.days_after(days.into()))
    }

    /// Whether a cloud helps to keep it: by wrapping its data key, or by holding a half.
    #[must_use]
    pub const fn needs_a_cloud(&self) -> bool {
        let clouds = (self.classical.provider.cloud(), self.pq.provider.cloud());
        let kek = match &self.kek {
            Some(kek) => kek.provider.cloud(),
            None => None,
        };
        clouds.0.is_some() || clouds.1.is_some() || kek.is_some()
    }
}

/// One key following another.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The new key.
    pub successor: KeyRecord,
    /// Its halves.
    pub sealed: SealedRecord,
    /// What both signed, and the event that says so.
    pub succession: SuccessionRecord,
}

/// A succession: at most one for a predecessor, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuccessionRecord {
    /// The organisation.
    pub org: OrgId,
    /// The key that was followed.
    pub predecessor: KeyId,
    /// What both signed.
    pub statement: Statement,
    /// The predecessor's signature, raw.
    pub predecessor_signature: Vec<u8>,
    /// The successor's signature, raw.
    pub successor_signature: Vec<u8>,
    /// The `key.rotated` event.
    pub event: EventId,
}

/// How a change on condition ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is durable.
    Done,
    /// The key was not active any more; nothing was written.
    NotActive,
}

/// That a key is revoked, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tombstone {
    /// The organisation.
    pub org: OrgId,
    /// The key.
    pub key: KeyId,
    /// Its fingerprint, lower-case hex.
    pub fingerprint: String,
    /// When.
    pub revoked_at: Timestamp,
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
    /// Only those of these lines, by their first keys.
    pub lines: Option<Vec<KeyId>>,
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
