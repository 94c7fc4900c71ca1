//! Cleans up at clouds: what ended keys left there, and what creations left that never finished. It is on no route.
//!
//! A half is deleted only if it carries this deployment's mark and its key's, and either the creation of that key was begun over
//! an hour ago and never finished, or the key's end put it into the outbox. A half with the deployment's mark of which this
//! store knows nothing is told of and left alone: it may be another store's under the same mark, or this one's from an hour that
//! it was put back from.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    Error, Timestamp,
    accounts::{Accounts, Kept},
    custody::{CloudFault, CloudName, Custody, Deletion, DeploymentId, MarkedHalf, RemoteHalves},
    id::{KeyId, OrgId},
    store::{Intent, Keys, Leftover, Orgs, ProviderSecrets, Reconciling, Settings},
};

/// What cleaning up touches.
#[derive(Clone)]
pub struct Ports {
    /// Organisations are gone through.
    pub orgs: Arc<dyn Orgs>,
    /// Which accounts are whose is read, and the deployment's mark.
    pub settings: Arc<dyn Settings>,
    /// What some of them are entered by is read.
    pub secrets: Arc<dyn ProviderSecrets>,
    /// Whether there is such a key is read.
    pub keys: Arc<dyn Keys>,
    /// Intents and the outbox are read, and settled.
    pub rows: Arc<dyn Reconciling>,
    /// Halves are found and deleted.
    pub custody: Arc<Custody>,
}

/// What to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// What time it is.
    pub now: Timestamp,
    /// Whether to look through every account for halves that nothing here knows of. It costs a call for each key of an account.
    pub survey: bool,
    /// An organisation whose account is gone for good, or lets the vault in no more: what it refuses to have deleted is forgotten.
    /// Nothing is done for any other.
    pub give_up: Option<OrgId>,
}

/// What was done.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Response {
    /// Halves whose deletion the cloud has taken on, by its names for them.
    pub deleted: Vec<String>,
    /// Halves in the outbox that carry another's marks, and were left alone.
    pub not_ours: Vec<String>,
    /// Halves with the deployment's mark that nothing here knows of, and that were left alone.
    pub strays: Vec<String>,
    /// What an account that was given up refused to delete, and nothing here knows of any more: halves, and keys whose creation died
    /// there and may have left some.
    pub given_up: Vec<String>,
    /// How much could not be done, and is tried again the next time.
    pub failed: u64,
}

/// Cleans up. What fails is told in the log and tried again the next time; it does not keep the rest from being done.
///
/// # Errors
/// [`Error::StoreUnavailable`], [`Error::StoreRestored`].
pub async fn reconcile_keys(ports: &Ports, request: Request) -> Result<Response, Error> {
    let mark = ports.settings.deployment().await?;
    let mut done = Response::default();
    // A row that cannot be read in the one does not keep the other from being done.
    let emptied = empty_outbox(ports, &mark, &request, &mut done).await;
    end_creations(ports, &mark, &request, &mut done).await?;
    emptied?;
    if request.survey {
        survey(ports, &mark, &mut done).await?;
    }
    Ok(done)
}

impl Request {
    fn is_about(&self, org: &OrgId) -> bool {
        self.give_up.as_ref().is_none_or(|given_up| given_up == org)
    }

    /// Whether a failure is a refusal of an account that is given up. Silence is none.
    fn gives_up(&self, error: &Error) -> bool {
        let refused = |fault: &CloudFault| matches!(fault, CloudFault::NotEntered | CloudFault::Denied);
        self.give_up.is_some() && matches!(error, Error::Cloud { fault, .. } if refused(fault))
    }
}

