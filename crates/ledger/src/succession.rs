//! A succession: the statement that one key follows another, signed by both, and the line that such statements make.
//!
//! The old key vouches for the new one, and the new one proves possession. By its signatures alone a link says little: whoever
//! stole the old key could make a second one. So it holds only with the proof that the ledger has it, and two successors of
//! one key are a fork, which is refused whole.

use canonical_json::Json;
use composite::{Algorithm, PublicKey, Purpose, SigningInput, verify};
use serde::Serialize;

use crate::{
    LoggedEntry, LoggedError,
    checkpoint::signature,
    document::{Document, Malformed, Members, deserialize_by_reading},
    sha256,
    tree::Hash,
};

/// A key as a statement names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// `key_…`
    pub id: String,
    /// SHA-256 over both public halves, lower-case hex.
    pub fingerprint: String,
}

impl Party {
    /// A key by its id and fingerprint.
    #[must_use]
    pub fn new(id: &str, key: &PublicKey) -> Self {
        Self { id: id.to_owned(), fingerprint: hex::encode(key.fingerprint()) }
    }

    fn to_json(&self) -> Json {
        Json::object([("fingerprint", self.fingerprint.as_str().into()), ("id", self.id.as_str().into())])
    }
}

/// What both keys sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    /// `org_…`
    pub org: String,
    /// The key that is followed.
    pub predecessor: Party,
    /// RFC 3339 UTC with milliseconds.
    pub rotated_at: String,
    /// The key that follows.
    pub successor: Party,
    /// [`SUCCESSION_TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
}

/// The type of a statement of this version.
pub const SUCCESSION_TYPE: &str = "postq-vault/succession/v1";

impl Statement {
    /// The bytes that are signed: canonical JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let statement = Json::object([
            ("org", self.org.as_str().into()),
            ("predecessor", self.predecessor.to_json()),
            ("rotatedAt", self.rotated_at.as_str().into()),
            ("successor", self.successor.to_json()),
            ("type", self.kind.as_str().into()),
        ]);
        statement.to_canonical().into_bytes()
    }

    /// What a key of the algorithm signs.
    #[must_use]
    pub fn signing_input(&self, algorithm: Algorithm) -> SigningInput {
        SigningInput::internal(algorithm, Purpose::Succession, &self.to_bytes())
    }

    /// What the ledger's `key.rotated` entry holds of it.
    #[must_use]
    pub fn event_data(&self) -> Json {
        Json::object([
            ("predecessor", self.predecessor.to_json()),
            ("statementSha256", hex::encode(sha256(&self.to_bytes())).into()),
            ("successor", self.successor.to_json()),
        ])
    }
}

/// One link of a line as bundles, lineages and receipts hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Succession {
    /// What both signed.
    pub statement: Statement,
    /// The old key's composite signature, raw.
    pub predecessor_signature_base64: String,
    /// The new key's.
    pub successor_signature_base64: String,
    /// The `key.rotated` entry with its proof. Without it the link is unlogged and does not hold.
    pub proof: Option<LoggedEntry>,
}

