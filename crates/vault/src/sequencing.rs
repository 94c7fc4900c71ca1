//! Gives events their place in their organisation's ledger.
//!
//! Signers write to an intake that nothing contends for, and never wait for each other here. Whoever needs a place calls
//! [`Sequencer::sequence`] first; anyone may call it at any time, at once with others: the ledger's head moves by
//! compare-and-swap, and who comes second reads again.

use std::sync::Arc;

use ledger::{Entry, Event, EventType, Tiles, Wanted, edge, tree};

use crate::{
    Error, Timestamp,
    id::{EventId, KeyId, OrgId},
    store::{Batch, EntryFilter, Head, Intake, LedgerReads, Placed, Placing},
};

/// What giving places touches.
#[derive(Clone)]
pub struct Sequencer {
    /// Events without a place are read.
    pub intake: Arc<dyn Intake>,
    /// The ledger's head and the edge of its tree are read.
    pub ledger: Arc<dyn LedgerReads>,
    /// Batches are appended.
    pub placing: Arc<dyn Placing>,
}

impl Sequencer {
    /// Places every event that was committed before this was called, and tells where the ledger then ends.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`], [`Error::StoreRestored`]. What was placed until then stays.
    pub async fn sequence(&self, org: &OrgId) -> Result<Head, Error> {
        let batch = self.placing.max_batch().max(1);
        let mut limit = batch;
        loop {
            let head = self.ledger.head(org).await?;
            let seen = self.intake.unplaced(org, limit).await?;
            if seen.is_empty() {
                // Somebody else may have placed everything between the two reads.
                return Ok(self.ledger.head(org).await?);
            }
            let complete = seen.len() < limit;
            let ordered = if !seen.iter().any(ends_a_key) {
                seen
            } else if complete {
                // Begun after the end of a key was seen: what was released before that end is in one of the two reads.
                let again = self.intake.unplaced(org, limit).await?;
                if again.len() == limit {
                    limit *= 2;
                    continue;
                }
                order(seen, &again)
            } else if seen.iter().all(ends_a_key) {
                limit *= 2;
                continue;
            } else {
                seen.into_iter().filter(|event| !ends_a_key(event)).collect()
            };
            // What is left of a long read is read again.
            let now = ordered.get(..batch).unwrap_or(&ordered);
            let placed = self.append(org, head, now).await?;
            // All that was committed before this was called is placed; what came since is somebody else's to wait for.
            if let Some(head) = placed
                && complete
                && now.len() == ordered.len()
            {
                return Ok(head);
            }
        }
    }

    /// The place of an event, which is given one where it has none.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of [`Sequencer::sequence`].
    pub(crate) async fn place(&self, org: &OrgId, event: &EventId) -> Result<u64, Error> {
        if let Some(seq) = self.ledger.place(org, event).await? {
            return Ok(seq);
        }
        self.sequence(org).await?;
        self.ledger.place(org, event).await?.ok_or(Error::NotFound { what: "event" })
    }

    /// The entry at a place that the ledger has.
    ///
    /// # Errors
    /// [`Error::Internal`] where it is missing, [`Error::StoreUnavailable`].
    pub(crate) async fn entry(&self, org: &OrgId, seq: u64) -> Result<Entry, Error> {
        let filter = EntryFilter { since: seq, limit: 1, ..EntryFilter::default() };
        let entry = self.ledger.entries(org, &filter).await?.pop();
        entry.filter(|entry| entry.seq == seq).ok_or(Error::ledger("an entry"))
    }

    /// One batch, and where the ledger then ends. Where another sequencer was first, nothing was placed.
    async fn append(&self, org: &OrgId, head: Head, events: &[Event]) -> Result<Option<Head>, Error> {
        let mut previous = head.hash;
        let mut entries = Vec::new();
        let mut leaves = Vec::new();
        for (seq, event) in (head.size..).zip(events) {
            let (entry, hash) = Entry::place(event, seq, &previous);
            previous = hash;
            leaves.push(tree::leaf_hash(&hash));
            entries.push(placed(entry, event));
        }
        let tiles = tiles(self.ledger.as_ref(), org, &edge(head.size)).await?.append(head.size, &leaves)?;
        let size = head.size + u64::try_from(leaves.len()).unwrap_or(u64::MAX);
        let batch = Batch { entries, tiles, head: Head { size, hash: previous } };
        Ok(self.placing.append_batch(org, &head, &batch).await?.then_some(batch.head))
    }
}

/// Does some work over the tree, with the tiles that it needs and no others.
pub(crate) async fn over_tree<T>(
    ledger: &dyn LedgerReads,
    org: &OrgId,
    work: impl Fn(&dyn tree::Nodes<Error = ledger::MissingTile>) -> Result<T, ledger::MissingTile> + Send,
) -> Result<T, Error> {
    let ids = {
        let wanted = Wanted::default();
        work(&wanted)?;
        wanted.into_ids()
    };
    Ok(work(&tiles(ledger, org, &ids).await?)?)
}

async fn tiles(ledger: &dyn LedgerReads, org: &OrgId, ids: &[ledger::TileId]) -> Result<Tiles, Error> {
    let mut tiles = Tiles::default();
    if !ids.is_empty() {
        for (id, bytes) in ledger.tiles(org, ids).await? {
            tiles.insert(id, &bytes);
        }
    }
    Ok(tiles)
}

/// Puts the signatures of a key before its end, whichever of the two reads found them, and leaves the rest in its order.
fn order(seen: Vec<Event>, again: &[Event]) -> Vec<Event> {
    let mut ordered: Vec<Event> = Vec::with_capacity(seen.len());
    let mut waiting = std::collections::VecDeque::from(seen);
    while let Some(event) = waiting.pop_front() {
        if ends_a_key(&event) {
            let mut earlier: Vec<Event> = Vec::new();
            waiting.retain(|other| {
                let first = is_signature_of(other, &event);
                if first {
                    earlier.push(other.clone());
                }
                !first
            });
            for other in again.iter().filter(|other| is_signature_of(other, &event)) {
                let known = |events: &[Event]| events.iter().any(|known| known.id == other.id);
                if !known(&ordered) && !known(&earlier) {
                    earlier.push(other.clone());
                }
            }
            ordered.append(&mut earlier);
        }
        ordered.push(event);
    }
    ordered
}

fn ends_a_key(event: &Event) -> bool {
    matches!(event.event_type, EventType::KeyRevoked | EventType::KeyRotated)
}

fn is_signature_of(event: &Event, end: &Event) -> bool {
    event.event_type == EventType::SignatureIssued && event.subject_id == end.subject_id
}

fn placed(entry: Entry, event: &Event) -> Placed {
    let key = |id: Option<&str>| id.and_then(|id| id.parse::<KeyId>().ok());
    let subject = key(event.subject_id.as_deref());
    let signed = match (event.event_type, &subject, event.issued_at.parse::<Timestamp>()) {
        (EventType::SignatureIssued, Some(key), Ok(at)) => Some((at.day(), key.clone(), at)),
        _ => None,
    };
    let mut keys: Vec<KeyId> = subject.into_iter().collect();
    if event.event_type == EventType::KeyRotated {
        keys.extend(key(event.data.get("successor").and_then(|successor| successor.get("id")?.as_str())));
    }
    Placed { entry, event_type: event.event_type, subject: event.subject_id.clone(), keys, signed }
}
