//! The Lambdas on no route. An operator, a schedule or a stream invokes them with JSON, and they answer with JSON: what they are
//! handed is refused by the name of what is wrong with it, and an answer may hold a secret that is shown once.

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use vault::{
    Error, Timestamp,
    caller::Environment,
    id::{KeyId, OrgId},
    ops::{create_org, reconcile_keys, recover, rewrap, rotate_due_keys, rotate_ledger_key},
    sequencing::Sequencer,
    store::Intake,
};

use crate::{log, wiring::WiringError};

/// What a worker does with an event.
#[async_trait]
pub trait Worker: Send + Sync {
    /// What it is handed.
    type Event: DeserializeOwned + Send;
    /// What it answers.
    type Answer: Serialize;

    /// Does it.
    async fn work(&self, event: Self::Event) -> Result<Self::Answer, Error>;
}

/// Serves a worker as a Lambda until the environment ends.
///
/// # Errors
/// The wiring's, and the runtime's own where its API does not answer.
pub async fn run<W: Worker>(
    worker: impl Future<Output = Result<W, WiringError>>,
) -> Result<(), lambda_runtime::Error> {
    log();
    let worker = worker.await.inspect_err(|error| tracing::error!("{error}"))?;
    let worker = &worker;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| answer(worker, event.payload).await))
        .await
}

/// Does it with what was handed in, and gives the answer as JSON.
pub(crate) async fn answer<W: Worker>(worker: &W, event: Value) -> Result<Value, lambda_runtime::Error> {
    let event = serde_json::from_value(event).map_err(|error| format!("the event: {error}"))?;
    let done = worker.work(event).await.inspect_err(|error| {
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::error!(%error, cause, "the work was not done");
    })?;
    Ok(serde_json::to_value(done)?)
}

/// `{"name","environment":"live"|"test"}` → `{"org","token"}`; the token is shown this once.
#[async_trait]
impl Worker for create_org::Ports {
    type Event = NewOrg;
    type Answer = MadeOrg;

    async fn work(&self, event: NewOrg) -> Result<MadeOrg, Error> {
        let request = create_org::Request { name: event.name, environment: event.environment, token: None };
        let made = create_org::create_org(self, request).await?;
        Ok(MadeOrg { org: made.org, token: made.token.expose().to_owned() })
    }
}

/// `{"org"}` → `{"predecessor","successor","fingerprint"}`.
#[async_trait]
impl Worker for rotate_ledger_key::Ports {
    type Event = OfOrg;
    type Answer = RotatedLedgerKey;

    async fn work(&self, event: OfOrg) -> Result<RotatedLedgerKey, Error> {
        let done = rotate_ledger_key::rotate_ledger_key(self, &event.org).await?;
        let (predecessor, successor, fingerprint) = (done.predecessor, done.successor, done.fingerprint);
        Ok(RotatedLedgerKey { predecessor, successor, fingerprint })
    }
}

/// `{"adopt"?}` → `{"restored","revokedAgain"}`.
#[async_trait]
impl Worker for recover::Ports {
    type Event = Recover;
    type Answer = Recovered;

    async fn work(&self, event: Recover) -> Result<Recovered, Error> {
        let done = recover::recover(self, recover::Request { adopt: event.adopt }).await?;
        Ok(Recovered { restored: done.restored, revoked_again: done.revoked_again })
    }
}

/// `{}` → `{"moved","current","changedMeanwhile","refused","refusedSecrets"}`; to be invoked again while `changedMeanwhile` is not 0.
#[async_trait]
impl Worker for rewrap::Ports {
    type Event = Nothing;
    type Answer = Rewrapped;

    async fn work(&self, _: Nothing) -> Result<Rewrapped, Error> {
        let rewrap::Response { moved, current, changed_meanwhile, refused, refused_secrets } =
            rewrap::rewrap(self).await?;
        Ok(Rewrapped { moved, current, changed_meanwhile, refused, refused_secrets })
    }
}

/// `{"survey"?,"giveUp"?}` → `{"deleted","notOurs","strays","givenUp","failed"}`; a schedule's own event, which has other members, is no survey.
#[async_trait]
impl Worker for reconcile_keys::Ports {
    type Event = Reconcile;
    type Answer = Reconciled;

