//! Shows, makes, changes and deletes policies.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Error, Timestamp,
    caller::Caller,
    events::Scene,
    id::PolicyId,
    idempotency, input,
    policies::{Action, PolicyRecord, Rule, Terms},
    store::{Lease, Making, Policies, PolicyWrites, Record, Replies},
};

/// What policies touch.
#[derive(Clone)]
pub struct Ports {
    /// Policies are read.
    pub policies: Arc<dyn Policies>,
    /// Policies are made, changed and deleted.
    pub writes: Arc<dyn PolicyWrites>,
    /// Answers are kept for retries.
    pub replies: Arc<dyn Replies>,
}

/// Which policy to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CreatePolicyRequest)]
pub struct Request {
    /// 1 to 128 characters.
    pub name: String,
    /// At most 1,024 characters; empty if left out.
    pub description: Option<String>,
    /// What happens where it is violated.
    pub action: Action,
    /// Whether it is in force; true if left out.
    pub enabled: Option<bool>,
    /// The environments (a key's `metadata.environment`) that it is for, at most 20, each of 1 to 64 characters; left out or
    /// empty, it is for all of them.
    #[serde(default)]
    #[schema(required = false)]
    pub environments: Vec<String>,
    /// What it demands.
    pub rule: Rule,
}

/// What is to be different about a policy. What is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = UpdatePolicyRequest)]
pub struct UpdateRequest {
    /// 1 to 128 characters.
    pub name: Option<String>,
    /// At most 1,024 characters.
    pub description: Option<String>,
    /// What happens where it is violated.
    pub action: Option<Action>,
    /// Whether it is in force.
    pub enabled: Option<bool>,
    /// The environments that it is for; empty for all of them.
    pub environments: Option<Vec<String>>,
    /// What it demands, as a whole.
    pub rule: Option<Rule>,
}

/// A policy as the API shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// `pol_…`
    pub id: String,
    /// What it says.
    #[serde(flatten)]
    pub terms: Terms,
    /// RFC 3339 UTC with milliseconds.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

/// That a policy is gone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedPolicy {
    /// `pol_…`
    pub id: String,
    /// RFC 3339 UTC with milliseconds.
    pub deleted_at: String,
}

/// All of an organisation's policies, oldest first.
///
/// # Errors
/// [`Error::PolicyUnreadable`], [`Error::StoreUnavailable`].
pub async fn list_policies(ports: &Ports, caller: &Caller) -> Result<Vec<Policy>, Error> {
    let records = crate::policies::read(ports.policies.as_ref(), &caller.org).await?;
    Ok(records.into_iter().map(Policy::from).collect())
}

/// Terms that an organisation may take up, by making policies of them. None is in force by itself.
#[must_use]
pub fn offered_policies() -> Vec<Terms> {
    Terms::offered().into()
}

/// Shows a policy.
///
/// # Errors
/// [`Error::NotFound`], [`Error::PolicyUnreadable`], [`Error::StoreUnavailable`].
pub async fn get_policy(ports: &Ports, caller: &Caller, id: &str) -> Result<Policy, Error> {
    find(ports, caller, id).await.map(Policy::from)
}

/// Makes a policy. Once this is answered it binds every later call.
///
/// # Errors
/// [`Error::KeyNotAllowed`] for a token that is for certain keys, [`Error::Invalid`], [`Error::TooManyPolicies`],
/// [`Error::StoreUnavailable`].
pub async fn create_policy(
    ports: &Ports,
    caller: &Caller,
    request: Request,
    lease: Option<Lease>,
) -> Result<Policy, Error> {
    refuse_confined(caller)?;
    let Request { name, description, action, enabled, environments, rule } = request;
    let (description, enabled) = (description.unwrap_or_default(), enabled.unwrap_or(true));
    let terms = checked(Terms { name, description, action, enabled, environments, rule })?;
    let now = Timestamp::now();
    let policy = PolicyRecord {
        org: caller.org.clone(),
        id: PolicyId::generate(now)?,
        terms,
        created_at: now,
        updated_at: now,
    };
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now };
    let event = scene.policy_changed(&policy.id, "created", Some(policy.terms.to_event_data()))?;
    let answer = Policy::from(policy.clone());
    let reply = idempotency::reply(lease.as_ref(), &answer, None)?;
    match ports.writes.create_policy(&policy, Record { events: vec![event], reply }).await? {
        Making::Done => Ok(answer),
        Making::TooMany => Err(Error::TooManyPolicies),
    }
}