async fn empty_outbox(
    ports: &Ports,
    mark: &DeploymentId,
    request: &Request,
    done: &mut Response,
) -> Result<(), Error> {
    let mut after: Option<Leftover> = None;
    loop {
        let page = ports.rows.outbox(after.as_ref(), PAGE).await?;
        let Some(last) = page.last().cloned() else {
            return Ok(());
        };
        for leftover in page.iter().filter(|leftover| request.is_about(&leftover.org)) {
            let accounts =
                Accounts::of(&ports.custody, Kept::of(&ports.settings, &ports.secrets), &leftover.org);
            match delete(&accounts, leftover.cloud, &leftover.key_id, mark, &leftover.key).await {
                Ok(Deletion::Scheduled) => {
                    ports.rows.settle(leftover).await?;
                    done.deleted.push(leftover.key_id.clone());
                }
                Ok(Deletion::NotOurs) => {
                    tracing::error!(key = %leftover.key, half = leftover.key_id, "a half of a key that ended carries other marks, and was left alone");
                    ports.rows.settle(leftover).await?;
                    done.not_ours.push(leftover.key_id.clone());
                }
                Err(error) if request.gives_up(&error) => {
                    ports.rows.settle(leftover).await?;
                    given_up(leftover.key_id.clone(), &error, done);
                }
                Err(error) => failed(&leftover.key, &error, done),
            }
        }
        after = Some(last);
    }
}

async fn end_creations(
    ports: &Ports,
    mark: &DeploymentId,
    request: &Request,
    done: &mut Response,
) -> Result<(), Error> {
    let mut overdue: BTreeMap<OrgId, Vec<Intent>> = BTreeMap::new();
    for intent in ports.rows.intents(usize::MAX).await? {
        let age = request.now.as_millis().saturating_sub(intent.since.as_millis());
        // The creation could not finish after this, however late its call to the store comes.
        if age > OVERDUE_MILLIS && request.is_about(&intent.org) && ports.rows.abandon(&intent).await? {
            overdue.entry(intent.org.clone()).or_default().push(intent);
        }
    }
    for intents in overdue.into_values() {
        let pending = end_creations_of(ports, mark, request, &intents, done).await;
        for intent in intents.iter().filter(|intent| !pending.contains(&intent.key)) {
            ports.rows.forget_intent(intent).await?;
        }
    }
    Ok(())
}

/// Deletes what an organisation's unfinished creations left, and says of which of them something still is. Each account is looked
/// through once, however many creations it saw the end of.
async fn end_creations_of(
    ports: &Ports,
    mark: &DeploymentId,
    request: &Request,
    intents: &[Intent],
    done: &mut Response,
) -> BTreeSet<KeyId> {
    let mut pending = BTreeSet::new();
    let Some(org) = intents.first().map(|intent| &intent.org) else { return pending };
    let accounts = Accounts::of(&ports.custody, Kept::of(&ports.settings, &ports.secrets), org);
    let clouds: BTreeSet<CloudName> = intents.iter().flat_map(|intent| intent.clouds.clone()).collect();
    for cloud in clouds {
        let here = || intents.iter().filter(|intent| intent.clouds.contains(&cloud));
        let found = async { Ok(accounts.enter(cloud).await?.halves.marked(mark).await?) };
        let halves = match found.await {
            Ok(halves) => halves,
            Err(error) if request.gives_up(&error) => {
                here().for_each(|intent| given_up(intent.key.to_string(), &error, done));
                continue;
            }
            Err(error) => {
                failed(org, &error, done);
                pending.extend(here().map(|intent| intent.key.clone()));
                continue;
            }
        };
        for half in halves.into_iter().filter(|half| half.org.as_ref() == Some(org)) {
            let Some(intent) = here().find(|intent| half.key.as_ref() == Some(&intent.key)) else { continue };
            match delete(&accounts, cloud, &half.key_id, mark, &intent.key).await {
                Ok(Deletion::Scheduled) => done.deleted.push(half.key_id),
                Ok(Deletion::NotOurs) => {}
                Err(error) if request.gives_up(&error) => given_up(half.key_id, &error, done),
                Err(error) => {
                    failed(&intent.key, &error, done);
                    pending.insert(intent.key.clone());
                }
            }
        }
    }
    pending
}

async fn delete(
    accounts: &Accounts<'_>,
    cloud: CloudName,
    key_id: &str,
    mark: &DeploymentId,
    key: &KeyId,
) -> Result<Deletion, Error> {
    Ok(accounts.enter(cloud).await?.halves.schedule_deletion(key_id, mark, key).await?)
}

