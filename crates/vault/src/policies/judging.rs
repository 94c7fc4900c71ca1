//! How an operation is held against policies.

use std::fmt;

use composite::Algorithm;
use ledger::{Content, Event, Json};

use super::{Action, DemandedTier, MatchOperation, PolicyRecord, PqLevel, Rule, Terms};
use crate::{
    Error,
    events::Scene,
    id::{KeyId, OrgId},
    providers::Tier,
    store::{EventWrites, KeyRecord, Policies, Record, StoredPolicy},
};

/// What is done with which key.
pub(crate) struct Judged<'a> {
    /// Not [`MatchOperation::Any`].
    pub(crate) operation: MatchOperation,
    /// `None` for one that is still to be made.
    pub(crate) key: Option<&'a KeyId>,
    pub(crate) algorithm: Algorithm,
    pub(crate) tier: Tier,
    /// The key's, which never changes.
    pub(crate) metadata: &'a Content,
}

impl<'a> Judged<'a> {
    /// A key that there is.
    pub(crate) fn of(operation: MatchOperation, key: &'a KeyRecord) -> Self {
        Self {
            operation,
            key: Some(&key.id),
            algorithm: key.public_key.algorithm(),
            tier: key.tier,
            metadata: &key.metadata,
        }
    }

    fn environment(&self) -> Option<String> {
        self.metadata.to_json().get("environment").and_then(Json::as_str).map(str::to_owned)
    }
}

/// A demand that is not met.
enum Unmet {
    AlgorithmIn(Vec<Algorithm>),
    AlgorithmNotIn(Vec<Algorithm>),
    MinPqLevel(PqLevel),
    MinTier(DemandedTier, Tier),
}

impl Unmet {
    const fn name(&self) -> &'static str {
        match self {
            Self::AlgorithmIn(_) => "algorithmIn",
            Self::AlgorithmNotIn(_) => "algorithmNotIn",
            Self::MinPqLevel(_) => "minPqLevel",
            Self::MinTier(..) => "minTier",
        }
    }
}

/// What would meet it.
impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |list: &[Algorithm]| list.iter().map(|alg| format!("`{alg}`")).collect::<Vec<_>>().join(", ");
        match self {
            Self::AlgorithmIn(list) => write!(f, "it takes an algorithm of {}", names(list)),
            Self::AlgorithmNotIn(list) => write!(f, "it takes any algorithm but {}", names(list)),
            Self::MinPqLevel(level) => {
                let of_level = match level.0 {
                    2 => "`mldsa44…`, `mldsa65…` or `mldsa87…`",
                    3 => "`mldsa65…` or `mldsa87…`",
                    _ => "`mldsa87…`",
                };
                write!(f, "it takes an algorithm of level {} or higher, {of_level}", level.0)
            }
            Self::MinTier(least, actual) => {
                let how = match u8::from(*least) {
                    1 => "name another `kekProvider` than `env`",
                    2 => "name another `keyProvider` or another `pqProvider` than `postq-managed`",
                    _ => "name another `keyProvider` and another `pqProvider` than `postq-managed`",
                };
                let (least, actual) = (u8::from(*least), u8::from(*actual));
                write!(f, "it takes tier {least} or higher, and this is tier {actual}: {how}")
            }
        }
    }
}

