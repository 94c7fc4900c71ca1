//! What makes a ledger believable: a checkpoint, the keys that sign checkpoints, and the links between them; and what a verifier
//! already knew of it.
//!
//! Anyone can make a whole vault of their own, with a ledger key, checkpoints and proofs that all fit. Only what the verifier
//! knew before, a pin, tells that ledger from the real one. So every result says what was anchored by a pin, beside what
//! fits.

use composite::PublicKey;
use serde::Serialize;

use crate::{
    Checkpoint, CheckpointError, CheckpointPin, Line, LineError, Pins, SigningKey, Succession,
    document::{Document, Malformed, Members, deserialize_by_reading},
    hexes::{self, HexError},
    tree::{Hash, ProofError, check_consistency},
};

/// A checkpoint with the keys of its ledger, as lineages and receipts hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEvidence {
    /// The checkpoint that every proof in the document leads to.
    pub checkpoint: Checkpoint,
    /// Every ledger key of the organisation, oldest first.
    pub signing_keys: Vec<SigningKey>,
    /// The links between them.
    pub successions: Vec<Succession>,
}

/// A ledger's evidence with whose it is: a checkpoint that is checked by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointEvidence {
    /// `org_…`
    pub org: String,
    /// The checkpoint and the keys.
    pub ledger: LedgerEvidence,
}

/// A consistency proof as the API gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Consistency {
    /// The size of the smaller tree.
    pub from_tree_size: u64,
    /// The size of the larger tree.
    pub to_tree_size: u64,
    /// RFC 6962 §2.1.2.
    pub proof_hex: Vec<String>,
}

/// What a pin vouches for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Anchored {
    /// The signer's line begins at, or goes through, a pinned key no later than the one that signed.
    pub signer: bool,
    /// The ledger is a pinned organisation's, and its checkpoint signed by a pinned key or one that follows it.
    pub ledger: bool,
    /// The size of the pinned checkpoint that the ledger was shown to continue.
    pub checkpoint: Option<u64>,
}

/// Why evidence does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// A ledger key whose halves are not its algorithm's.
    #[error("ledger key {0} is malformed")]
    Key(String),
    /// The ledger's keys are no line.
    #[error("the ledger's keys are no line: {0}")]
    Line(#[from] LineError),
    /// A checkpoint does not hold.
    #[error("the checkpoint of {tree_size} entries does not hold: {why}")]
    Checkpoint {
        /// Which.
        tree_size: u64,
        /// Why.
        why: CheckpointError,
    },
    /// A checkpoint is signed by a key that is not among the ledger's.
    #[error("the checkpoint of {0} entries is signed by a key that is not among the ledger's")]
    UnknownSigner(u64),
    /// A checkpoint is signed by a key that had been followed by another, or had not yet followed.
    #[error(
        "the checkpoint of {0} entries is signed by a ledger key outside the time that it was the ledger's"
    )]
    OutsideReign(u64),
    /// The ledger is not the one that was seen before.
    #[error("fork: the ledger does not continue the pinned checkpoint of {0} entries")]
    Forked(u64),
    /// The ledger ends before what was seen of it.
    #[error("rolled back: the newest checkpoint has {found} entries, and one of {pinned} was seen")]
    RolledBack {
        /// What was seen.
        pinned: u64,
        /// What there is.
        found: u64,
    },
    /// A consistency proof that does not hold: it is damaged, or there is none because the ledger was forked.
    #[error("the consistency proof to the pinned checkpoint does not hold: {0}")]
    Consistency(ProofError),
}

/// A ledger as far as one of its checkpoints shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// `org_…`
    pub org: String,
    /// The keys that sign its checkpoints.
    pub line: Line,
    /// How many entries the checkpoint covers.
    pub tree_size: u64,
    /// Its root.
    pub root: Hash,
    signer: usize,
    signer_fingerprint: Hash,
}

