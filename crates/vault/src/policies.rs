//! Policies: what an organisation demands of its keys, and how an operation is held against it.
//!
//! They fail closed. A policy that cannot be read lets nothing pass that it might forbid; a key that names no environment, or one
//! that no policy names, is under every policy, because a slip of the pen must not lead out of them.

mod judging;

use std::{collections::BTreeSet, str::FromStr};

use composite::Algorithm;
use ledger::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    caller::UnknownName,
    id::{OrgId, PolicyId},
    ops::get_key::AlgorithmName,
    providers::Tier,
};

pub(crate) use judging::{Judged, hold_against, read};

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRecord {
    /// The organisation.
    pub org: OrgId,
    /// `pol_…`
    pub id: PolicyId,
    /// What it says.
    pub terms: Terms,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; two changes are told apart by it.
    pub updated_at: Timestamp,
}

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PolicyTerms)]
pub struct Terms {
    /// 1 to 128 characters.
    pub name: String,
    /// At most 1,024 characters; may be empty.
    pub description: String,
    /// What happens where it is violated.
    pub action: Action,
    /// Whether it is in force.
    pub enabled: bool,
    /// The environments (a key's `metadata.environment`) that it is for; empty for all of them.
    pub environments: Vec<String>,
    /// What it demands.
    pub rule: Rule,
}

/// What happens where a policy is violated. It is always written to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PolicyAction)]
pub enum Action {
    /// The operation is refused.
    Enforce,
    /// It is done; whoever reads the ledger is to look at it.
    Warn,
    /// It is done; it is on record.
    Audit,
}

/// What a policy demands, of which operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", try_from = "RuleFields")]
#[schema(as = PolicyRule)]
pub struct Rule {
    /// The operation that it is about.
    pub match_operation: MatchOperation,
    /// The key's algorithm is one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<AlgorithmName>>, required = false, min_items = 1)]
    pub algorithm_in: Option<Vec<Algorithm>>,
    /// The key's algorithm is none of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<AlgorithmName>>, required = false, min_items = 1)]
    pub algorithm_not_in: Option<Vec<Algorithm>>,
    /// The key has a classical and a post-quantum half, as every key of this vault has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub require_hybrid: Option<bool>,
    /// The security category (FIPS 204 §4, table 1) of its ML-DSA half is at least this: ML-DSA-44 is of 2, ML-DSA-65 of 3,
    /// ML-DSA-87 of 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u8>, required = false)]
    pub min_pq_level: Option<PqLevel>,
    /// Its tier is at least this, 1 to 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u8>, required = false, minimum = 1, maximum = 3)]
    pub min_tier: Option<DemandedTier>,
}

/// The operation that a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatchOperation {
    /// Signing.
    Sign,
    /// Checking a signature by the key's id.
    Verify,
    /// Making a key, a successor too.
    KeyCreate,
    /// Each of them.
    #[serde(rename = "*")]
    Any,
}

/// A security category that ML-DSA has: 2, 3 or 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct PqLevel(u8);

/// A tier that can be demanded: 1, 2 or 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct DemandedTier(Tier);

/// A rule as it is written, before it is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuleFields {
    match_operation: MatchOperation,
    algorithm_in: Option<Vec<Algorithm>>,
    algorithm_not_in: Option<Vec<Algorithm>>,
    require_hybrid: Option<bool>,
    min_pq_level: Option<PqLevel>,
    min_tier: Option<DemandedTier>,
}

/// Why a rule is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRule {
    /// No tier is lower than 1 that could be demanded, and none is higher than 3.
    #[error("a tier that is demanded is 1, 2 or 3")]
    Tier,
    /// ML-DSA has three security categories.
    #[error("a level is 2 (ML-DSA-44), 3 (ML-DSA-65) or 5 (ML-DSA-87)")]
    Level,
    /// An empty list would forbid, or allow, everything.
    #[error("a list of algorithms names at least one")]
    NoAlgorithm,
    /// That bounds a list by how many algorithms there are.
    #[error("a list of algorithms names each once")]
    RepeatedAlgorithm,
    /// It demands nothing.
    #[error(
        "a rule demands something: `algorithmIn`, `algorithmNotIn`, `requireHybrid: true`, `minPqLevel` or `minTier`"
    )]
    Nothing,
}

impl TryFrom<RuleFields> for Rule {
    type Error = NoRule;

