//! A lineage: the whole line of a signing key, from its first key to its last, with the proofs that the ledger has every link.

use composite::PublicKey;
use serde::Serialize;

use crate::{
    Anchored, Consistency, EvidenceError, Ledger, LedgerEvidence, Line, LineError, Pins, Succession,
    document::{Document, Malformed, Members, deserialize_by_reading},
};

/// A line as the API gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lineage {
    /// `org_…`
    pub org: String,
    /// Every key of the line, oldest first.
    pub keys: Vec<LineageKey>,
    /// The links between them, oldest first.
    pub successions: Vec<Succession>,
    /// The ledger that holds the links.
    pub ledger: LedgerEvidence,
}

/// A key of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LineageKey {
    /// `key_…`
    pub id: String,
    /// The composite public key, a JSON string.
    pub public_key: String,
}

/// Why a lineage does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineageError {
    /// The ledger behind it does not hold.
    #[error("ledger: {0}")]
    Ledger(#[from] EvidenceError),
    /// A key that is none.
    #[error("key {0} is malformed")]
    Key(String),
    /// The line does not hold.
    #[error(transparent)]
    Line(#[from] LineError),
}

/// A lineage that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageVerified {
    /// The line.
    pub line: Line,
    /// The ledger.
    pub ledger: Ledger,
    /// What pins vouch for. `signer` is about the newest key.
    pub anchored: Anchored,
}

impl Lineage {
    /// Checks the whole line and the ledger behind it.
    ///
    /// # Errors
    /// [`LineageError`], which names the link that fails.
    pub fn check(
        &self,
        pins: &Pins,
        consistency: Option<&Consistency>,
    ) -> Result<LineageVerified, LineageError> {
        let LedgerEvidence { checkpoint, signing_keys, successions } = &self.ledger;
        let ledger = Ledger::check(&self.org, checkpoint, signing_keys, successions)?;
        let line = check_line(&self.org, &self.keys, &self.successions, &ledger)?;
        let mut anchored = ledger.anchor(pins, consistency)?;
        anchored.signer = pins.signers.iter().any(|pin| line.position_of_fingerprint(pin).is_some());
        Ok(LineageVerified { line, ledger, anchored })
    }
}

pub(crate) fn check_line(
    org: &str,
    keys: &[LineageKey],
    successions: &[Succession],
    ledger: &Ledger,
) -> Result<Line, LineageError> {
    let mut parsed = Vec::new();
    for key in keys {
        let public_key =
            PublicKey::from_json(&key.public_key).map_err(|_| LineageError::Key(key.id.clone()))?;
        parsed.push((key.id.clone(), public_key));
    }
    Ok(Line::check(org, &parsed, successions, ledger.tree_size, &ledger.root)?)
}

impl Document for Lineage {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self {
            org: members.text("org")?,
            keys: members.many("keys")?,
            successions: members.many("successions")?,
            ledger: members.one("ledger")?,
        })
    }
}

impl Document for LineageKey {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self { id: members.text("id")?, public_key: members.text("publicKey")? })
    }
}

deserialize_by_reading!(Lineage, LineageKey);
