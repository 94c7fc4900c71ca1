//! Appends an event of a caller's own to the ledger.

use std::sync::Arc;

use ledger::{Content, Json};
use serde::Deserialize;
use utoipa::ToSchema;

use super::read_ledger::LedgerEntry;
use crate::{
    Error, Timestamp,
    caller::Caller,
    events::Scene,
    id::EventId,
    input,
    sequencing::Sequencer,
    store::{EventWrites, Lease, Record, Replies},
};

/// What appending touches.
#[derive(Clone)]
pub struct Ports {
    /// The event is written.
    pub events: Arc<dyn EventWrites>,
    /// It is given its place.
    pub sequencer: Sequencer,
    /// Answers are kept for retries.
    pub replies: Arc<dyn Replies>,
}

/// What to append. All of it stands in the entry's `data`: its type is always `custom.event`, its subject always null.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = AppendRequest)]
pub struct Request {
    /// 1 to 128 characters.
    pub name: String,
    /// At most 1 KiB.
    pub message: Option<String>,
    /// What it is about, in the caller's own terms: 1 to 128 characters.
    pub subject_id: Option<String>,
    /// At most 16 KiB in canonical JSON, numbers integers, at most 8 levels deep.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    pub data: Content,
}

/// Appends, and answers with the entry at its place. The answer that is kept for a retry is the event's, not the entry's:
/// a retry finds the same entry again.
///
/// # Errors
/// [`Error::Invalid`], [`Error::StoreUnavailable`].
pub async fn append_ledger(
    ports: &Ports,
    caller: &Caller,
    request: Request,
    lease: Option<Lease>,
) -> Result<LedgerEntry, Error> {
    input::name(&request.name)?;
    if request.message.as_ref().is_some_and(|message| message.len() > MAX_MESSAGE) {
        return Err(Error::invalid("message", format_args!("a message has at most {MAX_MESSAGE} bytes")));
    }
    if let Some(subject) = &request.subject_id {
        input::name(subject).map_err(|_| {
            Error::invalid("subjectId", "a subject has 1 to 128 characters, none of them a control character")
        })?;
    }
    request.data.check_size(usize::MAX, MAX_DATA).map_err(|e| Error::invalid("data", e))?;

    let now = Timestamp::now();
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now };
    let id = EventId::generate(now)?;
    let data = Json::object([
        ("data", request.data.to_json()),
        ("message", request.message.as_deref().into()),
        ("name", request.name.as_str().into()),
        ("subjectId", request.subject_id.as_deref().into()),
    ]);
    let reply = crate::idempotency::reply(lease.as_ref(), &Kept { event_id: id.to_string() }, None)?;
    ports.events.append(Record { events: vec![scene.custom(&id, data)], reply }).await?;
    placed(ports, caller, &id).await
}

/// The answer of a call before, found again by what was kept of it.
///
/// # Errors
/// [`Error::StoreUnavailable`].
pub async fn replay(ports: &Ports, caller: &Caller, kept: &[u8]) -> Result<LedgerEntry, Error> {
    let kept: Kept = serde_json::from_slice(kept).map_err(|_| Error::ledger("a kept answer"))?;
    placed(ports, caller, &kept.event_id.parse().map_err(|_| Error::ledger("a kept answer"))?).await
}

/// What is kept for a retry: the entry's place is not known when its event is committed.
#[derive(serde::Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    event_id: String,
}

async fn placed(ports: &Ports, caller: &Caller, event: &EventId) -> Result<LedgerEntry, Error> {
    let seq = ports.sequencer.place(&caller.org, event).await?;
    Ok(ports.sequencer.entry(&caller.org, seq).await?.into())
}

/// In bytes.
const MAX_MESSAGE: usize = 1024;

/// In bytes of canonical JSON.
const MAX_DATA: usize = 16 * 1024;
