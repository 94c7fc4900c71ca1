//! Evidence out of the ledger: entries with their proofs, and the keys that make its checkpoints believable.
//!
//! What makes evidence holds no key: where a checkpoint is wanted that is not there yet, it asks a [`Sealer`].

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use ledger::{
    Checkpoint, LedgerEvidence, LineageKey, LoggedEntry, SigningKey, Succession,
    tree::{inclusion_proof, leaf_hash},
};

use crate::{
    Error,
    encoding::Base64,
    id::OrgId,
    sequencing::{Sequencer, over_tree},
    store::{CheckpointRecord, KeyRecord, Keys, Lines, Orgs, SuccessionRecord},
};

/// Makes checkpoints.
#[async_trait]
pub trait Sealer: Send + Sync {
    /// A checkpoint over everything that was committed before this was called.
    async fn seal(&self, org: &OrgId) -> Result<CheckpointRecord, Error>;
}

/// Waits.
#[async_trait]
pub trait Timer: Send + Sync {
    /// Returns after the time is over.
    async fn sleep(&self, time: Duration);
}

/// What evidence is made from.
#[derive(Clone)]
pub struct LedgerAccess {
    /// The organisation is read.
    pub orgs: Arc<dyn Orgs>,
    /// Its ledger key is read.
    pub keys: Arc<dyn Keys>,
    /// Lines of keys and their successions are read.
    pub lines: Arc<dyn Lines>,
    /// Events are given their place, and the ledger is read.
    pub sequencer: Sequencer,
    /// Checkpoints are asked for.
    pub sealer: Arc<dyn Sealer>,
}

impl LedgerAccess {
    /// The newest checkpoint, if it covers so many entries, else a new one.
    pub(crate) async fn checkpoint_of(&self, org: &OrgId, size: u64) -> Result<CheckpointRecord, Error> {
        match self.latest(org).await? {
            Some(checkpoint) if checkpoint.tree_size >= size => Ok(checkpoint),
            _ => {
                let checkpoint = self.sealer.seal(org).await?;
                let covers = checkpoint.tree_size >= size;
                covers.then_some(checkpoint).ok_or(Error::ledger("a checkpoint that covers all of it"))
            }
        }
    }

    /// The newest checkpoint.
    pub(crate) async fn latest(&self, org: &OrgId) -> Result<Option<CheckpointRecord>, Error> {
        Ok(self.sequencer.ledger.checkpoints(org, None, 1).await?.pop())
    }

    /// An entry with the proof that it stands in the tree of `size` entries.
    pub(crate) async fn logged(&self, org: &OrgId, seq: u64, size: u64) -> Result<LoggedEntry, Error> {
        let entry = self.sequencer.entry(org, seq).await?;
        let proof = over_tree(self.sequencer.ledger.as_ref(), org, |nodes| inclusion_proof(seq, size, nodes));
        let hash = hex::decode(&entry.entry_hash_hex).map_err(|_| Error::ledger("an entry's hash"))?;
        Ok(LoggedEntry {
            leaf_index: seq,
            leaf_hash_hex: hex::encode(leaf_hash(&hash)),
            proof_hex: proof.await?.iter().map(hex::encode).collect(),
            tree_size: size,
            entry,
        })
    }

    /// The successions of a line and the places of their entries, oldest first, up to one that has no place yet.
    pub(crate) async fn successions(
        &self,
        org: &OrgId,
        line: &[KeyRecord],
    ) -> Result<Vec<(SuccessionRecord, u64)>, Error> {
        let mut successions = Vec::new();
        for key in line.iter().filter(|key| key.successor.is_some()) {
            let record = self.lines.succession(org, &key.id).await?.ok_or(Error::ledger("a succession"))?;
            let Some(seq) = self.sequencer.ledger.place(org, &record.event).await? else { break };
            successions.push((record, seq));
        }
        Ok(successions)
    }

    /// The links that successions make, with their proofs in the tree of `size` entries. One that came later is left out.
    pub(crate) async fn links(
        &self,
        org: &OrgId,
        successions: Vec<(SuccessionRecord, u64)>,
        size: u64,
    ) -> Result<Vec<Succession>, Error> {
        let mut links = Vec::new();
        for (record, seq) in successions.into_iter().take_while(|(_, seq)| *seq < size) {
            links.push(Succession {
                predecessor_signature_base64: Base64(record.predecessor_signature).to_text(),
                successor_signature_base64: Base64(record.successor_signature).to_text(),
                proof: Some(self.logged(org, seq, size).await?),
                statement: record.statement,
            });
        }
        Ok(links)
    }

    /// The checkpoint with the ledger's keys as it knows them, and the links between them.
    pub(crate) async fn evidence(
        &self,
        org: &OrgId,
        checkpoint: &CheckpointRecord,
    ) -> Result<LedgerEvidence, Error> {
        let (signing_keys, successions) = self.ledger_keys(org, checkpoint.tree_size).await?;
        Ok(LedgerEvidence { checkpoint: checkpoint.into(), signing_keys, successions })
    }

    /// The ledger's keys and the links between them that the tree of `size` entries has.
    pub(crate) async fn ledger_keys(
        &self,
        org: &OrgId,
        size: u64,
    ) -> Result<(Vec<SigningKey>, Vec<Succession>), Error> {
        let record = self.orgs.org(org).await?.ok_or(Error::ledger("its organisation"))?;
        let key = self.keys.key(org, &record.ledger_key).await?.ok_or(Error::ledger("its key"))?;
        let line = self.lines.line(org, &key.line).await?;
        let links = self.links(org, self.successions(org, &line).await?, size).await?;
        let keys = line.iter().take(links.len() + 1);
        Ok((keys.map(|key| SigningKey::new(key.id.as_str(), &key.public_key)).collect(), links))
    }
}

impl From<&CheckpointRecord> for Checkpoint {
    fn from(record: &CheckpointRecord) -> Self {
        Self {
            tree_size: record.tree_size,
            merkle_root_hex: hex::encode(record.root),
            signature_base64: Base64(record.signature.clone()).to_text(),
            signing_key_id: record.key.to_string(),
            created_at: record.created_at.to_string(),
        }
    }
}

/// The keys of a line as lineages and receipts show them.
pub(crate) fn lineage_keys(line: &[KeyRecord]) -> Vec<LineageKey> {
    line.iter()
        .map(|key| LineageKey { id: key.id.to_string(), public_key: key.public_key.to_json() })
        .collect()
}