    async fn work(&self, event: Reconcile) -> Result<Reconciled, Error> {
        let Reconcile { survey, give_up } = event;
        let request = reconcile_keys::Request { now: Timestamp::now(), survey, give_up };
        let reconcile_keys::Response { deleted, not_ours, strays, given_up, failed } =
            reconcile_keys::reconcile_keys(self, request).await?;
        Ok(Reconciled { deleted, not_ours, strays, given_up, failed })
    }
}

/// `{}`, or a schedule's own event → `{"rotated","failed"}`.
#[async_trait]
impl Worker for rotate_due_keys::Ports {
    type Event = Nothing;
    type Answer = RotatedKeys;

    async fn work(&self, _: Nothing) -> Result<RotatedKeys, Error> {
        let rotate_due_keys::Response { rotated, failed } =
            rotate_due_keys::rotate_due_keys(self, Timestamp::now()).await?;
        Ok(RotatedKeys { rotated: rotated.into_iter().map(|(key, _)| key).collect(), failed })
    }
}

/// Gives events their place early. Nothing rests on it: whatever needs a place sequences first.
pub struct SequenceEvents {
    /// Organisations with events that wait.
    pub intake: Arc<dyn Intake>,
    /// Places them.
    pub sequencer: Sequencer,
}

/// A batch of the intake's stream → the organisations that it names; anything else, as a schedule sends it → all that wait.
/// `{"sequenced"}`: how many organisations' events were placed.
#[async_trait]
impl Worker for SequenceEvents {
    type Event = Value;
    type Answer = Sequenced;

    async fn work(&self, event: Value) -> Result<Sequenced, Error> {
        let records = event.get("Records").and_then(Value::as_array);
        let mut orgs = match records {
            Some(records) => records.iter().filter_map(org_of).collect(),
            None => self.intake.waiting(AT_ONCE).await?,
        };
        orgs.sort();
        orgs.dedup();
        // One organisation's damage does not keep the others from their places.
        let mut done = Ok(());
        for org in &orgs {
            done = done.and(self.sequencer.sequence(org).await.map(drop));
        }
        match done {
            // A batch that is refused comes again until its records expire, and holds up those behind it. Nothing rests on it.
            Err(error) if records.is_some() => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "events were not placed early");
                Ok(Sequenced { sequenced: orgs.len() })
            }
            done => done.map(|()| Sequenced { sequenced: orgs.len() }),
        }
    }
}

/// Whose event a record of the stream tells of; placing takes events away, which is no news.
fn org_of(record: &Value) -> Option<OrgId> {
    record.get("eventName").filter(|name| *name == "INSERT")?;
    record.pointer("/dynamodb/Keys/pk/S")?.as_str()?.split('#').next()?.parse().ok()
}

/// What makes an organisation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrg {
    name: String,
    environment: Environment,
}

/// An organisation that was made. Without `Debug`: it holds a token.
#[derive(Serialize)]
pub struct MadeOrg {
    org: OrgId,
    token: String,
}

/// An organisation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfOrg {
    org: OrgId,
}

/// A ledger key that was followed.
#[derive(Serialize)]
pub struct RotatedLedgerKey {
    predecessor: KeyId,
    successor: KeyId,
    fingerprint: String,
}

/// How to recover.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recover {
    #[serde(default)]
    adopt: bool,
}

/// What was recovered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovered {
    restored: bool,
    revoked_again: Vec<KeyId>,
}

/// No more than that it is time.
#[derive(Deserialize)]
pub struct Nothing {}

/// What was moved to the current key-encryption key.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rewrapped {
    moved: u64,
    current: u64,
    changed_meanwhile: u64,
    refused: Vec<KeyId>,
    refused_secrets: Vec<OrgId>,
}

/// How to clean up at clouds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconcile {
    #[serde(default)]
    survey: bool,
    give_up: Option<OrgId>,
}

/// What was cleaned up.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciled {
    deleted: Vec<String>,
    not_ours: Vec<String>,
    strays: Vec<String>,
    given_up: Vec<String>,
    failed: u64,
}

/// Which keys were rotated.
#[derive(Serialize)]
pub struct RotatedKeys {
    rotated: Vec<KeyId>,
    failed: Vec<KeyId>,
}

/// What was sequenced.
#[derive(Serialize)]
pub struct Sequenced {
    sequenced: usize,
}

/// Organisations that one invocation takes on.
const AT_ONCE: usize = 100;
