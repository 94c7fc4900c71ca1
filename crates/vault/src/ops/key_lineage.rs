//! Gives a key's whole line, with the proofs that the ledger has every link.

use std::sync::Arc;

use ledger::Lineage;

use crate::{
    Error,
    caller::Caller,
    ledger_access::{LedgerAccess, lineage_keys},
    store::Keys,
};

/// What a lineage touches.
#[derive(Clone)]
pub struct Ports {
    /// The key is read.
    pub keys: Arc<dyn Keys>,
    /// The line, its successions and the ledger are read; a checkpoint is asked for.
    pub access: LedgerAccess,
}

/// Gives the line of a key, from whichever of its members. It verifies offline: see [`Lineage::check`].
///
/// # Errors
/// [`Error::NotFound`], [`Error::KeyNotAllowed`], [`Error::StoreUnavailable`].
pub async fn key_lineage(ports: &Ports, caller: &Caller, id: &str) -> Result<Lineage, Error> {
    let key = super::find_user_key(ports.keys.as_ref(), caller, id).await?;
    let org = &caller.org;
    let line = ports.access.lines.line(org, &key.line).await?;
    // Every link of the line has its place before the checkpoint over it is chosen.
    ports.access.sequencer.sequence(org).await?;
    let successions = ports.access.successions(org, &line).await?;
    let size = successions.iter().map(|(_, seq)| seq + 1).max().unwrap_or(1);
    let checkpoint = ports.access.checkpoint_of(org, size).await?;
    let successions = ports.access.links(org, successions, checkpoint.tree_size).await?;
    Ok(Lineage {
        org: org.to_string(),
        keys: lineage_keys(&line),
        successions,
        ledger: ports.access.evidence(org, &checkpoint).await?,
    })
}
