//! Shows how much an organisation uses.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Error, Timestamp,
    caller::Caller,
    providers::Tier,
    sequencing::Sequencer,
    store::{self, KeyStatus},
};

/// What usage touches.
#[derive(Clone)]
pub struct Ports {
    /// Events are given their place, and counted with it.
    pub sequencer: Sequencer,
    /// The counters are read.
    pub usage: Arc<dyn store::Usage>,
}

/// How far back.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Request {
    /// 1 to 90 days, today included; 30 if left out.
    #[param(minimum = 1, maximum = 90)]
    pub days: Option<u32>,
}

/// What an organisation uses.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageResponse)]
pub struct Response {
    /// How many keys there are, by status and tier; combinations without any are left out.
    pub keys: Vec<KeyCount>,
    /// How many signatures were committed on each day that had any, oldest first.
    pub signatures: Vec<DayCount>,
}

/// How many keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyCount {
    /// Of which status.
    pub status: KeyStatus,
    /// Of which tier.
    pub tier: Tier,
    /// How many.
    pub count: u64,
}

/// How many signatures.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayCount {
    /// On which day in UTC, `2026-01-02`.
    pub day: String,
    /// How many.
    pub count: u64,
}

/// Shows the usage of the last days.
///
/// # Errors
/// [`Error::Invalid`], [`Error::StoreUnavailable`].
pub async fn usage(ports: &Ports, caller: &Caller, request: &Request) -> Result<Response, Error> {
    let days = request.days.unwrap_or(30);
    if !(1..=90).contains(&days) {
        return Err(Error::invalid("days", "ask for 1 to 90 days"));
    }
    ports.sequencer.sequence(&caller.org).await?;
    let since = Timestamp::now().days_before(days - 1).day();
    let counted = ports.usage.usage(&caller.org, &since).await?;
    Ok(Response {
        keys: counted
            .keys
            .into_iter()
            .map(|(status, tier, count)| KeyCount { status, tier, count })
            .collect(),
        signatures: counted.signatures.into_iter().map(|(day, count)| DayCount { day, count }).collect(),
    })
}
