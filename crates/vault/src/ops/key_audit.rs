//! Shows what happened to a key, by the ledger.

use std::sync::Arc;

use ledger::{Entry, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Error, caller::Caller, input, sequencing::Sequencer, store::Keys};

/// What a key's audit touches.
#[derive(Clone)]
pub struct Ports {
    /// The key is read.
    pub keys: Arc<dyn Keys>,
    /// Events are given their place, and entries are read.
    pub sequencer: Sequencer,
}

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Request {
    /// 1 to 100; 25 if left out.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
}

/// Something that happened to the key. Only what the vault itself wrote is here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditRow {
    /// `evt_…`
    pub id: String,
    /// `create`, `rotate`, `revoke`, `sign`, `withhold`, `refuse` or `verify`; another event type as it is.
    pub operation: String,
    /// SHA-256 of the payload, lower-case hex; empty where there was none, or only its digest was sent.
    pub payload_sha256: String,
    /// The payload's size in bytes; 0 where there was none, or only its digest was sent.
    pub payload_size: u64,
    /// For a check, whether the signature held; else null.
    pub verified: Option<bool>,
    /// What the caller noted.
    #[schema(value_type = Object)]
    pub metadata: Json,
    /// RFC 3339 UTC with milliseconds.
    pub created_at: String,
    /// Its place in the ledger.
    pub seq: u64,
    /// The event's type in the ledger.
    pub event_type: String,
    /// The token or worker on whose behalf.
    pub actor: String,
}

/// One page.
#[derive(Debug)]
pub struct Response {
    /// Newest first.
    pub rows: Vec<AuditRow>,
    /// How many a page may have.
    pub limit: usize,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// Shows one page of a key's audit, newest first.
///
/// # Errors
/// [`Error::NotFound`], [`Error::KeyNotAllowed`], [`Error::Invalid`], [`Error::StoreUnavailable`].
pub async fn key_audit(
    ports: &Ports,
    caller: &Caller,
    id: &str,
    request: &Request,
) -> Result<Response, Error> {
    let limit = input::page_size(request.limit, 25, 100)?;
    let before = input::cursor::<u64>(request.cursor.as_deref())?;
    let key = super::find_user_key(ports.keys.as_ref(), caller, id).await?;
    ports.sequencer.sequence(&caller.org).await?;
    let ledger = ports.sequencer.ledger.as_ref();
    let mut entries = ledger.key_entries(&caller.org, &key.id, before, limit + 1).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next_cursor = entries.last().filter(|_| more).map(|last| last.seq.to_string());
    let rows = entries.iter().map(row).collect::<Result<_, _>>()?;
    Ok(Response { rows, limit, next_cursor })
}

fn row(entry: &Entry) -> Result<AuditRow, Error> {
    let fields = entry.fields().map_err(|_| Error::ledger("an entry's fields"))?;
    let operation = match fields.event_type {
        "key.created" => "create",
        "key.rotated" => "rotate",
        "key.revoked" => "revoke",
        "signature.issued" => "sign",
        "signature.withheld" => "withhold",
        "signature.refused" => "refuse",
        "signature.verified" => "verify",
        other => other,
    };
    let text = |name: &str| fields.data.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    Ok(AuditRow {
        id: entry.id.clone(),
        operation: operation.to_owned(),
        payload_sha256: text("payloadSha256"),
        payload_size: fields.data.get("payloadSize").and_then(Json::as_u64).unwrap_or_default(),
        verified: fields.data.get("ok").and_then(Json::as_bool),
        metadata: fields.data.get("metadata").cloned().unwrap_or_else(|| Json::object([])),
        created_at: entry.created_at.clone(),
        seq: entry.seq,
        event_type: fields.event_type.to_owned(),
        actor: fields.actor_id.to_owned(),
    })
}
