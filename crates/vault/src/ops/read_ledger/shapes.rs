//! The shapes of the ledger's documents, for the API's description alone: the crate that owns them knows no transport, and
//! none of these is ever made. A test holds each against what the vault answers.
#![expect(dead_code, reason = "a description is read, never made")]

use std::collections::HashMap;

use composite::Algorithm;
use serde_json::Value;
use utoipa::ToSchema;

use crate::ops::get_key::AlgorithmName;

/// An entry as verifiers read it.
#[derive(ToSchema)]
#[schema(as = EvidenceEntry, rename_all = "camelCase")]
pub struct EvidenceEntry {
    /// `evt_…`
    id: String,
    /// Its place, from 0.
    seq: u64,
    /// The hash of the entry before it; 64 zeros before the first.
    prev_hash_hex: String,
    /// SHA-256(previous hash ‖ canonical payload).
    entry_hash_hex: String,
    /// `actorId`, `data`, `eventType`, `id`, `issuedAt`, `org`, `seq`, `subjectId`, `v`.
    payload: HashMap<String, Value>,
    /// The payload's `issuedAt`.
    created_at: String,
}

/// An entry with the proof that it stands in the tree of the document's checkpoint.
#[derive(ToSchema)]
#[schema(as = LoggedEntry, rename_all = "camelCase")]
pub struct LoggedEntry {
    /// The entry.
    entry: EvidenceEntry,
    /// The entry's place.
    leaf_index: u64,
    /// SHA-256(0x00 ‖ entry hash).
    leaf_hash_hex: String,
    /// The audit path (RFC 6962 §2.1.1), lowest first.
    proof_hex: Vec<String>,
    /// The size of the tree that the path is in.
    tree_size: u64,
}

/// A checkpoint as verifiers read it.
#[derive(ToSchema)]
#[schema(as = EvidenceCheckpoint, rename_all = "camelCase")]
pub struct EvidenceCheckpoint {
    /// How many entries it covers.
    tree_size: u64,
    /// The root over them.
    merkle_root_hex: String,
    /// The composite signature over the body, raw, base64.
    signature_base64: String,
    /// The ledger key that signed.
    signing_key_id: String,
    /// The body's `issued`.
    created_at: String,
}

/// A ledger key's public halves.
#[derive(ToSchema)]
#[schema(as = SigningKey, rename_all = "camelCase")]
pub struct SigningKey {
    /// `key_…`
    id: String,
    /// Its algorithm.
    #[schema(value_type = AlgorithmName)]
    algorithm: Algorithm,
    /// The classical half, base64.
    public_classical_base64: String,
    /// The ML-DSA half, base64.
    public_pq_base64: String,
}

/// A key as a succession names it.
#[derive(ToSchema)]
#[schema(as = SuccessionParty)]
pub struct SuccessionParty {
    /// `key_…`
    id: String,
    /// SHA-256 over both public halves, lower-case hex.
    fingerprint: String,
}

/// What both keys of a succession sign, in canonical JSON.
#[derive(ToSchema)]
#[schema(as = SuccessionStatement, rename_all = "camelCase")]
pub struct SuccessionStatement {
    /// `org_…`
    org: String,
    /// The key that is followed.
    predecessor: SuccessionParty,
    /// RFC 3339 UTC with milliseconds.
    rotated_at: String,
    /// The key that follows.
    successor: SuccessionParty,
    /// `postq-vault/succession/v1`
    r#type: String,
}

/// One key following another.
#[derive(ToSchema)]
#[schema(as = Succession, rename_all = "camelCase")]
pub struct Succession {
    /// What both signed.
    statement: SuccessionStatement,
    /// The old key's composite signature, raw, base64.
    predecessor_signature_base64: String,
    /// The new key's.
    successor_signature_base64: String,
    /// The `key.rotated` entry.
    #[schema(required)]
    proof: Option<LoggedEntry>,
}

/// A checkpoint with the keys that make it believable.
#[derive(ToSchema)]
#[schema(as = LedgerEvidence, rename_all = "camelCase")]
pub struct LedgerEvidence {
    /// The checkpoint that every proof in the document leads to.
    checkpoint: EvidenceCheckpoint,
    /// Every ledger key, oldest first.
    signing_keys: Vec<SigningKey>,
    /// The links between them.
    successions: Vec<Succession>,
}

/// A key of a line.
#[derive(ToSchema)]
#[schema(as = LineageKey, rename_all = "camelCase")]
pub struct LineageKey {
    /// `key_…`
    id: String,
    /// The composite public key, a JSON string.
    public_key: String,
}

/// A key's whole line. It verifies offline.
#[derive(ToSchema)]
#[schema(as = Lineage)]
pub struct Lineage {
    /// `org_…`
    org: String,
    /// Every key of the line, oldest first.
    keys: Vec<LineageKey>,
    /// The links between them, oldest first.
    successions: Vec<Succession>,
    /// The ledger that holds the links.
    ledger: LedgerEvidence,
}

/// The evidence for one signature. It verifies offline once the signature is put in.
#[derive(ToSchema)]
#[schema(as = Receipt, rename_all = "camelCase")]
pub struct Receipt {
    /// 1
    v: u64,
    /// `org_…`
    org: String,
    /// The key that signed.
    key_id: String,
    /// Null: the vault does not keep signatures. Put it in before you hand the receipt on.
    #[schema(required)]
    signature_base64: Option<String>,
    /// The line of the key, oldest first.
    keys: Vec<LineageKey>,
    /// The links of the line.
    successions: Vec<Succession>,
    /// The `signature.issued` entry.
    issued: LoggedEntry,
    /// For a revoked key, the `key.revoked` entry.
    #[schema(required)]
    revoked: Option<LoggedEntry>,
    /// The ledger that holds all of it.
    ledger: LedgerEvidence,
}

/// All that a verifier needs offline, whole or a range.
#[derive(ToSchema)]
#[schema(as = Bundle, rename_all = "camelCase")]
pub struct Bundle {
    /// 1
    version: u64,
    /// `org_…`
    org: String,
    /// When it was put together.
    generated_at: String,
    /// The entries, in their order.
    entries: Vec<EvidenceEntry>,
    /// All checkpoints, oldest first; of a range, the one that its hashes lead to.
    checkpoints: Vec<EvidenceCheckpoint>,
    /// Every ledger key, oldest first.
    signing_keys: Vec<SigningKey>,
    /// The links between them, proven in the newest checkpoint here.
    successions: Vec<Succession>,
    /// Where a range stands; left out of a whole bundle, and of a page after the last.
    range: Option<BundleRange>,
}

/// Where a range stands in the tree.
#[derive(ToSchema)]
#[schema(as = BundleRange, rename_all = "camelCase")]
pub struct BundleRange {
    /// The first entry's place.
    since: u64,
    /// The last one's.
    until: u64,
    /// The size of the tree.
    tree_size: u64,
    /// The hash of the entry before the first.
    prev_hash_hex: String,
    /// The roots of the maximal nodes wholly before, left to right.
    left_hex: Vec<String>,
    /// The roots of the maximal nodes wholly after, left to right.
    right_hex: Vec<String>,
}
