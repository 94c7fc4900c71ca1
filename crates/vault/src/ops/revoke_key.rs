//! Revokes a key, for ever.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Error, Timestamp,
    caller::Caller,
    custody::OpenedKeys,
    events::Scene,
    store::{KeyWrites, Keys, Record, Tombstone},
};

/// What revoking touches.
#[derive(Clone)]
pub struct Ports {
    /// The key is read.
    pub keys: Arc<dyn Keys>,
    /// The tombstone is written; sealed halves, wrapped data key and tag are deleted.
    pub writes: Arc<dyn KeyWrites>,
    /// What this process has opened of it is let go of.
    pub opened: Arc<OpenedKeys>,
}

/// That a key is revoked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RevokeKeyResponse)]
pub struct Response {
    /// `key_…`
    pub id: String,
    /// When it was revoked, RFC 3339 UTC with milliseconds.
    pub revoked_at: String,
}

/// Revokes. Once this has answered, no later call signs with the key; a second time answers the same.
///
/// # Errors
/// [`Error::NotFound`], [`Error::KeyNotAllowed`], [`Error::StoreUnavailable`], [`Error::StoreRestored`].
pub async fn revoke_key(ports: &Ports, caller: &Caller, id: &str) -> Result<Response, Error> {
    let key = super::find_user_key(ports.keys.as_ref(), caller, id).await?;
    let now = Timestamp::now();
    let tombstone = Tombstone {
        org: key.org,
        key: key.id,
        fingerprint: hex::encode(key.public_key.fingerprint()),
        revoked_at: now,
    };
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now };
    let record = Record::from(scene.key_revoked(&tombstone)?);
    let revoked_at = ports.writes.revoke(&tombstone, record).await?;
    ports.opened.forget(&tombstone.org, &tombstone.key);
    Ok(Response { id: tombstone.key.to_string(), revoked_at: revoked_at.to_string() })
}
