//! Gives the evidence for one signature: all of a receipt but the signature, which the vault does not keep.

use std::sync::Arc;

use ledger::{Json, RECEIPT_VERSION, Receipt};

use crate::{
    Error,
    caller::Caller,
    id::{EventId, KeyId},
    ledger_access::{LedgerAccess, lineage_keys},
    store::{EntryFilter, KeyStatus, Keys},
};

/// What a receipt touches.
#[derive(Clone)]
pub struct Ports {
    /// The key is read.
    pub keys: Arc<dyn Keys>,
    /// The line, its successions and the ledger are read; a checkpoint is asked for.
    pub access: LedgerAccess,
}

/// Gives the receipt of a `signature.issued` event. It verifies offline once the signature is put in: see
/// [`Receipt::check`].
///
/// # Errors
/// [`Error::NotFound`] for an event that is none, is unknown or is no signature; [`Error::SignatureWithheld`],
/// [`Error::KeyNotAllowed`], [`Error::StoreUnavailable`].
pub async fn receipt(ports: &Ports, caller: &Caller, event: &str) -> Result<Receipt, Error> {
    let unknown = || Error::NotFound { what: "signature event" };
    let event: EventId = event.parse().map_err(|_| unknown())?;
    let (org, access) = (&caller.org, &ports.access);
    let seq = access.sequencer.place(org, &event).await.map_err(|error| match error {
        Error::NotFound { .. } => unknown(),
        error => error,
    })?;
    let entry = access.sequencer.entry(org, seq).await?;
    let fields = entry.fields().map_err(|_| Error::ledger("an entry's fields"))?;
    let key_id: KeyId = match (fields.event_type, fields.subject_id) {
        ("signature.issued", Some(key)) => key.parse().map_err(|_| unknown())?,
        _ => return Err(unknown()),
    };
    let key = ports.keys.key(org, &key_id).await?.ok_or(Error::ledger("a key"))?;
    caller.may_use(&key)?;
    let line = access.lines.line(org, &key.line).await?;

    // Everything that the receipt is to hold has its place before the checkpoint over it is chosen.
    access.sequencer.sequence(org).await?;
    let successions = access.successions(org, &line).await?;
    refuse_withheld(access, caller, &key_id, &event).await?;
    let revoked = match key.status {
        KeyStatus::Revoked => Some(revocation(access, caller, &key_id).await?),
        KeyStatus::Active | KeyStatus::Superseded => None,
    };
    let needed = successions.iter().map(|(_, seq)| *seq).chain(revoked);
    let size = needed.fold(seq, u64::max) + 1;
    let checkpoint = access.checkpoint_of(org, size).await?;
    let size = checkpoint.tree_size;

    let successions = access.links(org, successions, size).await?;
    Ok(Receipt {
        v: RECEIPT_VERSION,
        org: org.to_string(),
        key_id: key_id.to_string(),
        signature_base64: None,
        keys: lineage_keys(&line),
        successions,
        issued: access.logged(org, seq, size).await?,
        revoked: match revoked {
            Some(seq) => Some(access.logged(org, seq, size).await?),
            None => None,
        },
        ledger: access.evidence(org, &checkpoint).await?,
    })
}

/// A signature is withheld right after it was committed, if at all, and only for a key that was revoked meanwhile.
async fn refuse_withheld(
    access: &LedgerAccess,
    caller: &Caller,
    key: &KeyId,
    event: &EventId,
) -> Result<(), Error> {
    let mut since = 0;
    loop {
        let filter = EntryFilter {
            since,
            limit: PAGE,
            event_type: Some(ledger::EventType::SignatureWithheld),
            subject: Some(key.to_string()),
            ..EntryFilter::default()
        };
        let page = access.sequencer.ledger.entries(&caller.org, &filter).await?;
        for entry in &page {
            let fields = entry.fields().map_err(|_| Error::ledger("an entry's fields"))?;
            if fields.data.get("eventId").and_then(Json::as_str) == Some(event.as_str()) {
                return Err(Error::SignatureWithheld { event: event.clone() });
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => since = last.seq + 1,
            _ => return Ok(()),
        }
    }
}

async fn revocation(access: &LedgerAccess, caller: &Caller, key: &KeyId) -> Result<u64, Error> {
    let filter = EntryFilter {
        limit: 1,
        event_type: Some(ledger::EventType::KeyRevoked),
        subject: Some(key.to_string()),
        ..EntryFilter::default()
    };
    let entry = access.sequencer.ledger.entries(&caller.org, &filter).await?.pop();
    // A key that is revoked without an entry was revoked after the backup that the store was restored from.
    Ok(entry.ok_or(Error::StoreRestored)?.seq)
}

const PAGE: usize = 100;
