//! An entry: an event at its place, chained to the one before it.

use canonical_json::Json;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    Event, Payload,
    document::{Document, Malformed, Members, deserialize_by_reading},
    hexes::{self, HexError},
    tree::{Hash, ProofError, check_inclusion, leaf_hash},
};

/// The hash that stands before the first entry.
pub const NO_ENTRY: Hash = [0; 32];

/// An entry as bundles, receipts and the API show it. Everything but the hashes is repeated in its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// `evt_…`
    pub id: String,
    /// Its place, from 0.
    pub seq: u64,
    /// The hash of the entry before it; 32 zero bytes before the first.
    pub prev_hash_hex: String,
    /// SHA-256(previous hash ‖ canonical payload).
    pub entry_hash_hex: String,
    /// The event, with its place.
    pub payload: Payload,
    /// The payload's `issuedAt`.
    pub created_at: String,
}

/// What every payload holds, read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a> {
    /// The token or worker on whose behalf.
    pub actor_id: &'a str,
    /// What the event type says.
    pub data: &'a Json,
    /// What happened. A type that this version does not know is no reason to refuse an entry.
    pub event_type: &'a str,
    /// `evt_…`
    pub id: &'a str,
    /// RFC 3339 UTC with milliseconds.
    pub issued_at: &'a str,
    /// `org_…`
    pub org: &'a str,
    /// The place.
    pub seq: u64,
    /// What it happened to.
    pub subject_id: Option<&'a str>,
}

/// Why an entry is not what a vault would have written at its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A hash that is none.
    #[error("`{0}` is not 32 bytes of lower-case hex")]
    Hex(&'static str),
    /// The payload has not the members that every payload has, or others.
    #[error("the payload has not exactly the members of version 1")]
    Payload,
    /// A field beside the payload says something else than the payload.
    #[error("`{0}` is not what the payload says")]
    Field(&'static str),
    /// It belongs to another organisation.
    #[error("the entry is of another organisation")]
    Org,
    /// It stands at another place than it says.
    #[error("entry {expected} is expected here, and this is entry {found}")]
    Seq {
        /// Which should stand here.
        expected: u64,
        /// Which does.
        found: u64,
    },
    /// It does not follow the entry before it.
    #[error("`prevHashHex` is not the hash of the entry before")]
    Chain,
    /// Its hash is not that of its payload.
    #[error("`entryHashHex` is not the hash of the payload and the entry before")]
    Hash,
}

/// The hash of an entry: SHA-256(previous hash ‖ canonical payload).
#[must_use]
pub fn entry_hash(previous: &Hash, payload: &Payload) -> Hash {
    Sha256::new().chain_update(previous).chain_update(payload.as_json().to_canonical()).finalize().into()
}

impl Entry {
    /// Gives an event its place after the entry whose hash is `previous`.
    #[must_use]
    pub fn place(event: &Event, seq: u64, previous: &Hash) -> (Self, Hash) {
        let payload = event.payload(seq);
        let hash = entry_hash(previous, &payload);
        let entry = Self {
            id: event.id.clone(),
            seq,
            prev_hash_hex: hex::encode(previous),
            entry_hash_hex: hex::encode(hash),
            payload,
            created_at: event.issued_at.clone(),
        };
        (entry, hash)
    }

    /// What the payload holds.
    ///
    /// # Errors
    /// [`EntryError::Payload`].
    pub fn fields(&self) -> Result<Fields<'_>, EntryError> {
        Fields::of(&self.payload).ok_or(EntryError::Payload)
    }

    /// Checks an entry by itself: its hash is that of its payload and of the hash it says stands before it, and what stands
    /// beside the payload is what the payload says.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn check_alone(&self, org: &str) -> Result<(Fields<'_>, Hash), EntryError> {
        let fields = self.fields()?;
        let hex = |name, text: &str| hexes::parse(text).map_err(|HexError| EntryError::Hex(name));
        let previous = hex("prevHashHex", &self.prev_hash_hex)?;
        let hash = hex("entryHashHex", &self.entry_hash_hex)?;
        if fields.org != org {
            return Err(EntryError::Org);
        }
        for (name, same) in [
            ("id", fields.id == self.id),
            ("seq", fields.seq == self.seq),
            ("createdAt", fields.issued_at == self.created_at),
        ] {
            if !same {
                return Err(EntryError::Field(name));
            }
        }
        if entry_hash(&previous, &self.payload) == hash { Ok((fields, hash)) } else { Err(EntryError::Hash) }
    }

    /// Checks an entry where it stands: as number `seq`, after the entry whose hash is `previous`.
    ///
    /// # Errors
    /// [`EntryError`].
    pub fn check_at(&self, org: &str, seq: u64, previous: &Hash) -> Result<(Fields<'_>, Hash), EntryError> {
        if self.seq != seq {
            return Err(EntryError::Seq { expected: seq, found: self.seq });
        }
        let checked = self.check_alone(org)?;
        if hexes::parse(&self.prev_hash_hex) == Ok(*previous) { Ok(checked) } else { Err(EntryError::Chain) }
    }
}