/// Looks through every account that settings name.
async fn survey(ports: &Ports, mark: &DeploymentId, done: &mut Response) -> Result<(), Error> {
    let mut after: Option<OrgId> = None;
    loop {
        let orgs = ports.orgs.orgs(after.as_ref(), PAGE).await?;
        let Some(last) = orgs.last().cloned() else {
            return Ok(());
        };
        for org in &orgs {
            let accounts = Accounts::of(&ports.custody, Kept::of(&ports.settings, &ports.secrets), org);
            let settings = match accounts.settings().await {
                Ok(Some(settings)) => settings,
                Ok(None) => continue,
                Err(error) => {
                    failed(org, &error, done);
                    continue;
                }
            };
            for cloud in settings.clouds() {
                let found = async {
                    let remote = accounts.enter(cloud).await?.halves;
                    let halves = remote.marked(mark).await?;
                    Ok::<_, Error>((remote, halves))
                };
                match found.await {
                    Ok((remote, halves)) => {
                        // One row that cannot be read does not keep the other organisations from being looked at.
                        if let Err(error) = find_strays(ports, org, remote.as_ref(), halves, done).await {
                            failed(org, &error, done);
                        }
                    }
                    Err(error) => failed(org, &error, done),
                }
            }
        }
        after = Some(last);
    }
}

/// Clouds that settings name and this process does not have: keys that rest on them do not sign here.
///
/// # Errors
/// [`Error::StoreUnavailable`].
pub async fn missing_clouds(ports: &Ports) -> Result<BTreeSet<CloudName>, Error> {
    let mut missing = BTreeSet::new();
    let mut after: Option<OrgId> = None;
    loop {
        let orgs = ports.orgs.orgs(after.as_ref(), PAGE).await?;
        let Some(last) = orgs.last().cloned() else {
            return Ok(missing);
        };
        for org in &orgs {
            if let Some(settings) = ports.settings.settings(org).await? {
                missing.extend(settings.clouds().filter(|cloud| ports.custody.cloud(*cloud).is_err()));
            }
        }
        after = Some(last);
    }
}

/// Halves of neither a key, nor a creation, nor the outbox. An account may be several organisations': each half is asked about
/// by the organisation that it is marked with, and told of once.
async fn find_strays(
    ports: &Ports,
    org: &OrgId,
    remote: &dyn RemoteHalves,
    halves: Vec<MarkedHalf>,
    done: &mut Response,
) -> Result<(), Error> {
    let intents: HashMap<KeyId, OrgId> =
        ports.rows.intents(usize::MAX).await?.into_iter().map(|intent| (intent.key, intent.org)).collect();
    for half in halves {
        let known = match (&half.org, &half.key) {
            (Some(owner), Some(_)) if owner != org => true,
            (Some(owner), Some(key)) => {
                intents.get(key) == Some(owner) || ports.keys.key(owner, key).await?.is_some()
            }
            _ => false,
        };
        if known || done.strays.contains(&half.key_id) {
            continue;
        }
        let gone = remote.is_gone(&half.key_id).await.unwrap_or_else(|error| {
            failed(&half.key_id, &error.into(), done);
            // Whoever wants it deleted is told.
            false
        });
        if !gone {
            tracing::warn!(
                half = half.key_id,
                "a half with this deployment's mark belongs to no key; it was left alone"
            );
            done.strays.push(half.key_id);
        }
    }
    Ok(())
}

fn failed(what: &impl std::fmt::Display, error: &Error, done: &mut Response) {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    match error {
        Error::Cloud { fault, .. } if fault.is_the_accounts() => {
            tracing::warn!(of = %what, %error, cause, "cleaning up at a cloud failed; it is tried again");
        }
        _ => tracing::error!(of = %what, %error, cause, "cleaning up at a cloud failed; it is tried again"),
    }
    done.failed += 1;
}

fn given_up(what: String, error: &Error, done: &mut Response) {
    tracing::warn!(what, %error, "given up: whatever of it is there stays there");
    done.given_up.push(what);
}

/// How long a creation may take, by far.
const OVERDUE_MILLIS: u64 = 60 * 60 * 1000;

const PAGE: usize = 100;