/// Why a link does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The statement is of another organisation or version.
    #[error("the statement is of another organisation or version")]
    Statement,
    /// It names a key that is not among the keys, or by another fingerprint.
    #[error("the {0} that the statement names is not among the keys")]
    UnknownKey(&'static str),
    /// A signature does not verify.
    #[error("the {0}'s signature does not verify")]
    Signature(&'static str),
    /// There is no proof that the ledger has it.
    #[error("unlogged: the link has no proof that the ledger holds it")]
    Unlogged,
    /// The proof does not hold.
    #[error("its ledger entry does not hold: {0}")]
    Entry(#[from] LoggedError),
    /// The entry is about something else.
    #[error("its ledger entry is not of this succession")]
    OtherEntry,
    /// Another link has the same predecessor, or the same successor.
    #[error("fork: another link has the same {0}")]
    Fork(&'static str),
}

/// Why keys and links are no line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// A link does not hold.
    #[error("link {index}: {why}")]
    Link {
        /// Which, in the order in which they were given.
        index: usize,
        /// Why.
        why: LinkError,
    },
    /// The links do not join all keys into one line.
    #[error("the links do not join all keys into one line")]
    Disconnected,
    /// Two keys have one id or one fingerprint.
    #[error("two keys have one id or one fingerprint")]
    SameKey,
}

/// Keys that follow each other, every link of which holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Oldest first.
    keys: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    id: String,
    key: PublicKey,
    /// The place of the entry by which it was followed.
    rotated: Option<u64>,
}

impl Line {
    /// Checks every link against the tree of `size` entries with this root, and puts the keys in order.
    ///
    /// # Errors
    /// [`LineError`], which names the link that fails.
    pub fn check(
        org: &str,
        keys: &[(String, PublicKey)],
        links: &[Succession],
        size: u64,
        root: &Hash,
    ) -> Result<Self, LineError> {
        // Everything is looked for from the front: beside what a link costs to verify, a walk costs nothing. So no more keys are
        // walked than the links can join, and one more, which may be one of them again.
        let joined = keys.get(..links.len() + 2).unwrap_or(keys);
        for (index, (id, key)) in joined.iter().enumerate() {
            let before = joined.get(..index).unwrap_or_default();
            if before.iter().any(|(known, other)| known == id || other.fingerprint() == key.fingerprint()) {
                return Err(LineError::SameKey);
            }
        }
        if keys.len() > links.len() + 1 {
            return Err(LineError::Disconnected);
        }
        let mut next: Vec<(&str, &str, u64)> = Vec::new();
        for (index, link) in links.iter().enumerate() {
            let fail = |why| LineError::Link { index, why };
            let (predecessor, successor) =
                (link.statement.predecessor.id.as_str(), link.statement.successor.id.as_str());
            if next.iter().any(|(followed, ..)| *followed == predecessor) {
                return Err(fail(LinkError::Fork("predecessor")));
            }
            if next.iter().any(|(_, following, _)| *following == successor) {
                return Err(fail(LinkError::Fork("successor")));
            }
            let rotated = link.check(org, keys, size, root).map_err(fail)?;
            next.push((predecessor, successor, rotated));
        }
        let follows = |id: &str| next.iter().any(|(_, successor, _)| *successor == id);
        let mut id = keys.iter().map(|(id, _)| id.as_str()).find(|id| !follows(id));
        let mut line = Vec::new();
        while let Some(current) = id {
            // Every key has one link to it at most, and the first has none, so this goes in no circle.
            let (_, key) = keys.iter().find(|(id, _)| id == current).ok_or(LineError::Disconnected)?;
            let link = next.iter().find(|(predecessor, ..)| *predecessor == current);
            line.push(Member {
                id: current.to_owned(),
                key: key.clone(),
                rotated: link.map(|(_, _, seq)| *seq),
            });
            id = link.map(|(_, successor, _)| *successor);
        }
        if line.len() == keys.len() && next.len() + 1 == keys.len() {
            Ok(Self { keys: line })
        } else {
            Err(LineError::Disconnected)
        }
    }

    /// Where a key stands in the line, from 0.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.keys.iter().position(|member| member.id == id)
    }

    /// Where the key of a fingerprint stands in the line.
    #[must_use]
    pub fn position_of_fingerprint(&self, fingerprint: &Hash) -> Option<usize> {
        self.keys.iter().position(|member| member.key.fingerprint() == fingerprint)
    }

    /// A key of the line.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|member| member.id == id).map(|member| &member.key)
    }

    /// The ids and keys, oldest first.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &PublicKey)> {
        self.keys.iter().map(|member| (member.id.as_str(), &member.key))
    }

    /// The places between which a key was the line's newest: after the entry that made it so, up to and with the one that
    /// ended it.
    #[must_use]
    pub fn reign(&self, id: &str) -> Option<(Option<u64>, Option<u64>)> {
        let at = self.position(id)?;
        let before = at.checked_sub(1).and_then(|before| self.keys.get(before)).and_then(|m| m.rotated);
        Some((before, self.keys.get(at)?.rotated))
    }
}

impl Succession {
    /// The place of the entry that logs it.
    fn check(
        &self,
        org: &str,
        keys: &[(String, PublicKey)],
        size: u64,
        root: &Hash,
    ) -> Result<u64, LinkError> {
        let statement = &self.statement;
        if statement.org != org || statement.kind != SUCCESSION_TYPE {
            return Err(LinkError::Statement);
        }
        for (role, party, base64) in [
            ("predecessor", &statement.predecessor, &self.predecessor_signature_base64),
            ("successor", &statement.successor, &self.successor_signature_base64),
        ] {
            let (_, key) = keys.iter().find(|(id, _)| *id == party.id).ok_or(LinkError::UnknownKey(role))?;
            if hex::encode(key.fingerprint()) != party.fingerprint {
                return Err(LinkError::UnknownKey(role));
            }
            let input = statement.signing_input(key.algorithm());
            let signature = signature(key.algorithm(), base64).ok_or(LinkError::Signature(role))?;
            if !verify(key, input.message(), &signature).ok() {
                return Err(LinkError::Signature(role));
            }
        }
        let logged = self.proof.as_ref().ok_or(LinkError::Unlogged)?;
        let fields = logged.check(org, size, root)?;
        let same = fields.event_type == "key.rotated"
            && fields.subject_id == Some(statement.predecessor.id.as_str())
            && *fields.data == statement.event_data();
        if same { Ok(fields.seq) } else { Err(LinkError::OtherEntry) }
    }
}

impl Document for Party {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        let party = Self { id: members.text("id")?, fingerprint: members.text("fingerprint")? };
        members.nothing_else()?;
        Ok(party)
    }
}

impl Document for Statement {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        let statement = Self {
            org: members.text("org")?,
            predecessor: members.one("predecessor")?,
            rotated_at: members.text("rotatedAt")?,
            successor: members.one("successor")?,
            kind: members.text("type")?,
        };
        members.nothing_else()?;
        Ok(statement)
    }
}

impl Document for Succession {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self {
            statement: members.one("statement")?,
            predecessor_signature_base64: members.text("predecessorSignatureBase64")?,
            successor_signature_base64: members.text("successorSignatureBase64")?,
            proof: members.one_or_none("proof")?,
        })
    }
}

deserialize_by_reading!(Party, Statement, Succession);