impl<'a> Fields<'a> {
    fn of(payload: &'a Payload) -> Option<Self> {
        let members = payload.as_json().as_object()?;
        let text = |name| members.get(name)?.as_str();
        let subject_id = match members.get("subjectId")? {
            Json::Null => None,
            subject => Some(subject.as_str()?),
        };
        let version = members.get("v")?.as_u64()?;
        (members.len() == MEMBERS && version == 1).then_some(())?;
        Some(Self {
            actor_id: text("actorId")?,
            data: members.get("data").filter(|data| data.as_object().is_some())?,
            event_type: text("eventType")?,
            id: text("id")?,
            issued_at: text("issuedAt")?,
            org: text("org")?,
            seq: members.get("seq")?.as_u64()?,
            subject_id,
        })
    }
}

const MEMBERS: usize = 9;

/// An entry with the proof that it stands in the tree of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedEntry {
    /// The entry.
    pub entry: Entry,
    /// The entry's `seq`.
    pub leaf_index: u64,
    /// SHA-256(0x00 ‖ entry hash).
    pub leaf_hash_hex: String,
    /// The audit path, lowest first.
    pub proof_hex: Vec<String>,
    /// The size of the tree that the path is in: that of the checkpoint beside it.
    pub tree_size: u64,
}

/// Why an entry is not shown to be in a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoggedError {
    /// The entry itself is wrong.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A field beside the entry says something else.
    #[error("`{0}` is not what the entry says")]
    Field(&'static str),
    /// A hash that is none.
    #[error("`{0}` is not 32 bytes of lower-case hex")]
    Hex(&'static str),
    /// The proof is for another tree than the checkpoint's.
    #[error("the proof is in a tree of {found} entries, and the checkpoint has {expected}")]
    TreeSize {
        /// The checkpoint's.
        expected: u64,
        /// The proof's.
        found: u64,
    },
    /// The proof does not hold.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl LoggedEntry {
    /// Checks that the entry stands in the tree of `size` entries with this root.
    ///
    /// # Errors
    /// [`LoggedError`].
    pub fn check(&self, org: &str, size: u64, root: &Hash) -> Result<Fields<'_>, LoggedError> {
        let (fields, hash) = self.entry.check_alone(org)?;
        if self.tree_size != size {
            return Err(LoggedError::TreeSize { expected: size, found: self.tree_size });
        }
        if self.leaf_index != self.entry.seq {
            return Err(LoggedError::Field("leafIndex"));
        }
        let leaf = leaf_hash(&hash);
        if hexes::parse(&self.leaf_hash_hex) != Ok(leaf) {
            return Err(LoggedError::Field("leafHashHex"));
        }
        let proof = hexes::parse_all(&self.proof_hex).map_err(|HexError| LoggedError::Hex("proofHex"))?;
        check_inclusion(&leaf, self.leaf_index, size, &proof, root)?;
        Ok(fields)
    }
}

impl Document for Entry {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self {
            id: members.text("id")?,
            seq: members.number("seq")?,
            prev_hash_hex: members.text("prevHashHex")?,
            entry_hash_hex: members.text("entryHashHex")?,
            payload: members.payload("payload")?,
            created_at: members.text("createdAt")?,
        })
    }
}

impl Document for LoggedEntry {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self {
            entry: members.one("entry")?,
            leaf_index: members.number("leafIndex")?,
            leaf_hash_hex: members.text("leafHashHex")?,
            proof_hex: members.texts("proofHex")?,
            tree_size: members.number("treeSize")?,
        })
    }
}

deserialize_by_reading!(Entry, LoggedEntry);