impl Rule {
    /// What of it a key does not meet.
    fn unmet(&self, key: &Judged<'_>) -> Vec<Unmet> {
        let algorithm = key.algorithm;
        let level = level(algorithm);
        let lacks = |list: &&Vec<Algorithm>| !list.contains(&algorithm);
        let has = |list: &&Vec<Algorithm>| list.contains(&algorithm);
        // Every key has two halves: `requireHybrid` is met by what the vault is.
        [
            self.algorithm_in.as_ref().filter(lacks).map(|list| Unmet::AlgorithmIn(list.clone())),
            self.algorithm_not_in.as_ref().filter(has).map(|list| Unmet::AlgorithmNotIn(list.clone())),
            self.min_pq_level.filter(|least| level < *least).map(Unmet::MinPqLevel),
            self.min_tier.filter(|least| key.tier < least.0).map(|least| Unmet::MinTier(least, key.tier)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A policy, and what of it is not met.
struct Violation<'a> {
    policy: &'a PolicyRecord,
    unmet: Vec<Unmet>,
}

/// Reads an organisation's policies.
///
/// # Errors
/// [`Error::PolicyUnreadable`] where one is not what the vault would have written, [`Error::StoreUnavailable`].
pub(crate) async fn read(policies: &dyn Policies, org: &OrgId) -> Result<Vec<PolicyRecord>, Error> {
    let stored = policies.policies(org).await?;
    stored.into_iter().map(StoredPolicy::into_record).collect()
}

/// Holds an operation against policies. Where it violates some that do not refuse it, the event that says so goes with what the
/// operation itself writes.
///
/// # Errors
/// [`Error::PolicyViolated`], once that is written to the ledger; where it could not be, [`Error::StoreUnavailable`].
pub(crate) async fn hold_against(
    policies: &[PolicyRecord],
    events: &dyn EventWrites,
    scene: Scene<'_>,
    judged: &Judged<'_>,
) -> Result<Option<Event>, Error> {
    let environment = judged.environment();
    let place = Place::of(environment.as_deref(), policies);
    let applies = |policy: &&PolicyRecord| {
        let Terms { enabled, rule, environments, .. } = &policy.terms;
        *enabled && rule.match_operation.is_about(judged.operation) && place.is_under(environments)
    };
    let violations: Vec<_> = policies
        .iter()
        .filter(applies)
        .map(|policy| Violation { policy, unmet: policy.terms.rule.unmet(judged) })
        .filter(|violation| !violation.unmet.is_empty())
        .collect();
    if violations.is_empty() {
        return Ok(None);
    }
    let refusing: Vec<_> =
        violations.iter().filter(|violation| violation.policy.terms.action == Action::Enforce).collect();
    let data = event_data(judged, environment.as_deref(), &violations, !refusing.is_empty());
    let event = scene.policy_violated(judged.key, data)?;
    let Some(first) = refusing.first() else { return Ok(Some(event)) };
    let refusal = refusal(&refusing, &place, judged);
    events.append(Record::from(event)).await?;
    Err(Error::PolicyViolated { policy: first.policy.id.clone(), refusal })
}

/// Where a key is, as policies see it.
enum Place<'a> {
    /// In an environment that some policy names.
    Known(&'a str),
    /// In one that none does.
    Unknown(&'a str),
    /// It does not say.
    Unsaid,
}

impl<'a> Place<'a> {
    fn of(environment: Option<&'a str>, policies: &[PolicyRecord]) -> Self {
        let names = |environment: &str| {
            policies.iter().flat_map(|policy| &policy.terms.environments).any(|named| named == environment)
        };
        match environment {
            None => Self::Unsaid,
            Some(environment) if names(environment) => Self::Known(environment),
            Some(environment) => Self::Unknown(environment),
        }
    }

    fn is_under(&self, environments: &[String]) -> bool {
        match self {
            Self::Known(environment) => {
                environments.is_empty() || environments.iter().any(|e| e == environment)
            }
            Self::Unknown(_) | Self::Unsaid => true,
        }
    }
}

fn event_data(
    judged: &Judged<'_>,
    environment: Option<&str>,
    violations: &[Violation<'_>],
    refused: bool,
) -> Json {
    let of_one = |Violation { policy, unmet }: &Violation<'_>| {
        let unmet: Vec<Json> = unmet.iter().map(|unmet| unmet.name().into()).collect();
        Json::object([
            ("action", policy.terms.action.name().into()),
            ("id", policy.id.as_str().into()),
            ("name", policy.terms.name.as_str().into()),
            ("unmet", unmet.into()),
        ])
    };
    Json::object([
        ("algorithm", judged.algorithm.name().into()),
        ("environment", environment.into()),
        ("keyId", judged.key.map(KeyId::as_str).into()),
        ("operation", judged.operation.name().into()),
        ("policies", violations.iter().map(of_one).collect::<Vec<_>>().into()),
        ("refused", refused.into()),
        ("tier", u64::from(u8::from(judged.tier)).into()),
    ])
}

/// Which policies refuse and what would satisfy each, as a sentence.
fn refusal(refusing: &[&Violation<'_>], place: &Place<'_>, judged: &Judged<'_>) -> String {
    let mut parts: Vec<String> = refusing
        .iter()
        .take(TOLD)
        .map(|Violation { policy, unmet }| {
            let unmet: Vec<_> = unmet.iter().map(ToString::to_string).collect();
            format!("policy `{}` refuses this: {}", policy.terms.name, unmet.join("; "))
        })
        .collect();
    if refusing.len() > TOLD {
        parts.push(format!("{} more policies refuse it too", refusing.len() - TOLD));
    }
    let for_some = refusing.iter().any(|violation| !violation.policy.terms.environments.is_empty());
    match place {
        Place::Unknown(environment) if for_some => parts.push(format!(
            "no policy names the key's environment `{environment}`, which puts it under all of them"
        )),
        Place::Unsaid if for_some => parts
            .push("The key's `metadata.environment` is not said, which puts it under all of them".to_owned()),
        _ => {}
    }
    if judged.key.is_some() {
        parts.push("a key that exists changes its holders by rotation, never its algorithm".to_owned());
    }
    parts.join(". ")
}

fn level(algorithm: Algorithm) -> PqLevel {
    use composite::MlDsaSet::{MlDsa44, MlDsa65, MlDsa87};
    PqLevel(match algorithm.pq() {
        MlDsa44 => 2,
        MlDsa65 => 3,
        MlDsa87 => 5,
    })
}

/// How many policies a refusal tells of.
const TOLD: usize = 3;
