//! Takes an organisation's settings away, unless keys rest on them.

use std::sync::Arc;

use ledger::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Error, Timestamp,
    caller::Caller,
    events::Scene,
    store::{Clearing, Record, SettingsWrites},
};

/// What taking settings away touches.
#[derive(Clone)]
pub struct Ports {
    /// They are deleted.
    pub writes: Arc<dyn SettingsWrites>,
}

/// That there are no settings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClearSettingsResponse)]
pub struct Response {
    /// True.
    pub cleared: bool,
}

/// Takes them away; where there are none, it answers the same.
///
/// # Errors
/// [`Error::SettingsInUse`], which names a key that rests on them; [`Error::StoreUnavailable`].
pub async fn clear_settings(ports: &Ports, caller: &Caller) -> Result<Response, Error> {
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now: Timestamp::now() };
    let nothing = Json::object([("aws", Json::Null), ("defaultKekProvider", Json::Null)]);
    let record = Record::from(scene.settings_changed(nothing)?);
    match ports.writes.clear_settings(&caller.org, record).await? {
        Clearing::Done | Clearing::NotThere => Ok(Response { cleared: true }),
        Clearing::InUse(by) => Err(Error::SettingsInUse { by }),
    }
}
