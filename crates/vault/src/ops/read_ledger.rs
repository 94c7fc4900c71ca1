//! Reads the ledger: its entries, its checkpoints, proofs, and bundles for verifiers.

mod bundle;
pub mod shapes;

use ledger::{Entry, EventType, Payload, tree::consistency_proof};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use bundle::{BundleRequest, bundle};

use crate::{
    Error,
    caller::Caller,
    encoding::Base64,
    id::EventId,
    idempotency::to_json,
    input,
    ledger_access::LedgerAccess,
    sequencing::over_tree,
    store::{CheckpointRecord, EntryFilter, LedgerReads},
};

/// What reading the ledger touches.
#[derive(Clone)]
pub struct Ports {
    /// The ledger is read, and a checkpoint is asked for.
    pub access: LedgerAccess,
}

/// An entry of the ledger.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// `evt_…`
    pub id: String,
    /// Its place, from 0.
    pub seq: u64,
    /// The hash of the entry before it, lower-case hex; 64 zeros before the first.
    pub prev_hash_hex: String,
    /// SHA-256(previous hash ‖ canonical payload), lower-case hex.
    pub entry_hash_hex: String,
    /// What is hashed: `actorId`, `data`, `eventType`, `id`, `issuedAt`, `org`, `seq`, `subjectId`, `v`.
    #[schema(value_type = Object)]
    pub payload: Payload,
    /// The payload's.
    pub event_type: String,
    /// The payload's; null where nothing has an id.
    pub subject_id: Option<String>,
    /// The payload's: a token or a worker.
    pub actor_id: String,
    /// The payload's `issuedAt`, RFC 3339 UTC with milliseconds.
    pub created_at: String,
}

/// A checkpoint of the ledger.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerCheckpoint {
    /// `cpt_…`
    pub id: String,
    /// How many entries it covers.
    pub tree_size: u64,
    /// The root over them, lower-case hex.
    pub merkle_root_hex: String,
    /// The composite signature over the checkpoint's body, raw, base64.
    pub signature_base64: String,
    /// The ledger key that signed.
    pub signing_key_id: String,
    /// Where it was published; always empty.
    pub published_to: Vec<String>,
    /// When, RFC 3339 UTC with milliseconds.
    pub created_at: String,
}

/// That an entry is in the ledger.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InclusionProof {
    /// `evt_…`
    pub entry_id: String,
    /// The entry's place.
    pub leaf_index: u64,
    /// SHA-256(0x00 ‖ entry hash), lower-case hex.
    pub leaf_hash_hex: String,
    /// The audit path (RFC 6962 §2.1.1), lowest first, lower-case hex.
    pub proof_hex: Vec<String>,
    /// The checkpoint whose root it leads to.
    pub checkpoint: LedgerCheckpoint,
}

/// That a smaller tree is a beginning of a larger one.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsistencyProof {
    /// The size of the smaller tree.
    pub from_tree_size: u64,
    /// The size of the larger tree.
    pub to_tree_size: u64,
    /// RFC 6962 §2.1.2, lower-case hex.
    pub proof_hex: Vec<String>,
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EntriesRequest {
    /// 1 to 1000; 100 if left out. A page also ends at 4 MiB.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// Only those from this place on.
    pub since: Option<u64>,
    /// Only of this type, such as `signature.issued`.
    #[param(value_type = Option<String>)]
    pub event_type: Option<EventType>,
    /// Only about this key or token.
    pub subject_id: Option<String>,
    /// In which order: `oldest` first if left out.
    #[param(inline)]
    pub order: Option<Order>,
}

/// Which end of the ledger comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// In the ledger's own order.
    Oldest,
    /// Against it.
    Newest,
}

/// Which checkpoints.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CheckpointsRequest {
    /// 1 to 100; 20 if left out.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// Between which trees.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConsistencyRequest {
    /// The size of the smaller tree, at least 1.
    pub from: u64,
    /// The size of the larger tree, at most the ledger's.
    pub to: u64,
}

