//! Lists an organisation's keys, newest first.

use std::sync::Arc;

use composite::Algorithm;
use serde::Deserialize;
use utoipa::IntoParams;

use super::get_key::{self, AlgorithmName, Key};
use crate::{
    Error,
    caller::Caller,
    id::KeyId,
    input,
    providers::Tier,
    store::{KeyFilter, KeyStatus, Keys, Settings, Usage},
};

/// What listing keys touches.
#[derive(Clone)]
pub struct Ports {
    /// Keys are read.
    pub keys: Arc<dyn Keys>,
    /// When they last signed is read.
    pub usage: Arc<dyn Usage>,
    /// How long halves may stay opened is read, where a cloud wraps a data key.
    pub settings: Arc<dyn Settings>,
}

/// Which keys to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Request {
    /// 1 to 100; 20 if left out.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// Only of this algorithm.
    #[param(value_type = Option<AlgorithmName>)]
    pub algorithm: Option<Algorithm>,
    /// Revoked keys too; false if left out.
    pub include_revoked: Option<bool>,
    /// Only of this status; `revoked` needs no `includeRevoked`.
    pub status: Option<KeyStatus>,
    /// Only of this tier, 0 to 3.
    pub tier: Option<u8>,
    /// Only those whose name begins so, letter by letter.
    pub name_prefix: Option<String>,
}

/// One page.
#[derive(Debug)]
pub struct Response {
    /// The keys, without their public keys.
    pub keys: Vec<Key>,
    /// How many a page may have.
    pub limit: usize,
    /// Where the next page begins; none after the last.
    pub next_cursor: Option<String>,
}

/// Lists one page of the caller's organisation's keys.
///
/// # Errors
/// [`Error::Invalid`] for a limit or cursor out of range.
pub async fn list_keys(ports: &Ports, caller: &Caller, request: Request) -> Result<Response, Error> {
    let limit = input::page_size(request.limit, 20, 100)?;
    let before = input::cursor::<KeyId>(request.cursor.as_deref())?;
    let tier = match request.tier {
        Some(tier) => {
            Some(Tier::try_from(tier).map_err(|_| Error::invalid("tier", "a tier is 0, 1, 2 or 3"))?)
        }
        None => None,
    };
    let filter = KeyFilter {
        // One more than a page tells whether there is a next one.
        limit: limit + 1,
        before,
        algorithm: request.algorithm,
        status: request.status,
        include_revoked: request.include_revoked.unwrap_or(false),
        tier,
        name_prefix: request.name_prefix,
        lines: caller.lines.clone(),
    };
    let mut records = ports.keys.list(&caller.org, &filter).await?;
    let more = records.len() > limit;
    records.truncate(limit);
    let next_cursor = records.last().filter(|_| more).map(|last| last.id.to_string());
    let mut keys: Vec<Key> = records.into_iter().map(Key::from).collect();
    get_key::add_cache_ttl(ports.settings.as_ref(), caller, keys.iter_mut()).await?;
    get_key::add_last_used(ports.usage.as_ref(), caller, keys.iter_mut()).await?;
    Ok(Response { keys, limit, next_cursor })
}
