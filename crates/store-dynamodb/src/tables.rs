//! The tables. Each is a room that a role can be let into or kept out of, so what different operations touch stands apart.
//!
//! All have a partition key `pk` and a sort key `sk`, both strings. Parts of a key are joined by `#`, which no id holds.

use aws_sdk_dynamodb::types::AttributeValue;
use vault::id::{KeyId, OrgId};

use crate::item::{Item, text};

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Organisations, the list of them, and which store this is.
    Orgs,
    /// Tokens by their hashes, and each organisation's list of them.
    Tokens,
    /// Hybrid keys: what decides a signature, what describes them, and their lines.
    Keys,
    /// Sealed halves.
    SealedHalves,
    /// Which key followed which.
    Successions,
    /// Which keys are revoked, and which tables belong together. Never restored with the rest.
    Tombstones,
    /// Which signatures were issued.
    Issued,
    /// Events without a place, in lanes.
    Intake,
    /// Heads, entries, places, tiles, and what entries are about.
    Ledger,
    /// Checkpoints.
    Checkpoints,
    /// What is counted beside the ledger.
    Usage,
    /// Answers kept for retries.
    Replies,
    /// Which accounts organisations have in clouds.
    Settings,
    /// What organisations handed over to be used there, encrypted.
    ProviderSecrets,
    /// Creations that a cloud has a part in and that are not finished.
    Intents,
    /// Halves that are to be deleted at a cloud.
    Outbox,
    /// What organisations demand of their keys.
    Policies,
    /// When which keys are to be rotated.
    Rotations,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Orgs,
        Self::Tokens,
        Self::Keys,
        Self::SealedHalves,
        Self::Successions,
        Self::Tombstones,
        Self::Issued,
        Self::Intake,
        Self::Ledger,
        Self::Checkpoints,
        Self::Usage,
        Self::Replies,
        Self::Settings,
        Self::ProviderSecrets,
        Self::Intents,
        Self::Outbox,
        Self::Policies,
        Self::Rotations,
    ];

    /// Those that an earlier hour can be put back into: if any is another table than before, the store was.
    pub(crate) const RESTORABLE: [Self; 17] = [
        Self::Orgs,
        Self::Tokens,
        Self::Keys,
        Self::SealedHalves,
        Self::Successions,
        Self::Issued,
        Self::Intake,
        Self::Ledger,
        Self::Checkpoints,
        Self::Usage,
        Self::Replies,
        Self::Settings,
        Self::ProviderSecrets,
        Self::Intents,
        Self::Outbox,
        Self::Policies,
        Self::Rotations,
    ];

    /// The name after the deployment's prefix.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orgs => "orgs",
            Self::Tokens => "tokens",
            Self::Keys => "keys",
            Self::SealedHalves => "sealed-halves",
            Self::Successions => "successions",
            Self::Tombstones => "tombstones",
            Self::Issued => "issued",
            Self::Intake => "intake",
            Self::Ledger => "ledger",
            Self::Checkpoints => "checkpoints",
            Self::Usage => "usage",
            Self::Replies => "replies",
            Self::Settings => "settings",
            Self::ProviderSecrets => "provider-secrets",
            Self::Intents => "intents",
            Self::Outbox => "outbox",
            Self::Policies => "policies",
            Self::Rotations => "rotations",
        }
    }

    /// The attribute by which DynamoDB deletes what has expired, in seconds since 1970.
    #[must_use]
    pub const fn time_to_live(self) -> Option<&'static str> {
        match self {
            Self::Replies => Some("ttl"),
            _ => None,
        }
    }

    /// Whether its changes are streamed: the intake's tell that there is something to sequence.
    #[must_use]
    pub const fn is_streamed(self) -> bool {
        matches!(self, Self::Intake)
    }
}

/// The partition key of all tables.
pub const PARTITION_KEY: &str = "pk";

/// The sort key of all tables.
pub const SORT_KEY: &str = "sk";

/// Lanes of the intake: so many signers of one organisation write side by side at a partition's full speed.
pub(crate) const LANES: u8 = 8;

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    pub(crate) fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// Of a partition that holds one item.
    pub(crate) fn alone(pk: impl Into<String>) -> Self {
        Self::new(pk, "-")
    }

    pub(crate) fn item(&self) -> Item {
        Item::from([(PARTITION_KEY.to_owned(), text(&self.pk)), (SORT_KEY.to_owned(), text(&self.sk))])
    }

    pub(crate) fn of(item: &Item) -> Option<Self> {
        let part = |name: &str| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).cloned();
        Some(Self { pk: part(PARTITION_KEY)?, sk: part(SORT_KEY)? })
    }
}

/// A partition of its own for one key of an organisation.
pub(crate) fn of_key(org: &OrgId, key: &KeyId) -> String {
    format!("{org}#{key}")
}

/// A number that sorts as text.
pub(crate) fn sortable(number: u64) -> String {
    format!("{number:020}")
}