/// One page of something.
#[derive(Debug)]
pub struct Paged<T> {
    /// The page.
    pub items: Vec<T>,
    /// How many a page may have.
    pub limit: usize,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// Entries in their order, or the newest first.
///
/// # Errors
/// [`Error::Invalid`], [`Error::StoreUnavailable`].
pub async fn entries(
    ports: &Ports,
    caller: &Caller,
    request: EntriesRequest,
) -> Result<Paged<LedgerEntry>, Error> {
    let limit = input::page_size(request.limit, 100, 1000)?;
    let cursor = input::cursor::<u64>(request.cursor.as_deref())?;
    ports.access.sequencer.sequence(&caller.org).await?;
    let newest_first = request.order == Some(Order::Newest);
    // A cursor is the place of the next page's first entry.
    let (from, until) = if newest_first { (None, cursor) } else { (cursor, None) };
    let filter = EntryFilter {
        since: from.or(request.since).unwrap_or_default(),
        before: until.map(|last| last.saturating_add(1)),
        newest_first,
        limit: limit + 1,
        event_type: request.event_type,
        subject: request.subject_id,
    };
    let mut entries = reads(ports).entries(&caller.org, &filter).await?;
    let mut left = MAX_BYTES;
    let mut fitting = 0;
    for entry in entries.iter().take(limit) {
        match left.checked_sub(to_json(entry)?.len()) {
            Some(rest) => left = rest,
            None => break,
        }
        fitting += 1;
    }
    let next_cursor = entries.get(fitting).map(|next| next.seq.to_string());
    entries.truncate(fitting);
    Ok(Paged { items: entries.into_iter().map(LedgerEntry::from).collect(), limit, next_cursor })
}

/// Checkpoints, newest first.
///
/// # Errors
/// [`Error::Invalid`], [`Error::StoreUnavailable`].
pub async fn checkpoints(
    ports: &Ports,
    caller: &Caller,
    request: &CheckpointsRequest,
) -> Result<Paged<LedgerCheckpoint>, Error> {
    let limit = input::page_size(request.limit, 20, 100)?;
    let below = input::cursor::<u64>(request.cursor.as_deref())?;
    let mut records = reads(ports).checkpoints(&caller.org, below, limit + 1).await?;
    let more = records.len() > limit;
    records.truncate(limit);
    let next_cursor = records.last().filter(|_| more).map(|last| last.tree_size.to_string());
    Ok(Paged { items: records.iter().map(LedgerCheckpoint::from).collect(), limit, next_cursor })
}

/// The newest checkpoint; none where the ledger was never sealed.
///
/// # Errors
/// [`Error::StoreUnavailable`].
pub async fn latest(ports: &Ports, caller: &Caller) -> Result<Option<LedgerCheckpoint>, Error> {
    Ok(ports.access.latest(&caller.org).await?.as_ref().map(LedgerCheckpoint::from))
}

/// That an event's entry is in the ledger. Where no checkpoint covers it yet, one is made first.
///
/// # Errors
/// [`Error::NotFound`], [`Error::StoreUnavailable`].
pub async fn proof(ports: &Ports, caller: &Caller, event: &str) -> Result<InclusionProof, Error> {
    let unknown = || Error::NotFound { what: "event" };
    let event: EventId = event.parse().map_err(|_| unknown())?;
    let seq = ports.access.sequencer.place(&caller.org, &event).await?;
    let checkpoint = ports.access.checkpoint_of(&caller.org, seq + 1).await?;
    let logged = ports.access.logged(&caller.org, seq, checkpoint.tree_size).await?;
    Ok(InclusionProof {
        entry_id: logged.entry.id,
        leaf_index: logged.leaf_index,
        leaf_hash_hex: logged.leaf_hash_hex,
        proof_hex: logged.proof_hex,
        checkpoint: (&checkpoint).into(),
    })
}

/// That the ledger's tree of `from` entries is a beginning of that of `to`.
///
/// # Errors
/// [`Error::Invalid`], [`Error::StoreUnavailable`].
pub async fn consistency(
    ports: &Ports,
    caller: &Caller,
    request: &ConsistencyRequest,
) -> Result<ConsistencyProof, Error> {
    let ConsistencyRequest { from, to } = *request;
    let head = ports.access.sequencer.sequence(&caller.org).await?;
    if from == 0 || from > to {
        return Err(Error::invalid("from", "a tree size from 1 to `to`"));
    }
    if to > head.size {
        return Err(Error::invalid("to", format_args!("the ledger has {} entries", head.size)));
    }
    let proof = over_tree(reads(ports), &caller.org, |nodes| consistency_proof(from, to, nodes)).await?;
    let proof_hex = proof.iter().map(hex::encode).collect();
    Ok(ConsistencyProof { from_tree_size: from, to_tree_size: to, proof_hex })
}

/// An answer's limit in bytes, 4 MiB: with all that stands around it stays under the 6 MB that a function may answer with.
const MAX_BYTES: usize = 4 * 1024 * 1024;

fn reads(ports: &Ports) -> &dyn LedgerReads {
    ports.access.sequencer.ledger.as_ref()
}

impl From<Entry> for LedgerEntry {
    fn from(entry: Entry) -> Self {
        let (event_type, subject_id, actor_id) = entry
            .fields()
            .map(|fields| (fields.event_type.to_owned(), fields.subject_id, fields.actor_id.to_owned()))
            .unwrap_or_default();
        Self {
            event_type,
            subject_id: subject_id.map(str::to_owned),
            actor_id,
            payload: entry.payload.clone(),
            id: entry.id.clone(),
            seq: entry.seq,
            prev_hash_hex: entry.prev_hash_hex.clone(),
            entry_hash_hex: entry.entry_hash_hex.clone(),
            created_at: entry.created_at.clone(),
        }
    }
}

impl From<&CheckpointRecord> for LedgerCheckpoint {
    fn from(record: &CheckpointRecord) -> Self {
        Self {
            id: record.id.to_string(),
            tree_size: record.tree_size,
            merkle_root_hex: hex::encode(record.root),
            signature_base64: Base64(record.signature.clone()).to_text(),
            signing_key_id: record.key.to_string(),
            published_to: Vec::new(),
            created_at: record.created_at.to_string(),
        }
    }
}
