//! A bundle: entries, checkpoints and keys, all that a verifier needs offline; whole, or page by page.
//!
//! A whole bundle ends at its newest checkpoint. That something was cut off after an older one shows only against a
//! checkpoint that was seen before: see [`crate::CheckpointPin`].

use serde::Serialize;

use crate::{
    Anchored, BundleVerifier, Checkpoint, Entry, EntryError, EvidenceError, Pins, SigningKey, Succession,
    document::{Document, Malformed, Members, deserialize_by_reading},
    tree::{Hash, ProofError},
};

/// The version of bundles that this crate knows.
pub const BUNDLE_VERSION: u64 = 1;

/// A bundle, or a range of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// [`BUNDLE_VERSION`].
    pub version: u64,
    /// `org_…`
    pub org: String,
    /// When it was put together.
    pub generated_at: String,
    /// The entries, in their order.
    pub entries: Vec<Entry>,
    /// All checkpoints, oldest first; of a range, the one that its hashes lead to.
    pub checkpoints: Vec<Checkpoint>,
    /// Every ledger key, oldest first.
    pub signing_keys: Vec<SigningKey>,
    /// The links between them, proven in the newest checkpoint here.
    pub successions: Vec<Succession>,
    /// Where a range stands; null in a whole bundle, and where a range has no entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
}

/// Where a range stands in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// The first entry's place.
    pub since: u64,
    /// The last one's.
    pub until: u64,
    /// The size of the tree that the hashes are of.
    pub tree_size: u64,
    /// The hash of the entry before the first.
    pub prev_hash_hex: String,
    /// The roots of the maximal nodes wholly before.
    pub left_hex: Vec<String>,
    /// The roots of the maximal nodes wholly after.
    pub right_hex: Vec<String>,
}

/// Which part of a bundle is bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The bundle as a whole.
    Bundle,
    /// The entry of this place.
    Entry(u64),
    /// The checkpoint over so many entries.
    Checkpoint(u64),
    /// What says where a range stands.
    Range,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bundle => f.write_str("the bundle"),
            Self::Entry(seq) => write!(f, "entry {seq}"),
            Self::Checkpoint(size) => write!(f, "the checkpoint of {size} entries"),
            Self::Range => f.write_str("the range"),
        }
    }
}

/// The first thing that is wrong with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {why}")]
pub struct BundleError {
    /// Where.
    pub part: Part,
    /// What.
    pub why: BundleFault,
}

/// What can be wrong with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// A version that this crate does not know.
    #[error("its version is {0}, and version 1 is known here")]
    Version(u64),
    /// A page of another organisation than the pages before.
    #[error("it is of another organisation than what came before")]
    Org,
    /// No checkpoint, or more than the one that a range has.
    #[error("it has {0} checkpoints")]
    Checkpoints(usize),
    /// The checkpoints are not in their order.
    #[error("the checkpoints are not in the order of their sizes")]
    CheckpointOrder,
    /// More or fewer entries than the newest checkpoint or the range says.
    #[error("it has {found} entries where {expected} are expected")]
    Entries {
        /// How many there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// A page that does not go on where the one before ended.
    #[error("it begins at entry {found}, and entry {expected} is next")]
    Next {
        /// Where it should begin.
        expected: u64,
        /// Where it does.
        found: u64,
    },
    /// A hash that is none, or another one than is known from the pages before.
    #[error("`{0}` is malformed, or not what came before")]
    Field(&'static str),
    /// The entry is not what a vault would have written there.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The first entry does not tell of the ledger's first key.
    #[error("the first entry is not the creation of the ledger's first key")]
    FirstEntry,
    /// A key that was already followed is followed again.
    #[error("fork: a second successor of one key")]
    Fork,
    /// A ledger key was followed, and the keys beside the entries do not say so, or by another entry.
    #[error("a ledger key was followed in entry {0}, and the ledger's keys do not have that")]
    FollowedUnseen(u64),
    /// The ledger's keys are not those of the pages before, or some of them are missing.
    #[error("the ledger's keys do not continue those of the pages before")]
    OtherKeys,
    /// The entries lead to another root.
    #[error("the entries lead to another root than it says")]
    Root,
    /// The numbers of hashes around the range are not the tree's.
    #[error("the hashes around the range do not fit the tree: {0}")]
    Around(ProofError),
    /// The ledger's keys, a checkpoint's signature, or a pin.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// What was found about a bundle in which nothing is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleVerified {
    /// `org_…`
    pub org: String,
    /// The fingerprint of the ledger key that signed the newest checkpoint.
    pub ledger_fingerprint: Hash,
    /// The first entry that was checked, and how many.
    pub since: u64,
    /// How many entries were checked.
    pub entries: u64,
    /// How many entries the newest checkpoint covers.
    pub tree_size: u64,
    /// Its root, to be pinned.
    pub root: Hash,
    /// Whether every entry from the first to the newest checkpoint was checked.
    pub complete: bool,
    /// What pins vouch for.
    pub anchored: Anchored,
}

impl Bundle {
    /// Checks a whole bundle, or one range by itself.
    ///
    /// # Errors
    /// [`BundleError`]: the first thing that is wrong.
    pub fn check(&self, pins: &Pins) -> Result<BundleVerified, BundleError> {
        let mut verifier = BundleVerifier::new(pins.clone());
        verifier.page(self)?;
        verifier.finish()
    }
}

impl Document for Bundle {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self {
            version: members.number("version")?,
            org: members.text("org")?,
            generated_at: members.text("generatedAt")?,
            entries: members.many("entries")?,
            checkpoints: members.many("checkpoints")?,
            signing_keys: members.many("signingKeys")?,
            successions: members.many("successions")?,
            range: members.one_or_none("range")?,
        })
    }
}

impl Document for Range {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self {
            since: members.number("since")?,
            until: members.number("until")?,
            tree_size: members.number("treeSize")?,
            prev_hash_hex: members.text("prevHashHex")?,
            left_hex: members.texts("leftHex")?,
            right_hex: members.texts("rightHex")?,
        })
    }
}

deserialize_by_reading!(Bundle, Range);