impl Ledger {
    /// Checks a checkpoint, the ledger's keys and the links between them.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn check(
        org: &str,
        checkpoint: &Checkpoint,
        signing_keys: &[SigningKey],
        successions: &[Succession],
    ) -> Result<Self, EvidenceError> {
        let mut keys: Vec<(String, PublicKey)> = Vec::new();
        for key in signing_keys {
            let public_key = key.public_key().ok_or_else(|| EvidenceError::Key(key.id.clone()))?;
            keys.push((key.id.clone(), public_key));
        }
        let tree_size = checkpoint.tree_size;
        let (_, signer) = keys
            .iter()
            .find(|(id, _)| *id == checkpoint.signing_key_id)
            .ok_or(EvidenceError::UnknownSigner(tree_size))?;
        let root =
            checkpoint.check(org, signer).map_err(|why| EvidenceError::Checkpoint { tree_size, why })?;
        let signer_fingerprint = *signer.fingerprint();
        let line = Line::check(org, &keys, successions, tree_size, &root)?;
        let mut ledger = Self { org: org.to_owned(), line, tree_size, root, signer: 0, signer_fingerprint };
        ledger.signer = ledger.check_reign(checkpoint)?;
        Ok(ledger)
    }

    /// The fingerprint of the key that signed the checkpoint.
    #[must_use]
    pub const fn signer_fingerprint(&self) -> Hash {
        self.signer_fingerprint
    }

    /// Checks another checkpoint of the same ledger, by its signature alone.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn check_older(&self, checkpoint: &Checkpoint) -> Result<Hash, EvidenceError> {
        let tree_size = checkpoint.tree_size;
        let key = self.line.key(&checkpoint.signing_key_id).ok_or(EvidenceError::UnknownSigner(tree_size))?;
        self.check_reign(checkpoint)?;
        checkpoint.check(&self.org, key).map_err(|why| EvidenceError::Checkpoint { tree_size, why })
    }

    /// What the pins say of it. A pinned checkpoint that this one contradicts is an error; one that cannot be compared for
    /// want of a proof anchors nothing.
    ///
    /// # Errors
    /// [`EvidenceError::Forked`], [`EvidenceError::Consistency`].
    pub fn anchor(&self, pins: &Pins, consistency: Option<&Consistency>) -> Result<Anchored, EvidenceError> {
        let mut anchored = Anchored::default();
        for pin in pins.ledgers.iter().filter(|pin| pin.org == self.org) {
            let by_key = self.is_anchored_by(&pin.fingerprint);
            anchored.ledger |= by_key;
            // Anyone can continue a tree that is known, by a key of their own.
            if let Some(seen) = &pin.checkpoint
                && self.continues(seen, consistency)?
                && by_key
            {
                anchored.checkpoint = anchored.checkpoint.max(Some(seen.tree_size));
            }
        }
        Ok(anchored)
    }

    /// Whether the checkpoint is signed by the key of a fingerprint, or one that follows it.
    pub(crate) fn is_anchored_by(&self, fingerprint: &Hash) -> bool {
        self.line.position_of_fingerprint(fingerprint).is_some_and(|pinned| pinned <= self.signer)
    }

    fn continues(
        &self,
        seen: &CheckpointPin,
        consistency: Option<&Consistency>,
    ) -> Result<bool, EvidenceError> {
        let ends = [(seen.tree_size, &seen.root), (self.tree_size, &self.root)];
        if seen.tree_size == self.tree_size {
            let same = seen.root == self.root;
            return if same { Ok(true) } else { Err(EvidenceError::Forked(seen.tree_size)) };
        }
        let [(from, from_root), (to, to_root)] =
            if seen.tree_size < self.tree_size { ends } else { [ends[1], ends[0]] };
        let Some(proof) = consistency.filter(|c| c.from_tree_size == from && c.to_tree_size == to) else {
            return Ok(false);
        };
        let hashes = hexes::parse_all(&proof.proof_hex)
            .map_err(|HexError| EvidenceError::Consistency(ProofError::Length))?;
        check_consistency(from, from_root, to, to_root, &hashes).map_err(EvidenceError::Consistency)?;
        Ok(true)
    }

    /// A key signs the trees that end after the entry which made it the ledger's, and not after the one which ended that:
    /// else whoever stole an old key could go on signing.
    fn check_reign(&self, checkpoint: &Checkpoint) -> Result<usize, EvidenceError> {
        let size = checkpoint.tree_size;
        let unknown = EvidenceError::UnknownSigner(size);
        let (since, until) = self.line.reign(&checkpoint.signing_key_id).ok_or(unknown.clone())?;
        if since.is_some_and(|since| size <= since) || until.is_some_and(|until| size > until) {
            return Err(EvidenceError::OutsideReign(size));
        }
        self.line.position(&checkpoint.signing_key_id).ok_or(unknown)
    }
}

impl Document for LedgerEvidence {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self {
            checkpoint: members.one("checkpoint")?,
            signing_keys: members.many("signingKeys")?,
            successions: members.many("successions")?,
        })
    }
}

impl Document for CheckpointEvidence {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self { org: members.text("org")?, ledger: LedgerEvidence::read(members)? })
    }
}

impl Document for Consistency {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self {
            from_tree_size: members.number("fromTreeSize")?,
            to_tree_size: members.number("toTreeSize")?,
            proof_hex: members.texts("proofHex")?,
        })
    }
}

deserialize_by_reading!(LedgerEvidence, Consistency);
