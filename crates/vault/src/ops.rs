//! The operations, one file each. An operation is a function of its ports, its caller and its request.

pub mod create_key;
pub mod create_org;
pub mod get_key;
pub mod list_keys;
pub mod public_key;
pub mod rewrap;
pub mod sign;
pub mod verify;
pub mod whoami;

use crate::{
    Error,
    caller::Caller,
    id::KeyId,
    store::{KeyKind, KeyRecord, Keys},
};

/// Finds a user key of the caller's organisation. Foreign, unknown, malformed and ledger keys give one answer.
async fn find_user_key(keys: &dyn Keys, caller: &Caller, id: &str) -> Result<KeyRecord, Error> {
    let id: KeyId = id.parse()?;
    match keys.key(&caller.org, &id).await? {
        Some(record) if record.kind == KeyKind::User => Ok(record),
        _ => Err(Error::NotFound { what: "key" }),
    }
}
