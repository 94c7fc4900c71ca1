//! What an operation answers when it does not do what was asked.

use composite::Algorithm;
use ledger::MissingTile;

use crate::{
    caller::Scope,
    custody::{CloudFault, CloudName, CustodyError},
    id::{EventId, IdError, KeyId, PolicyId},
    random,
    store::{Dependent, MAX_POLICIES, StoreError},
};

/// Every way an operation ends without doing what was asked. The text of each is for the caller; what only the operator
/// may know hangs on it as its source.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token, or none that is valid. It says nothing of which.
    #[error("a valid API token is needed: send `Authorization: Bearer pq_live_…`")]
    Unauthenticated,
    /// The token is valid and may not do this.
    #[error("this token lacks the scope `{scope}`")]
    MissingScope {
        /// The scope that would do.
        scope: Scope,
    },
    /// The token is confined to other keys.
    #[error("this token is for certain keys, and {key} is none of them nor of their lines")]
    KeyNotAllowed {
        /// The key that was named; `a new one` where one would be made.
        key: String,
    },
    /// Nothing of that id in the caller's organisation; another organisation's is no different.
    #[error("there is no {what} of that id in this organisation")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// The request is malformed.
    #[error("`{field}`: {reason}")]
    Invalid {
        /// The field at fault, as the caller wrote it.
        field: String,
        /// What would be right.
        reason: String,
    },
    /// A context that belongs to the vault's own statements.
    #[error("contexts that begin with `postq-vault` are reserved for the vault's own statements")]
    ReservedContext,
    /// The payload is over the limit.
    #[error(
        "a payload has at most {limit} bytes; hash a larger one yourself and send the digest as `prehash`: what is signed \
         is the same"
    )]
    PayloadTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The key was revoked.
    #[error("key {key} is revoked; it signs no more")]
    KeyRevoked {
        /// The key.
        key: KeyId,
    },
    /// The key was rotated.
    #[error("key {key} was superseded; use its successor {successor}")]
    KeySuperseded {
        /// The key that was asked to sign.
        key: KeyId,
        /// The key that followed it.
        successor: KeyId,
    },
    /// The signature was committed and did not leave.
    #[error("the signature of {event} was withheld, because its key was revoked: there is no receipt for it")]
    SignatureWithheld {
        /// The `signature.issued` event.
        event: EventId,
    },
    /// The ledger does not fit into one answer.
    #[error(
        "the ledger has more than {limit} bytes; ask for it page by page with `since` and `limit`, from since=0, going on at `range.until` + 1"
    )]
    LedgerTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The idempotency key was used with another body.
    #[error("this `Idempotency-Key` was used with another body; choose a new one for another request")]
    IdempotencyMismatch,
    /// The call with this idempotency key is still running.
    #[error("the first request with this `Idempotency-Key` is still running; ask again")]
    IdempotencyInProgress,
    /// The call with this idempotency key made something whose secret is shown once.
    #[error(
        "the request with this `Idempotency-Key` made {id} already; its secret was shown once and is not kept"
    )]
    AlreadyCreated {
        /// The id of what was made.
        id: String,
    },
    /// A key that rotates by itself must let its callers follow.
    #[error(
        "`rotateAfterDays` takes `allowFollow: true`: callers that do not ask to follow the key's successor would stop signing"
    )]
    FollowRequired,
    /// A policy of the organisation's is against it.
    #[error("{refusal}")]
    PolicyViolated {
        /// The first that is.
        policy: PolicyId,
        /// Which policies are, and what would satisfy each.
        refusal: String,
    },
    /// The organisation has as many policies as it may.
    #[error("an organisation has at most {MAX_POLICIES} policies; change one, or delete one first")]
    TooManyPolicies,
    /// What is stored of a policy was not written by this vault.
    #[error(
        "policy {policy} cannot be read, so nothing is done that it might forbid; delete it, and make it anew if it is still wanted"
    )]
    PolicyUnreadable {
        /// The policy.
        policy: PolicyId,
        /// What did not fit, for the operator.
        source: IntegrityFault,
    },
    /// Nothing can do this, and the sentence says what would work.
    #[error("{reason}")]
    UnsupportedCombination {
        /// Why, and what would work.
        reason: String,
    },
    /// The algorithm has no encoding under an object identifier.
    #[error("{algorithm} has no standard encoding: its label is this vault's own; ask for format=json")]
    NoStandardEncoding {
        /// The key's algorithm.
        algorithm: Algorithm,
    },
    /// A cloud did not do what it was asked.
    #[error("{cloud} {fault} (`{action}`)")]
    Cloud {
        /// Which.
        cloud: CloudName,
        /// Why not, and who can mend it.
        fault: CloudFault,
        /// What it was asked for.
        action: &'static str,
        /// The call and the cloud's own words, for the operator.
        source: CustodyError,
    },
    /// The organisation has not said which account in the cloud is its own.
    #[error(
        "this organisation has no account of {cloud} in its settings: name it first, with `PUT /v1/vault/settings`"
    )]
    NoAccount {
        /// Which.
        cloud: CloudName,
    },
    /// What the organisation handed over cannot be used any more.
    #[error(
        "what is stored to enter {cloud} by cannot be opened, or belongs to other settings; save the settings again, with the secret"
    )]
    SecretUnusable {
        /// Which cloud.
        cloud: CloudName,
        /// Why, for the operator.
        source: CustodyError,
    },
    /// Keys rest on the settings that were to go.
    #[error("{by}")]
    SettingsInUse {
        /// Which key, and what would work.
        by: Dependent,
    },
    /// Somebody else changed the settings meanwhile.
    #[error("the settings were changed meanwhile; read them again, and then send the change anew")]
    SettingsChanged,
    /// The vault's own key-encryption key is out of reach.
    #[error(
        "the vault's own key-encryption key could not be opened; nothing was released. Its operator can mend that"
    )]
    RootKekUnavailable {
        /// Why, for the operator.
        source: CustodyError,
    },
    /// This deployment has no such provider.
    #[error("provider `{provider}` is {reason}")]
    ProviderUnavailable {
        /// The provider as the caller named it.
        provider: &'static str,
        /// Why not.
        reason: String,
    },
    /// What is stored of a key was not written by this vault, so it is not used.
    #[error("the stored record of key {key} failed its integrity check; the vault refuses to use it")]
    KeyIntegrity {
        /// The key.
        key: KeyId,
        /// What did not fit, for the operator.
        source: IntegrityFault,
    },
    /// The store did not answer.
    #[error("the vault's store is unavailable; nothing was released, try again")]
    StoreUnavailable {
        /// Why, for the operator.
        source: StoreError,
    },
    /// The store was put back to an earlier hour, and does not know of every revocation.
    #[error(
        "the vault's store was restored and may lack revocations; it writes nothing until its operator has run `postq-vault recover`"
    )]
    StoreRestored,
    /// A fault of the vault's own.
    #[error("the vault failed; nothing was released")]
    Internal {
        /// What, for the operator.
        source: InternalFault,
    },
}

