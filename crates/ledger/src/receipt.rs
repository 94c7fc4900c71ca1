//! A receipt: one file of evidence for a signature, checked with no account and no network.
//!
//! It brings evidence, not trust: see [`crate::Pins`]. It shows that the event was logged no later than its checkpoint, in the
//! ledger's order and by the operator's clock. That it holds no revocation shows nothing: whoever hands it over may have
//! left one out.

use base64::{Engine, engine::general_purpose::STANDARD};
use canonical_json::Json;
use composite::{Algorithm, Context, MessageRepresentative, Prehash, PublicKey, Signature, Verdict};
use serde::Serialize;

use crate::{
    Anchored, Consistency, EvidenceError, Ledger, LedgerEvidence, LineageError, LineageKey, LoggedEntry,
    LoggedError, Pins, Succession,
    document::{Document, Malformed, Members, deserialize_by_reading},
    lineage::check_line,
    sha256,
    tree::Hash,
};

/// The version of receipts that this crate knows.
pub const RECEIPT_VERSION: u64 = 1;

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// [`RECEIPT_VERSION`].
    pub v: u64,
    /// `org_…`
    pub org: String,
    /// The key that signed.
    pub key_id: String,
    /// The signature, raw; null as the vault gives it, which does not keep signatures.
    pub signature_base64: Option<String>,
    /// The line of the key, oldest first, up to and beyond the one that signed.
    pub keys: Vec<LineageKey>,
    /// The links of the line.
    pub successions: Vec<Succession>,
    /// The `signature.issued` entry.
    pub issued: LoggedEntry,
    /// For a revoked key, the `key.revoked` entry.
    pub revoked: Option<LoggedEntry>,
    /// The ledger that holds all of it.
    pub ledger: LedgerEvidence,
}

/// What was signed, as far as the verifier has it.
#[derive(Debug, Clone, Copy)]
pub enum Signed<'a> {
    /// The payload itself.
    Payload(&'a [u8]),
    /// Its digests, for a file that was hashed as it streamed.
    Digests {
        /// By the algorithm's hash.
        prehash: &'a [u8],
        /// SHA-256, lower-case hex, and size in bytes, where they are known.
        payload: Option<(&'a str, u64)>,
    },
    /// Nothing: the signature is checked over the digest that the entry names.
    Unknown,
}

/// When the signature was logged, beside the revocation of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The entry stands before the one of the revocation.
    LoggedBefore,
    /// It stands after.
    LoggedAfter,
    /// The receipt shows no revocation, of which it can leave one out; after the checkpoint of so many entries, there is
    /// nothing that it could show.
    UnknownAfter(u64),
}

impl std::fmt::Display for Revocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LoggedBefore => f.write_str("logged before revocation"),
            Self::LoggedAfter => f.write_str("logged after revocation"),
            Self::UnknownAfter(size) => write!(f, "revocation unknown after checkpoint {size}"),
        }
    }
}

/// A receipt that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptVerified {
    /// `org_…`
    pub org: String,
    /// The fingerprint of the ledger key that signed the checkpoint.
    pub ledger_fingerprint: Hash,
    /// How many entries the checkpoint covers.
    pub tree_size: u64,
    /// `key_…` of the key that signed.
    pub key_id: String,
    /// The key that signed.
    pub public_key: PublicKey,
    /// The entry's place.
    pub seq: u64,
    /// When the event was issued, by the operator's clock.
    pub issued_at: String,
    /// Beside the revocation of the key.
    pub revocation: Revocation,
    /// The digest that was signed, by the algorithm's hash.
    pub prehash: Prehash,
    /// Whether a payload, or its digest, was at hand and is what was signed.
    pub message_checked: bool,
    /// What pins vouch for.
    pub anchored: Anchored,
}

