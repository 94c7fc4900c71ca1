//! What was found, as JSON: the same from every verifier, in a browser and on a command line.
//!
//! Whether a document holds at all is beside this: only one that does has findings.

use serde_json::{Value, json};

use crate::{Anchored, BundleVerified, Ledger, LineageVerified, ReceiptVerified};

impl BundleVerified {
    /// `{"org","since","entries","treeSize","merkleRootHex","complete","ledgerFingerprint","anchored"}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "org": self.org,
            "since": self.since,
            "entries": self.entries,
            "treeSize": self.tree_size,
            "merkleRootHex": hex::encode(self.root),
            "complete": self.complete,
            "ledgerFingerprint": hex::encode(self.ledger_fingerprint),
            "anchored": anchored(self.anchored),
        })
    }
}

impl LineageVerified {
    /// `{"org","keys":[{"id","algorithm","fingerprint"}],"treeSize","merkleRootHex","ledgerFingerprint","anchored"}`, the
    /// keys oldest first.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let keys = self.line.keys().map(|(id, key)| {
            json!({"id": id, "algorithm": key.algorithm(), "fingerprint": hex::encode(key.fingerprint())})
        });
        json!({
            "org": self.ledger.org,
            "keys": keys.collect::<Vec<_>>(),
            "treeSize": self.ledger.tree_size,
            "merkleRootHex": hex::encode(self.ledger.root),
            "ledgerFingerprint": hex::encode(self.ledger.signer_fingerprint()),
            "anchored": anchored(self.anchored),
        })
    }
}

impl ReceiptVerified {
    /// `{"org","keyId","algorithm","fingerprint","seq","issuedAt","revocation","ph","phAlg","messageChecked","treeSize",
    /// "ledgerFingerprint","anchored"}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "org": self.org,
            "keyId": self.key_id,
            "algorithm": self.public_key.algorithm(),
            "fingerprint": hex::encode(self.public_key.fingerprint()),
            "seq": self.seq,
            "issuedAt": self.issued_at,
            "revocation": self.revocation.to_string(),
            "ph": hex::encode(self.prehash.as_bytes()),
            "phAlg": self.public_key.algorithm().prehash().id(),
            "messageChecked": self.message_checked,
            "treeSize": self.tree_size,
            "ledgerFingerprint": hex::encode(self.ledger_fingerprint),
            "anchored": anchored(self.anchored),
        })
    }
}

impl Ledger {
    /// `{"org","treeSize","merkleRootHex","ledgerFingerprint","anchored"}` of a checkpoint that holds.
    #[must_use]
    pub fn to_json(&self, vouched: Anchored) -> Value {
        json!({
            "org": self.org,
            "treeSize": self.tree_size,
            "merkleRootHex": hex::encode(self.root),
            "ledgerFingerprint": hex::encode(self.signer_fingerprint()),
            "anchored": anchored(vouched),
        })
    }
}

fn anchored(Anchored { signer, ledger, checkpoint }: Anchored) -> Value {
    json!({"signer": signer, "ledger": ledger, "checkpoint": checkpoint})
}
