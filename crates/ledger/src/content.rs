//! What a caller may put into an event: JSON that every verifier reads alike.
//!
//! Two parsers that disagree about a document would compute two hashes of one entry. So whatever they are known to disagree
//! about is refused at the door: numbers that are not integers within ±(2^53−1), members of one name, lone surrogates,
//! deep nesting.

use canonical_json::{Json, Object};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{document::Malformed, sha256, tree::Hash};

/// Nesting allowed in a caller's content: an object of scalars has depth 1.
pub const MAX_DEPTH: usize = 8;

/// A JSON object that a caller supplied, free of what parsers disagree about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content(Object);

/// A ledger entry's payload as somebody hands it over, free of the same: a verifier that parsed it in another way than the
/// vault wrote it would hash something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(Json);

/// What a caller supplied stands two levels down in a payload.
const PAYLOAD_DEPTH: usize = MAX_DEPTH + 2;

/// A payload stands at most seven levels down: in an entry, in a link's proof, in a ledger's evidence, in a document.
const _: () = assert!(
    PAYLOAD_DEPTH + 8 <= canonical_json::MAX_DEPTH,
    "a document can be nested as deeply as it may be"
);

/// Why content is refused although it parses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// More members than the limit.
    #[error("it has at most {limit} members, this one has {actual}")]
    TooManyMembers {
        /// How many there may be.
        limit: usize,
        /// How many there are.
        actual: usize,
    },
    /// Larger than the limit in canonical form.
    #[error("it has at most {limit} bytes in canonical JSON, this one has {actual}")]
    TooLarge {
        /// Size allowed, in bytes.
        limit: usize,
        /// Its size, in bytes.
        actual: usize,
    },
}

impl Content {
    /// Checks the size.
    ///
    /// # Errors
    /// [`ContentError`], where it has more than `members` members or more than `bytes` bytes in canonical form.
    pub fn check_size(&self, members: usize, bytes: usize) -> Result<(), ContentError> {
        if self.0.len() > members {
            return Err(ContentError::TooManyMembers { limit: members, actual: self.0.len() });
        }
        let actual = self.to_json().to_canonical().len();
        if actual > bytes {
            return Err(ContentError::TooLarge { limit: bytes, actual });
        }
        Ok(())
    }

    /// The content, always an object.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::Object(self.0.clone())
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        if !json.is_within_depth(MAX_DEPTH) {
            return Err(de::Error::custom("nested too deeply: what a caller supplies has at most 8 levels"));
        }
        match json {
            Json::Object(members) => Ok(Self(members)),
            _ => Err(de::Error::custom("expected an object")),
        }
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

impl Payload {
    /// The payload, always an object.
    #[must_use]
    pub const fn as_json(&self) -> &Json {
        &self.0
    }

    /// The digest of the event: SHA-256 over the canonical payload without `seq`, as whoever signed was told it.
    #[must_use]
    pub fn derive_event_digest(&self) -> Hash {
        let mut event = self.0.clone();
        if let Json::Object(members) = &mut event {
            members.remove("seq");
        }
        sha256(event.to_canonical().as_bytes())
    }

    pub(crate) const fn new(object: Json) -> Self {
        Self(object)
    }

    /// Takes a value that is an object.
    ///
    /// # Errors
    /// [`Malformed`] for what is not an object, or nested too deeply.
    pub fn from_json(json: Json) -> Result<Self, Malformed> {
        if json.as_object().is_none() {
            return Err(Malformed::new(" is not an object"));
        }
        if !json.is_within_depth(PAYLOAD_DEPTH) {
            return Err(Malformed::new(" is nested too deeply"));
        }
        Ok(Self(json))
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Json::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Content, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn what_parsers_disagree_about_is_refused() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(MAX_DEPTH + 1), "}".repeat(MAX_DEPTH + 1));
        for hostile in [
            r#"{"a":1152921504606846976}"#,
            r#"{"a":9007199254740992}"#,
            r#"{"a":-9007199254740992}"#,
            r#"{"a":1e400}"#,
            r#"{"a":1.5}"#,
            r#"{"a":1e2}"#,
            r#"{"a":-0.0}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"b":{"a":1,"a":1}}"#,
            r#"{"b":[{"a":1,"\u0061":1}]}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"\udc00":1}"#,
            deep.as_str(),
            r"[1]",
            r#""a""#,
            r"null",
        ] {
            assert!(parse(hostile).is_err(), "{hostile} was taken");
        }
    }

    #[test]
    fn what_they_agree_about_is_kept() {
        let deepest = format!("{}1{}", r#"{"a":"#.repeat(MAX_DEPTH), "}".repeat(MAX_DEPTH));
        for harmless in [
            "{}",
            r#"{"a":9007199254740991,"b":-9007199254740991,"c":null,"d":[true,"\ud83d\ude00"]}"#,
            deepest.as_str(),
        ] {
            let content = parse(harmless).unwrap();
            assert_eq!(content.to_json(), Json::parse(harmless).unwrap());
        }
    }

    #[test]
    fn a_size_over_the_limit_is_named() {
        let content = parse(r#"{"a":"0123456789"}"#).unwrap();
        assert!(content.check_size(1, 18).is_ok());
        assert_eq!(content.check_size(1, 17), Err(ContentError::TooLarge { limit: 17, actual: 18 }));
        assert_eq!(content.check_size(0, 99), Err(ContentError::TooManyMembers { limit: 0, actual: 1 }));
    }
}
