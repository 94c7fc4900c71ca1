//! The operations, one file each. An operation is a function of its ports, its caller and its request.

pub mod api_tokens;
pub mod append_ledger;
pub mod clear_settings;
pub mod create_key;
pub mod create_org;
pub mod get_key;
pub mod get_settings;
pub mod key_audit;
pub mod key_lineage;
pub mod list_keys;
pub mod policies;
pub mod public_key;
pub mod put_settings;
pub mod read_ledger;
pub mod receipt;
pub mod reconcile_keys;
pub mod recover;
pub mod revoke_key;
pub mod rewrap;
pub mod rotate_due_keys;
pub mod rotate_key;
pub mod rotate_ledger_key;
pub mod seal_ledger;
pub mod sign;
pub mod test_settings;
pub mod usage;
pub mod verify;
pub mod whoami;

use std::sync::Arc;

use crate::{
    Error, Timestamp,
    caller::Caller,
    events::Scene,
    id::KeyId,
    policies::{Judged, MatchOperation},
    store::{EventWrites, KeyKind, KeyRecord, KeyStatus, Keys, Policies},
};

/// Finds a user key of the caller's organisation that the caller's token is for. Foreign, unknown, malformed and ledger keys
/// give one answer.
async fn find_user_key(keys: &dyn Keys, caller: &Caller, id: &str) -> Result<KeyRecord, Error> {
    let id: KeyId = id.parse()?;
    match keys.key(&caller.org, &id).await? {
        Some(record) if record.kind == KeyKind::User => {
            caller.may_use(&record)?;
            Ok(record)
        }
        _ => Err(Error::NotFound { what: "key" }),
    }
}

/// Holds a call that was answered before against the policies of this moment: they bind every later call, a replay too.
async fn hold_again(
    keys: &Arc<dyn Keys>,
    policies: &Arc<dyn Policies>,
    events: &Arc<dyn EventWrites>,
    caller: &Caller,
    operation: MatchOperation,
    key: &KeyId,
) -> Result<(), Error> {
    let in_force = crate::policies::read(policies.as_ref(), &caller.org).await?;
    let Some(key) = keys.key(&caller.org, key).await? else { return Ok(()) };
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now: Timestamp::now() };
    let judged = Judged::of(operation, &key);
    match crate::policies::hold_against(&in_force, events.as_ref(), scene, &judged).await? {
        Some(violated) => Ok(events.append(violated.into()).await?),
        None => Ok(()),
    }
}

/// Refuses a key that signs no more, with what became of it.
fn refuse_inactive(key: &KeyRecord) -> Result<(), Error> {
    match (key.status, &key.successor) {
        (KeyStatus::Active, _) => Ok(()),
        (KeyStatus::Superseded, Some(successor)) => {
            Err(Error::KeySuperseded { key: key.id.clone(), successor: successor.clone() })
        }
        (KeyStatus::Superseded | KeyStatus::Revoked, _) => Err(Error::KeyRevoked { key: key.id.clone() }),
    }
}

/// Why an active key did not sign. Where it ended after its row was read, what it signed with was gone, which looks like damage:
/// so a second look decides.
async fn why_not(keys: &dyn Keys, key: &KeyRecord, error: Error) -> Error {
    if !matches!(error, Error::KeyIntegrity { .. }) {
        return error;
    }
    match keys.key(&key.org, &key.id).await {
        Ok(Some(now)) => refuse_inactive(&now).err().unwrap_or(error),
        Ok(None) => error,
        Err(unreadable) => unreadable.into(),
    }
}
