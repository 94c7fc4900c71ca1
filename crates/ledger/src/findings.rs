//! What was found, as JSON: the same from every verifier, in a browser and on a command line.
//!
//! Whether a document holds at all is beside this: only one that does has findings.

use canonical_json::Json;

use crate::{Anchored, BundleVerified, Ledger, LineageVerified, ReceiptVerified};

impl BundleVerified {
    /// `{"org","since","entries","treeSize","merkleRootHex","complete","ledgerFingerprint","anchored"}`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::object([
            ("org", self.org.as_str().into()),
            ("since", self.since.into()),
            ("entries", self.entries.into()),
            ("treeSize", self.tree_size.into()),
            ("merkleRootHex", hex::encode(self.root).into()),
            ("complete", self.complete.into()),
            ("ledgerFingerprint", hex::encode(self.ledger_fingerprint).into()),
            ("anchored", anchored(self.anchored)),
        ])
    }
}

impl LineageVerified {
    /// `{"org","keys":[{"id","algorithm","fingerprint"}],"treeSize","merkleRootHex","ledgerFingerprint","anchored"}`, the
    /// keys oldest first.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let keys = self.line.keys().map(|(id, key)| {
            Json::object([
                ("id", id.into()),
                ("algorithm", key.algorithm().name().into()),
                ("fingerprint", hex::encode(key.fingerprint()).into()),
            ])
        });
        Json::object([
            ("org", self.ledger.org.as_str().into()),
            ("keys", keys.collect::<Vec<_>>().into()),
            ("treeSize", self.ledger.tree_size.into()),
            ("merkleRootHex", hex::encode(self.ledger.root).into()),
            ("ledgerFingerprint", hex::encode(self.ledger.signer_fingerprint()).into()),
            ("anchored", anchored(self.anchored)),
        ])
    }
}

impl ReceiptVerified {
    /// `{"org","keyId","algorithm","fingerprint","seq","issuedAt","revocation","ph","phAlg","messageChecked","treeSize",
    /// "ledgerFingerprint","anchored"}`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::object([
            ("org", self.org.as_str().into()),
            ("keyId", self.key_id.as_str().into()),
            ("algorithm", self.public_key.algorithm().name().into()),
            ("fingerprint", hex::encode(self.public_key.fingerprint()).into()),
            ("seq", self.seq.into()),
            ("issuedAt", self.issued_at.as_str().into()),
            ("revocation", self.revocation.to_string().into()),
            ("ph", hex::encode(self.prehash.as_bytes()).into()),
            ("phAlg", self.public_key.algorithm().prehash().id().into()),
            ("messageChecked", self.message_checked.into()),
            ("treeSize", self.tree_size.into()),
            ("ledgerFingerprint", hex::encode(self.ledger_fingerprint).into()),
            ("anchored", anchored(self.anchored)),
        ])
    }
}

impl Ledger {
    /// `{"org","treeSize","merkleRootHex","ledgerFingerprint","anchored"}` of a checkpoint that holds.
    #[must_use]
    pub fn to_json(&self, vouched: Anchored) -> Json {
        Json::object([
            ("org", self.org.as_str().into()),
            ("treeSize", self.tree_size.into()),
            ("merkleRootHex", hex::encode(self.root).into()),
            ("ledgerFingerprint", hex::encode(self.signer_fingerprint()).into()),
            ("anchored", anchored(vouched)),
        ])
    }
}

fn anchored(Anchored { signer, ledger, checkpoint }: Anchored) -> Json {
    Json::object([("signer", signer.into()), ("ledger", ledger.into()), ("checkpoint", checkpoint.into())])
}
