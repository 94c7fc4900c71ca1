//! Proofs by themselves, as the API gives them, against roots that the caller believes for another reason: that of a
//! checkpoint that was checked, or kept.

use serde::Serialize;

use crate::{
    Entry, LoggedEntry, LoggedError,
    document::{Document, Malformed, Members, deserialize_by_reading},
    hexes::{self, HexError},
    tree::{ProofError, check_consistency, check_inclusion},
};

/// A tree by its size and root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TreeHead {
    /// How many entries.
    pub tree_size: u64,
    /// The root over them, lower-case hex.
    pub merkle_root_hex: String,
}

/// That an entry stands in a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InclusionProof {
    /// The entry, where it is at hand: without it the proof is about a leaf's hash alone.
    pub entry: Option<Entry>,
    /// The entry's `seq`.
    pub leaf_index: u64,
    /// SHA-256(0x00 ‖ entry hash).
    pub leaf_hash_hex: String,
    /// The audit path, lowest first (RFC 6962 §2.1.1).
    pub proof_hex: Vec<String>,
    /// The tree.
    pub checkpoint: TreeHead,
}

/// That one tree is the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsistencyProof {
    /// The smaller tree.
    pub from: TreeHead,
    /// The larger one.
    pub to: TreeHead,
    /// RFC 6962 §2.1.2.
    pub proof_hex: Vec<String>,
}

impl InclusionProof {
    /// Checks the path, and the entry where there is one.
    ///
    /// # Errors
    /// [`LoggedError`].
    pub fn check(&self) -> Result<(), LoggedError> {
        let size = self.checkpoint.tree_size;
        let root =
            hexes::parse(&self.checkpoint.merkle_root_hex).map_err(|_| LoggedError::Hex("merkleRootHex"))?;
        let Some(entry) = &self.entry else {
            let leaf = hexes::parse(&self.leaf_hash_hex).map_err(|_| LoggedError::Hex("leafHashHex"))?;
            let path = hexes::parse_all(&self.proof_hex).map_err(|HexError| LoggedError::Hex("proofHex"))?;
            return Ok(check_inclusion(&leaf, self.leaf_index, size, &path, &root)?);
        };
        let logged = LoggedEntry {
            entry: entry.clone(),
            leaf_index: self.leaf_index,
            leaf_hash_hex: self.leaf_hash_hex.clone(),
            proof_hex: self.proof_hex.clone(),
            tree_size: size,
        };
        // Whose ledger it is shows in the checkpoint's signature, which is not here.
        let org = entry.fields().map_err(LoggedError::Entry)?.org;
        logged.check(org, size, &root)?;
        Ok(())
    }
}

impl ConsistencyProof {
    /// Checks that the larger tree begins as the smaller one.
    ///
    /// # Errors
    /// [`ProofError`]; digests that are none lead to no root.
    pub fn check(&self) -> Result<(), ProofError> {
        let hash = |text: &str| hexes::parse(text).map_err(|HexError| ProofError::Root);
        let (from, to) = (hash(&self.from.merkle_root_hex)?, hash(&self.to.merkle_root_hex)?);
        let path = hexes::parse_all(&self.proof_hex).map_err(|HexError| ProofError::Length)?;
        check_consistency(self.from.tree_size, &from, self.to.tree_size, &to, &path)
    }
}

impl Document for TreeHead {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self { tree_size: members.number("treeSize")?, merkle_root_hex: members.text("merkleRootHex")? })
    }
}

impl Document for InclusionProof {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self {
            entry: members.one_or_none("entry")?,
            leaf_index: members.number("leafIndex")?,
            leaf_hash_hex: members.text("leafHashHex")?,
            proof_hex: members.texts("proofHex")?,
            checkpoint: members.one("checkpoint")?,
        })
    }
}

impl Document for ConsistencyProof {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self { from: members.one("from")?, to: members.one("to")?, proof_hex: members.texts("proofHex")? })
    }
}

deserialize_by_reading!(TreeHead, InclusionProof, ConsistencyProof);
