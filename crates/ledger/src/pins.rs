//! What a verifier knew before it was handed a document; as JSON, a file that a person keeps and checks in.
//!
//! `{"v":1,"signers":["<fingerprint>"],"ledgers":[{"org","fingerprint","checkpoint":{"treeSize","merkleRootHex"}}]}`; each
//! member but `org` and a ledger's `fingerprint` may be left out, and so may each checkpoint.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{
    Consistency,
    document::{Document, Malformed, Members, deserialize_by_reading},
    hexes::{self, HexError},
    tree::Hash,
};

/// The version of pins that this crate knows.
pub const PINS_VERSION: u64 = 1;

/// What a verifier knew before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// Fingerprints of signers: of any key of a line, no later than the one that signed.
    pub signers: Vec<Hash>,
    /// Ledgers.
    pub ledgers: Vec<LedgerPin>,
}

/// A ledger that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerPin {
    /// `org_…`
    pub org: String,
    /// The fingerprint of any of its ledger keys.
    #[serde(serialize_with = "hexes::serialize")]
    pub fingerprint: Hash,
    /// Better: the last checkpoint seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointPin>,
}

/// A checkpoint that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointPin {
    /// How many entries it had.
    pub tree_size: u64,
    /// Its root.
    #[serde(rename = "merkleRootHex", serialize_with = "hexes::serialize")]
    pub root: Hash,
}

/// What a verifier knew before, and how the ledger goes on from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The pins.
    pub pins: Pins,
    /// The proof that the ledger continues a pinned checkpoint.
    pub consistency: Option<Consistency>,
}

impl Document for Pins {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        let version = members.optional("v");
        if version.is_some_and(|version| version.as_u64() != Some(PINS_VERSION)) {
            return Err(Malformed::new(" has another version than 1"));
        }
        let mut pins = Self::default();
        if members.has("signers") {
            for text in members.texts("signers")? {
                pins.signers.push(hexes::parse(&text).map_err(|HexError| Malformed::digest("signers"))?);
            }
        }
        if members.has("ledgers") {
            pins.ledgers = members.many("ledgers")?;
        }
        members.nothing_else()?;
        Ok(pins)
    }
}

impl Document for LedgerPin {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        let pin = Self {
            org: members.text("org")?,
            fingerprint: members.digest("fingerprint")?,
            checkpoint: members.one_or_none("checkpoint")?,
        };
        members.nothing_else()?;
        Ok(pin)
    }
}

impl Document for CheckpointPin {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        let pin = Self { tree_size: members.number("treeSize")?, root: members.digest("merkleRootHex")? };
        members.nothing_else()?;
        Ok(pin)
    }
}

impl Document for Known {
    fn read(members: &mut Members) -> Result<Self, Malformed> {
        let known = Self {
            pins: members.one_or_none("pins")?.unwrap_or_default(),
            consistency: members.one_or_none("consistency")?,
        };
        members.nothing_else()?;
        Ok(known)
    }
}

deserialize_by_reading!(Pins, LedgerPin, CheckpointPin);

impl Serialize for Pins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let signers: Vec<String> = self.signers.iter().map(hex::encode).collect();
        let mut document = serializer.serialize_struct("Pins", 3)?;
        document.serialize_field("v", &PINS_VERSION)?;
        document.serialize_field("signers", &signers)?;
        document.serialize_field("ledgers", &self.ledgers)?;
        document.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_as_they_are_written_and_in_no_other_shape() {
        let pins = Pins {
            signers: vec![[1; 32]],
            ledgers: vec![LedgerPin {
                org: "org_1".to_owned(),
                fingerprint: [2; 32],
                checkpoint: Some(CheckpointPin { tree_size: 7, root: [3; 32] }),
            }],
        };
        let text = serde_json::to_string(&pins).unwrap();
        assert!(text.starts_with(r#"{"v":1,"signers":["0101"#), "{text}");
        assert_eq!(serde_json::from_str::<Pins>(&text).unwrap(), pins);
        assert_eq!(serde_json::from_str::<Pins>("{}").unwrap(), Pins::default());
        for bad in [
            text.replace(r#""v":1"#, r#""v":2"#),
            text.replace("0101", "01"),
            text.replace("0101", "0A01"),
            text.replace("signers", "signer"),
            text.replace(r#""treeSize":7,"#, ""),
        ] {
            assert!(serde_json::from_str::<Pins>(&bad).is_err(), "{bad}");
        }
    }
}