/// Why a receipt does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// A version that this crate does not know.
    #[error("a receipt of version {0}, and version 1 is known here")]
    Version(u64),
    /// The ledger behind it does not hold.
    #[error("ledger: {0}")]
    Ledger(#[from] EvidenceError),
    /// The line of the key does not hold.
    #[error("lineage: {0}")]
    Lineage(#[from] LineageError),
    /// An entry is not in the ledger.
    #[error("the `{what}` entry does not hold: {why}")]
    Entry {
        /// `issued` or `revoked`.
        what: &'static str,
        /// Why.
        why: LoggedError,
    },
    /// The key that signed is not in the line.
    #[error("the key that signed is not among the receipt's keys")]
    UnknownKey,
    /// The receipt as the vault gives it.
    #[error("the receipt has no signature yet: put it in as `signatureBase64`")]
    NoSignature,
    /// The signature is malformed.
    #[error("`signatureBase64` is no raw signature of the key's algorithm")]
    Signature,
    /// One half or both do not verify.
    #[error("the signature does not verify: classical half {}, ML-DSA half {}", word(.0.classical_ok), word(.0.pq_ok))]
    Verdict(Verdict),
    /// The message that is at hand is another than the entry tells of.
    #[error("the payload's digest is not the one in the ledger's entry")]
    Message,
    /// A field of the entry says something else.
    #[error("`{0}` in the ledger's entry is not that of this signature")]
    Field(&'static str),
}

impl Receipt {
    /// Checks everything that the receipt brings, against the message as far as it is at hand.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn check(
        &self,
        signed: Signed<'_>,
        pins: &Pins,
        consistency: Option<&Consistency>,
    ) -> Result<ReceiptVerified, ReceiptError> {
        if self.v != RECEIPT_VERSION {
            return Err(ReceiptError::Version(self.v));
        }
        let LedgerEvidence { checkpoint, signing_keys, successions } = &self.ledger;
        let ledger = Ledger::check(&self.org, checkpoint, signing_keys, successions)?;
        let line = check_line(&self.org, &self.keys, &self.successions, &ledger)?;
        let key = line.key(&self.key_id).ok_or(ReceiptError::UnknownKey)?.clone();

        let issued = self.issued.check(&self.org, ledger.tree_size, &ledger.root);
        let issued = issued.map_err(|why| ReceiptError::Entry { what: "issued", why })?;
        if issued.event_type != "signature.issued" || issued.subject_id != Some(self.key_id.as_str()) {
            return Err(ReceiptError::Field("eventType"));
        }
        let prehash = self.check_signature(&key, issued.data, signed)?;

        let revocation = match &self.revoked {
            None => Revocation::UnknownAfter(ledger.tree_size),
            Some(revoked) => {
                let revoked = revoked.check(&self.org, ledger.tree_size, &ledger.root);
                let revoked = revoked.map_err(|why| ReceiptError::Entry { what: "revoked", why })?;
                let names = |name, value: &str| revoked.data.get(name).and_then(Json::as_str) == Some(value);
                let about =
                    names("keyId", &self.key_id) && names("fingerprint", &hex::encode(key.fingerprint()));
                if revoked.event_type != "key.revoked" || !about {
                    return Err(ReceiptError::Field("revoked"));
                }
                if issued.seq < revoked.seq { Revocation::LoggedBefore } else { Revocation::LoggedAfter }
            }
        };
        let mut anchored = ledger.anchor(pins, consistency)?;
        let signer = line.position(&self.key_id);
        anchored.signer = pins
            .signers
            .iter()
            .filter_map(|pin| line.position_of_fingerprint(pin))
            .any(|at| Some(at) <= signer);
        Ok(ReceiptVerified {
            org: self.org.clone(),
            ledger_fingerprint: ledger.signer_fingerprint(),
            tree_size: ledger.tree_size,
            key_id: self.key_id.clone(),
            public_key: key,
            seq: issued.seq,
            issued_at: issued.issued_at.to_owned(),
            revocation,
            prehash,
            message_checked: !matches!(signed, Signed::Unknown),
            anchored,
        })
    }

    /// Recomputes what the entry says of the signature, field by field, and verifies the signature over the digest that it
    /// names, which is handed back.
    fn check_signature(
        &self,
        key: &PublicKey,
        data: &Json,
        signed: Signed<'_>,
    ) -> Result<Prehash, ReceiptError> {
        let algorithm = key.algorithm();
        let base64 = self.signature_base64.as_deref().ok_or(ReceiptError::NoSignature)?;
        let bytes = STANDARD.decode(base64).map_err(|_| ReceiptError::Signature)?;
        let signature = Signature::from_bytes(algorithm, &bytes).map_err(|_| ReceiptError::Signature)?;
        let field = |name: &'static str| data.get(name).ok_or(ReceiptError::Field(name));
        for (name, expected) in [
            ("algorithm", algorithm.name()),
            ("fingerprint", &hex::encode(key.fingerprint())),
            ("keyId", &self.key_id),
            ("phAlg", algorithm.prehash().id()),
            ("signatureSha256", &hex::encode(sha256(&bytes))),
        ] {
            if field(name)?.as_str() != Some(expected) {
                return Err(ReceiptError::Field(name));
            }
        }
        let prehash = logged_prehash(algorithm, field("ph")?)?;
        match signed {
            Signed::Payload(payload) => {
                if Prehash::derive(algorithm, payload).as_bytes() != prehash.as_bytes() {
                    return Err(ReceiptError::Message);
                }
                let size = u64::try_from(payload.len()).unwrap_or(u64::MAX);
                check_payload(data, &hex::encode(sha256(payload)), size)?;
            }
            Signed::Digests { prehash: at_hand, payload } => {
                if at_hand != prehash.as_bytes() {
                    return Err(ReceiptError::Message);
                }
                if let Some((digest, size)) = payload {
                    check_payload(data, digest, size)?;
                }
            }
            Signed::Unknown => {}
        }
        let context = field("contextBase64")?.as_str().and_then(|text| STANDARD.decode(text).ok());
        let context = context.and_then(|bytes| Context::new(bytes).ok());
        let context = context.ok_or(ReceiptError::Field("contextBase64"))?;
        let message = MessageRepresentative::derive(algorithm, &context, &prehash);
        match composite::verify(key, &message, &signature) {
            verdict if verdict.ok() => Ok(prehash),
            verdict => Err(ReceiptError::Verdict(verdict)),
        }
    }
}

/// Where a caller sent a digest, the vault never saw the payload and the entry says nothing of it.
fn check_payload(data: &Json, sha256: &str, size: u64) -> Result<(), ReceiptError> {
    for (name, actual) in [("payloadSha256", Json::from(sha256)), ("payloadSize", size.into())] {
        let logged = data.get(name).ok_or(ReceiptError::Field(name))?;
        if !logged.is_null() && *logged != actual {
            return Err(ReceiptError::Field(name));
        }
    }
    Ok(())
}

fn logged_prehash(algorithm: Algorithm, logged: &Json) -> Result<Prehash, ReceiptError> {
    let bytes = logged.as_str().and_then(|text| hex::decode(text).ok());
    bytes.and_then(|bytes| Prehash::from_bytes(algorithm, &bytes).ok()).ok_or(ReceiptError::Field("ph"))
}

const fn word(ok: bool) -> &'static str {
    if ok { "holds" } else { "does not hold" }
}

impl Document for Receipt {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        let receipt = Self {
            v: members.number("v")?,
            org: members.text("org")?,
            key_id: members.text("keyId")?,
            signature_base64: members.text_or_none("signatureBase64")?,
            keys: members.many("keys")?,
            successions: members.many("successions")?,
            issued: members.one("issued")?,
            revoked: members.one_or_none("revoked")?,
            ledger: members.one("ledger")?,
        };
        members.nothing_else()?;
        Ok(receipt)
    }
}

deserialize_by_reading!(Receipt);