/// Changes a policy. Once this is answered it binds every later call.
///
/// # Errors
/// [`Error::KeyNotAllowed`] for a token that is for certain keys, [`Error::NotFound`], [`Error::Invalid`],
/// [`Error::PolicyUnreadable`], [`Error::StoreUnavailable`].
pub async fn update_policy(
    ports: &Ports,
    caller: &Caller,
    id: &str,
    request: UpdateRequest,
    lease: Option<Lease>,
) -> Result<Policy, Error> {
    refuse_confined(caller)?;
    loop {
        let stored = find(ports, caller, id).await?;
        let terms = checked(request.applied_to(&stored.terms))?;
        let now = stored.updated_at.next().max(Timestamp::now());
        let policy = PolicyRecord { terms, updated_at: now, ..stored.clone() };
        let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now };
        let event = scene.policy_changed(&policy.id, "updated", Some(policy.terms.to_event_data()))?;
        let answer = Policy::from(policy.clone());
        let reply = idempotency::reply(lease.as_ref(), &answer, None)?;
        let record = Record { events: vec![event], reply };
        // Where somebody else was first, theirs is what is changed.
        if ports.writes.replace_policy(&policy, stored.updated_at, record).await? {
            return Ok(answer);
        }
    }
}

/// Deletes a policy, one that cannot be read too.
///
/// # Errors
/// [`Error::KeyNotAllowed`] for a token that is for certain keys, [`Error::NotFound`], [`Error::StoreUnavailable`].
pub async fn delete_policy(ports: &Ports, caller: &Caller, id: &str) -> Result<DeletedPolicy, Error> {
    refuse_confined(caller)?;
    let id: PolicyId = id.parse().map_err(|_| unknown())?;
    let now = Timestamp::now();
    let scene = Scene { org: &caller.org, actor: caller.token.as_str(), now };
    let record = Record::from(scene.policy_changed(&id, "deleted", None)?);
    if ports.writes.delete_policy(&caller.org, &id, record).await? {
        Ok(DeletedPolicy { id: id.to_string(), deleted_at: now.to_string() })
    } else {
        Err(unknown())
    }
}

/// A policy binds every key. No such token is made with the scope; one of an earlier version may have it.
fn refuse_confined(caller: &Caller) -> Result<(), Error> {
    if caller.lines.is_some() {
        return Err(Error::KeyNotAllowed { key: "a policy".to_owned() });
    }
    Ok(())
}

async fn find(ports: &Ports, caller: &Caller, id: &str) -> Result<PolicyRecord, Error> {
    let id: PolicyId = id.parse().map_err(|_| unknown())?;
    let stored = ports.policies.policies(&caller.org).await?;
    stored.into_iter().find(|policy| policy.id == id).ok_or_else(unknown)?.into_record()
}

const fn unknown() -> Error {
    Error::NotFound { what: "policy" }
}

fn checked(terms: Terms) -> Result<Terms, Error> {
    input::name(&terms.name)?;
    if terms.description.chars().count() > MAX_DESCRIPTION {
        let reason = format!("a description has at most {MAX_DESCRIPTION} characters");
        return Err(Error::invalid("description", reason));
    }
    let sound = |name: &String| {
        (1..=MAX_ENVIRONMENT).contains(&name.chars().count()) && !name.chars().any(char::is_control)
    };
    if terms.environments.len() > MAX_ENVIRONMENTS || !terms.environments.iter().all(sound) {
        let reason = format!(
            "name at most {MAX_ENVIRONMENTS} environments, each of 1 to {MAX_ENVIRONMENT} characters, none of them a control \
             character; an empty list is for all of them"
        );
        return Err(Error::invalid("environments", reason));
    }
    Ok(terms)
}

impl UpdateRequest {
    fn applied_to(&self, terms: &Terms) -> Terms {
        fn new<T: Clone>(sent: &Option<T>, stored: &T) -> T {
            sent.as_ref().unwrap_or(stored).clone()
        }
        Terms {
            name: new(&self.name, &terms.name),
            description: new(&self.description, &terms.description),
            action: new(&self.action, &terms.action),
            enabled: new(&self.enabled, &terms.enabled),
            environments: new(&self.environments, &terms.environments),
            rule: new(&self.rule, &terms.rule),
        }
    }
}

impl From<PolicyRecord> for Policy {
    fn from(record: PolicyRecord) -> Self {
        Self {
            id: record.id.to_string(),
            terms: record.terms,
            created_at: record.created_at.to_string(),
            updated_at: record.updated_at.to_string(),
        }
    }
}

/// In characters.
const MAX_DESCRIPTION: usize = 1024;

const MAX_ENVIRONMENTS: usize = 20;

/// In characters.
const MAX_ENVIRONMENT: usize = 64;