    fn try_from(fields: RuleFields) -> Result<Self, NoRule> {
        let RuleFields {
            match_operation,
            algorithm_in,
            algorithm_not_in,
            require_hybrid,
            min_pq_level,
            min_tier,
        } = fields;
        let lists = || [&algorithm_in, &algorithm_not_in].into_iter().flatten();
        if lists().any(Vec::is_empty) {
            return Err(NoRule::NoAlgorithm);
        }
        let repeats = |list: &Vec<Algorithm>| list.iter().collect::<BTreeSet<_>>().len() < list.len();
        if lists().any(repeats) {
            return Err(NoRule::RepeatedAlgorithm);
        }
        if lists().next().is_none()
            && require_hybrid != Some(true)
            && min_pq_level.is_none()
            && min_tier.is_none()
        {
            return Err(NoRule::Nothing);
        }
        Ok(Self { match_operation, algorithm_in, algorithm_not_in, require_hybrid, min_pq_level, min_tier })
    }
}

impl TryFrom<u8> for PqLevel {
    type Error = NoRule;

    fn try_from(level: u8) -> Result<Self, NoRule> {
        if matches!(level, 2 | 3 | 5) { Ok(Self(level)) } else { Err(NoRule::Level) }
    }
}

impl From<PqLevel> for u8 {
    fn from(level: PqLevel) -> Self {
        level.0
    }
}

impl TryFrom<u8> for DemandedTier {
    type Error = NoRule;

    fn try_from(tier: u8) -> Result<Self, NoRule> {
        match Tier::try_from(tier) {
            Ok(demanded) if tier > 0 => Ok(Self(demanded)),
            _ => Err(NoRule::Tier),
        }
    }
}

impl From<DemandedTier> for u8 {
    fn from(tier: DemandedTier) -> Self {
        tier.0.into()
    }
}

impl Action {
    /// The name in the API and in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
            Self::Audit => "audit",
        }
    }
}

impl FromStr for Action {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        [Self::Enforce, Self::Warn, Self::Audit].into_iter().find(|a| a.name() == name).ok_or(UnknownName)
    }
}

impl Terms {
    /// The terms that every organisation may take up. None is in force unless it does. Each is about new keys alone: those that
    /// there are sign on, but are rotated only where the successor, which has their algorithm, meets it.
    #[must_use]
    pub fn offered() -> [Self; 2] {
        let terms = |name: &str, description: &str, environments: &[&str], rule| Self {
            name: name.to_owned(),
            description: description.to_owned(),
            action: Action::Enforce,
            enabled: true,
            environments: environments.iter().map(|&environment| environment.to_owned()).collect(),
            rule,
        };
        let new_keys = Rule {
            match_operation: MatchOperation::KeyCreate,
            algorithm_in: None,
            algorithm_not_in: None,
            require_hybrid: None,
            min_pq_level: None,
            min_tier: None,
        };
        [
            terms(
                "New keys are of level 3 or higher",
                "Every new key, and every successor, has ML-DSA-65 or ML-DSA-87. Keys that exist sign on; those of \
                 ML-DSA-44 are not rotated any more.",
                &[],
                Rule { min_pq_level: Some(PqLevel(3)), ..new_keys.clone() },
            ),
            terms(
                "New production keys are of tier 2 or higher",
                "At least one half of every new key for production, a successor too, is held outside of the vault. A key whose \
                 metadata names no environment, or one that no policy names, counts as one for production.",
                &["prod", "production"],
                Rule { min_tier: DemandedTier::try_from(2).ok(), ..new_keys },
            ),
        ]
    }

    /// What the ledger tells of them.
    #[must_use]
    pub fn to_event_data(&self) -> Json {
        let Self { name, description: _, action, enabled, environments, rule } = self;
        let environments: Vec<Json> = environments.iter().map(|name| name.as_str().into()).collect();
        Json::object([
            ("action", action.name().into()),
            ("enabled", (*enabled).into()),
            ("environments", environments.into()),
            ("name", name.as_str().into()),
            ("rule", rule.to_event_data()),
        ])
    }
}

impl Rule {
    fn to_event_data(&self) -> Json {
        let algorithms = |list: &Option<Vec<Algorithm>>| {
            let names =
                |list: &Vec<Algorithm>| list.iter().map(|alg| alg.name().into()).collect::<Vec<Json>>();
            list.as_ref().map_or(Json::Null, |list| names(list).into())
        };
        let number = |number: Option<u8>| number.map_or(Json::Null, |number| u64::from(number).into());
        Json::object([
            ("algorithmIn", algorithms(&self.algorithm_in)),
            ("algorithmNotIn", algorithms(&self.algorithm_not_in)),
            ("matchOperation", self.match_operation.name().into()),
            ("minPqLevel", number(self.min_pq_level.map(u8::from))),
            ("minTier", number(self.min_tier.map(u8::from))),
            ("requireHybrid", self.require_hybrid.map_or(Json::Null, Json::from)),
        ])
    }
}

impl MatchOperation {
    const fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::KeyCreate => "key_create",
            Self::Any => "*",
        }
    }

    fn is_about(self, operation: Self) -> bool {
        self == Self::Any || self == operation
    }
}