/// Which of the checks on a key's stored record failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntegrityFault {
    /// A field that no version of the vault would have written.
    #[error("column `{0}` holds what the vault would not have written")]
    Column(&'static str),
    /// An active key without its tag.
    #[error("the record has no tag")]
    NoTag,
    /// The tag is not the one over this record.
    #[error("the record's tag does not match")]
    Tag,
    /// The tag or the wrapped key names a key-encryption key that this process does not have.
    #[error("the record names key-encryption key {0}, which is not loaded")]
    UnknownKek(String),
    /// The wrapped data key does not open.
    #[error("the wrapped data key does not open")]
    WrappedDek,
    /// A sealed half is missing.
    #[error("the sealed {0} half is missing")]
    NoSeal(&'static str),
    /// A sealed half does not open.
    #[error("the sealed {0} half does not open")]
    Seal(&'static str),
    /// A half's secret belongs to another public key.
    #[error("the {0} half belongs to another public key")]
    PublicHalf(&'static str),
    /// A signature put together from the stored halves does not verify.
    #[error("the signature does not verify under the stored public key")]
    Signature,
}

/// A fault of the vault's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InternalFault {
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] random::Unavailable),
    /// A composite operation that cannot fail on checked input failed.
    #[error(transparent)]
    Composite(composite::Error),
    /// A custody provider failed on its own.
    #[error(transparent)]
    Custody(CustodyError),
    /// The ledger's tree is damaged.
    #[error(transparent)]
    Tree(#[from] MissingTile),
    /// The ledger lacks what it must have.
    #[error("the ledger lacks {0}")]
    Ledger(&'static str),
    /// An answer that has no JSON.
    #[error("an answer could not be written as JSON")]
    Json,
}

impl Error {
    /// A refusal of one field.
    #[must_use]
    pub fn invalid(field: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Invalid { field: field.into(), reason: reason.to_string() }
    }

    pub(crate) fn integrity(key: &KeyId, source: IntegrityFault) -> Self {
        Self::KeyIntegrity { key: key.clone(), source }
    }

    pub(crate) const fn ledger(lacks: &'static str) -> Self {
        Self::Internal { source: InternalFault::Ledger(lacks) }
    }

    pub(crate) fn composite(source: composite::Error) -> Self {
        Self::Internal { source: InternalFault::Composite(source) }
    }
}

/// An id that is none names nothing: the same answer as for one that is unknown.
impl From<IdError> for Error {
    fn from(_: IdError) -> Self {
        Self::NotFound { what: "key" }
    }
}

impl From<CustodyError> for Error {
    fn from(source: CustodyError) -> Self {
        match source {
            CustodyError::NoCloud { cloud, at_hand } => {
                let clouds: String =
                    at_hand.iter().map(|cloud| format!(", `{}`", cloud.provider())).collect();
                let reason =
                    format!("not part of this deployment, which has: `env`, `postq-managed`{clouds}");
                Self::ProviderUnavailable { provider: cloud.provider(), reason }
            }
            CustodyError::RootKek(_) => Self::RootKekUnavailable { source },
            CustodyError::NoAccount(cloud) => Self::NoAccount { cloud },
            CustodyError::Cloud { cloud, fault, action, .. } => Self::Cloud { cloud, fault, action, source },
            source => Self::Internal { source: InternalFault::Custody(source) },
        }
    }
}

impl From<MissingTile> for Error {
    fn from(source: MissingTile) -> Self {
        Self::Internal { source: source.into() }
    }
}

impl From<random::Unavailable> for Error {
    fn from(source: random::Unavailable) -> Self {
        Self::Internal { source: source.into() }
    }
}

impl From<StoreError> for Error {
    fn from(source: StoreError) -> Self {
        match source {
            StoreError::Corrupt { key: Some(key), column } => {
                Self::KeyIntegrity { key, source: IntegrityFault::Column(column) }
            }
            StoreError::Restored => Self::StoreRestored,
            StoreError::LeaseLost => Self::IdempotencyInProgress,
            source => Self::StoreUnavailable { source },
        }
    }
}
