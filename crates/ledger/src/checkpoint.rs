//! A checkpoint: the size and root of the tree at a moment, signed by the organisation's ledger key.
//!
//! What is signed is the body of a C2SP tlog-checkpoint; the signature is a composite one under a context of its own.

use base64::{Engine, engine::general_purpose::STANDARD};
use composite::{Algorithm, PublicKey, Purpose, Signature, SigningInput, verify};
use serde::Serialize;

use crate::{
    document::{Document, Malformed, Members, deserialize_by_reading},
    hexes,
    tree::Hash,
};

/// What a checkpoint says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointBody<'a> {
    /// `org_…`
    pub org: &'a str,
    /// How many entries.
    pub tree_size: u64,
    /// The root over them.
    pub root: &'a Hash,
    /// When it was issued, RFC 3339 UTC.
    pub issued: &'a str,
}

impl CheckpointBody<'_> {
    /// The bytes that are signed: four lines, each ended by a line feed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let root = STANDARD.encode(self.root);
        format!("postq-vault/{}\n{}\n{root}\nissued {}\n", self.org, self.tree_size, self.issued).into_bytes()
    }

    /// What a ledger key signs.
    #[must_use]
    pub fn signing_input(&self, algorithm: Algorithm) -> SigningInput {
        SigningInput::internal(algorithm, Purpose::Checkpoint, &self.to_bytes())
    }
}

/// A checkpoint as bundles and receipts hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// How many entries.
    pub tree_size: u64,
    /// The root over them, lower-case hex.
    pub merkle_root_hex: String,
    /// The composite signature over the body, raw.
    pub signature_base64: String,
    /// The ledger key that signed.
    pub signing_key_id: String,
    /// The body's `issued`.
    pub created_at: String,
}

/// Why a checkpoint does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A field that no vault would have written.
    #[error("`{0}` is malformed")]
    Field(&'static str),
    /// Not by this key over this body.
    #[error("the signature does not verify under the ledger key that it names")]
    Signature,
}

impl Checkpoint {
    /// The root.
    ///
    /// # Errors
    /// [`CheckpointError::Field`].
    pub fn root(&self) -> Result<Hash, CheckpointError> {
        hexes::parse(&self.merkle_root_hex).map_err(|_| CheckpointError::Field("merkleRootHex"))
    }

    /// Checks the signature by the ledger key that the checkpoint names, and gives the root.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn check(&self, org: &str, key: &PublicKey) -> Result<Hash, CheckpointError> {
        let root = self.root()?;
        // A line feed in a field would let one body be read as another.
        for (name, text) in [("org", org), ("createdAt", self.created_at.as_str())] {
            if text.is_empty() || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
                return Err(CheckpointError::Field(name));
            }
        }
        let body = CheckpointBody { org, tree_size: self.tree_size, root: &root, issued: &self.created_at };
        let input = body.signing_input(key.algorithm());
        match signature(key.algorithm(), &self.signature_base64) {
            Some(signature) if verify(key, input.message(), &signature).ok() => Ok(root),
            Some(_) => Err(CheckpointError::Signature),
            None => Err(CheckpointError::Field("signatureBase64")),
        }
    }
}

/// A raw composite signature in base64.
pub(crate) fn signature(algorithm: Algorithm, base64: &str) -> Option<Signature> {
    Signature::from_bytes(algorithm, &STANDARD.decode(base64).ok()?).ok()
}

/// A ledger key's public halves as bundles and receipts hold them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// `key_…`
    pub id: String,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// The classical half.
    pub public_classical_base64: String,
    /// The ML-DSA half.
    pub public_pq_base64: String,
}

impl SigningKey {
    /// A key's public halves.
    #[must_use]
    pub fn new(id: &str, key: &PublicKey) -> Self {
        Self {
            id: id.to_owned(),
            algorithm: key.algorithm(),
            public_classical_base64: STANDARD.encode(key.classical()),
            public_pq_base64: STANDARD.encode(key.pq()),
        }
    }

    /// The public key; none where the halves are not the algorithm's.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        let pq = STANDARD.decode(&self.public_pq_base64).ok()?;
        let classical = STANDARD.decode(&self.public_classical_base64).ok()?;
        PublicKey::from_halves(self.algorithm, &pq, &classical).ok()
    }
}

impl Document for Checkpoint {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        Ok(Self {
            tree_size: members.number("treeSize")?,
            merkle_root_hex: members.text("merkleRootHex")?,
            signature_base64: members.text("signatureBase64")?,
            signing_key_id: members.text("signingKeyId")?,
            created_at: members.text("createdAt")?,
        })
    }
}

impl Document for SigningKey {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        let algorithm = members.text("algorithm")?;
        Ok(Self {
            id: members.text("id")?,
            algorithm: algorithm.parse().map_err(|_| Malformed::new(" has an unknown `algorithm`"))?,
            public_classical_base64: members.text("publicClassicalBase64")?,
            public_pq_base64: members.text("publicPqBase64")?,
        })
    }
}

deserialize_by_reading!(Checkpoint, SigningKey);
