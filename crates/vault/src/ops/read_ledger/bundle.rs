//! Bundles: all that a verifier needs offline, whole or in ranges.

use ledger::{BUNDLE_VERSION, Bundle, Entry, NO_ENTRY, Range, tree::around_range};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{MAX_BYTES, Ports, reads};
use crate::{
    Error, Timestamp,
    caller::Caller,
    id::OrgId,
    idempotency::to_json,
    sequencing::over_tree,
    store::{CheckpointRecord, EntryFilter},
};

/// Which part of the ledger. Without both, all of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BundleRequest {
    /// The first entry's place; 0 if only `limit` is sent.
    pub since: Option<u64>,
    /// At most so many entries, 1 to 5000; 1000 if only `since` is sent. A page also ends at 4 MiB.
    #[param(minimum = 1, maximum = 5000)]
    pub limit: Option<u32>,
}

/// A bundle, up to the newest checkpoint. A ledger that was never sealed is sealed first.
///
/// # Errors
/// [`Error::LedgerTooLarge`] for a whole one over 4 MiB, [`Error::Invalid`], [`Error::StoreUnavailable`].
pub async fn bundle(ports: &Ports, caller: &Caller, request: &BundleRequest) -> Result<Bundle, Error> {
    let org = &caller.org;
    ports.access.sequencer.sequence(org).await?;
    let newest = ports.access.checkpoint_of(org, 1).await?;
    match (request.since, request.limit) {
        (None, None) => whole(ports, org, &newest).await,
        (since, limit) => {
            let limit = crate::input::page_size(limit, 1000, MAX_PAGE)?;
            range(ports, org, &newest, since.unwrap_or_default(), limit).await
        }
    }
}

async fn whole(ports: &Ports, org: &OrgId, newest: &CheckpointRecord) -> Result<Bundle, Error> {
    let too_large = || Error::LedgerTooLarge { limit: MAX_BYTES };
    let mut left = MAX_BYTES;
    let entries = entries(ports, org, 0, newest.tree_size, usize::MAX, &mut left).await?;
    if u64::try_from(entries.len()) != Ok(newest.tree_size) {
        return Err(too_large());
    }
    let mut checkpoints = vec![newest.clone()];
    while let Some(oldest) = checkpoints.last() {
        let page = reads(ports).checkpoints(org, Some(oldest.tree_size), STEP).await?;
        if page.is_empty() {
            break;
        }
        for checkpoint in page {
            // In base64, with what stands around it.
            left = left.checked_sub(checkpoint.signature.len() / 3 * 4 + 300).ok_or_else(too_large)?;
            checkpoints.push(checkpoint);
        }
    }
    checkpoints.reverse();
    assemble(ports, org, newest, &checkpoints, entries, None).await
}

async fn range(
    ports: &Ports,
    org: &OrgId,
    newest: &CheckpointRecord,
    since: u64,
    limit: usize,
) -> Result<Bundle, Error> {
    let checkpoints = std::slice::from_ref(newest);
    let size = newest.tree_size;
    let mut left = MAX_BYTES;
    let entries = entries(ports, org, since, size, limit, &mut left).await?;
    let Some(last) = entries.last() else {
        return assemble(ports, org, newest, checkpoints, entries, None).await;
    };
    let until = last.seq;
    let prev_hash_hex = match since.checked_sub(1) {
        Some(before) => ports.access.sequencer.entry(org, before).await?.entry_hash_hex,
        None => hex::encode(NO_ENTRY),
    };
    let around = over_tree(reads(ports), org, |nodes| around_range(since, until, size, nodes)).await?;
    let hex = |hashes: Vec<[u8; 32]>| hashes.iter().map(hex::encode).collect();
    let range = Range {
        since,
        until,
        tree_size: size,
        prev_hash_hex,
        left_hex: hex(around.0),
        right_hex: hex(around.1),
    };
    assemble(ports, org, newest, checkpoints, entries, Some(range)).await
}

/// Entries from `since` on, below `size`: at most `limit`, and as many as fit into what is `left` of the bytes, but one.
async fn entries(
    ports: &Ports,
    org: &OrgId,
    since: u64,
    size: u64,
    limit: usize,
    left: &mut usize,
) -> Result<Vec<Entry>, Error> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut next = since;
    while next < size && entries.len() < limit {
        let filter = EntryFilter { since: next, limit: STEP, ..EntryFilter::default() };
        let page = reads(ports).entries(org, &filter).await?;
        if page.is_empty() {
            return Err(Error::ledger("an entry"));
        }
        for entry in page {
            if entry.seq >= size || entries.len() == limit {
                return Ok(entries);
            }
            let bytes = to_json(&entry)?.len();
            match left.checked_sub(bytes) {
                Some(rest) => *left = rest,
                None if entries.is_empty() => *left = 0,
                None => return Ok(entries),
            }
            next = entry.seq + 1;
            entries.push(entry);
        }
    }
    Ok(entries)
}

async fn assemble(
    ports: &Ports,
    org: &OrgId,
    newest: &CheckpointRecord,
    checkpoints: &[CheckpointRecord],
    entries: Vec<Entry>,
    range: Option<Range>,
) -> Result<Bundle, Error> {
    let (signing_keys, successions) = ports.access.ledger_keys(org, newest.tree_size).await?;
    Ok(Bundle {
        version: BUNDLE_VERSION,
        org: org.to_string(),
        generated_at: Timestamp::now().to_string(),
        entries,
        checkpoints: checkpoints.iter().map(Into::into).collect(),
        signing_keys,
        successions,
        range,
    })
}

/// A page's limit in entries.
const MAX_PAGE: usize = 5000;

/// Rows that are read at a time.
const STEP: usize = 500;
