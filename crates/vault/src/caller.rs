//! Who calls, and what they may do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    id::{KeyId, OrgId, TokenId},
    store::KeyRecord,
};

/// A caller whose token was read in this very request.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The organisation that everything the caller does is confined to.
    pub org: OrgId,
    /// The token that was presented.
    pub token: TokenId,
    /// What the token may do.
    pub scopes: Vec<Scope>,
    /// The first keys of the lines that the token is confined to; `None` where it is for every key.
    pub lines: Option<Vec<KeyId>>,
}

impl Caller {
    /// Whether the caller may do what needs the scope.
    ///
    /// # Errors
    /// [`Error::MissingScope`], which names it.
    pub fn require(&self, scope: Scope) -> Result<(), Error> {
        if self.scopes.contains(&scope) { Ok(()) } else { Err(Error::MissingScope { scope }) }
    }

    /// Whether the caller's token is for the key.
    ///
    /// # Errors
    /// [`Error::KeyNotAllowed`].
    pub fn may_use(&self, key: &KeyRecord) -> Result<(), Error> {
        match &self.lines {
            Some(lines) if !lines.contains(&key.line) => {
                Err(Error::KeyNotAllowed { key: key.id.to_string() })
            }
            _ => Ok(()),
        }
    }
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Scope {
    /// Read keys.
    #[serde(rename = "keys:read")]
    KeysRead,
    /// Create, rotate and revoke keys.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// Sign.
    #[serde(rename = "sign")]
    Sign,
    /// Verify through the API.
    #[serde(rename = "verify")]
    Verify,
    /// Read the ledger.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Append to the ledger and seal it.
    #[serde(rename = "audit:write")]
    AuditWrite,
    /// Read and change the vault's settings.
    #[serde(rename = "settings")]
    Settings,
    /// Read and change policies.
    #[serde(rename = "policies")]
    Policies,
    /// Make and revoke tokens.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope: what an organisation's first token has.
    pub const ALL: [Self; 9] = [
        Self::KeysRead,
        Self::KeysWrite,
        Self::Sign,
        Self::Verify,
        Self::AuditRead,
        Self::AuditWrite,
        Self::Settings,
        Self::Policies,
        Self::Admin,
    ];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::AuditRead => "audit:read",
            Self::AuditWrite => "audit:write",
            Self::Settings => "settings",
            Self::Policies => "policies",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether an organisation is for real. All its tokens bear the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Tokens begin with `pq_live_`.
    Live,
    /// Tokens begin with `pq_test_`.
    Test,
}

impl Environment {
    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl FromStr for Environment {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        [Self::Live, Self::Test].into_iter().find(|e| e.name() == name).ok_or(UnknownName)
    }
}

/// A stored name that this version does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name that this version does not know")]
pub struct UnknownName;
