//! What a caller may put into an event: JSON that every verifier reads alike.
//!
//! Two parsers that disagree about a document would compute two hashes of one entry. So whatever they are known to disagree
//! about is refused at the door: numbers that are not integers within ±(2^53−1), members of one name, lone surrogates,
//! deep nesting.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{
    canonical,
    document::{Json, Malformed},
    sha256,
    tree::Hash,
};

/// Nesting allowed in a caller's content: an object of scalars has depth 1.
pub const MAX_DEPTH: usize = 8;

/// The largest integer that every JSON implementation keeps exactly (RFC 7493 §2.2): 2^53 − 1.
pub(crate) const MAX_INTEGER: u64 = (1 << 53) - 1;

/// A JSON object that a caller supplied, free of what parsers disagree about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content(Map<String, Value>);

/// A ledger entry's payload as somebody hands it over, free of the same: a verifier that parsed it in another way than the
/// vault wrote it would hash something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(Value);

/// What a caller supplied stands two levels down in a payload.
const PAYLOAD_DEPTH: usize = MAX_DEPTH + 2;

/// A payload stands at most seven levels down: in an entry, in a link's proof, in a ledger's evidence, in a document.
pub(crate) const MAX_DOCUMENT_DEPTH: usize = PAYLOAD_DEPTH + 8;

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
        let actual = canonical(&self.to_value()).len();
        if actual > bytes {
            return Err(ContentError::TooLarge { limit: bytes, actual });
        }
        Ok(())
    }

    /// The content as a JSON value, always an object.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match (Strict { depth: MAX_DEPTH }).deserialize(deserializer)? {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(de::Error::custom("expected an object")),
        }
    }
}

impl Payload {
    /// The payload, always an object.
    #[must_use]
    pub const fn as_value(&self) -> &Value {
        &self.0
    }

    /// The digest of the event: SHA-256 over the canonical payload without `seq`, as whoever signed was told it.
    #[must_use]
    pub fn derive_event_digest(&self) -> Hash {
        let mut event = self.0.clone();
        if let Some(members) = event.as_object_mut() {
            members.remove("seq");
        }
        sha256(&canonical(&event))
    }

    pub(crate) const fn new(object: Value) -> Self {
        Self(object)
    }

    /// Takes a value that was read strictly.
    ///
    /// # Errors
    /// [`Malformed`] for what is not an object, or nested too deeply.
    pub fn from_json(Json(value): Json) -> Result<Self, Malformed> {
        if !value.is_object() {
            return Err(Malformed::new(" is not an object"));
        }
        if !fits(&value, PAYLOAD_DEPTH) {
            return Err(Malformed::new(" is nested too deeply"));
        }
        Ok(Self(value))
    }
}

/// Whether a value has at most so many levels of arrays and objects.
fn fits(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| fits(item, depth - 1)),
        Value::Object(members) => depth > 0 && members.values().all(|member| fits(member, depth - 1)),
        _ => true,
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match (Strict { depth: PAYLOAD_DEPTH }).deserialize(deserializer)? {
            object @ Value::Object(_) => Ok(Self(object)),
            _ => Err(de::Error::custom("expected an object")),
        }
    }
}

impl serde::Serialize for Payload {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl serde::Serialize for Content {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Reads one value that may hold `depth` more levels of arrays and objects.
pub(crate) struct Strict {
    pub(crate) depth: usize,
}

impl Strict {
    fn descend<E: de::Error>(&self) -> Result<Self, E> {
        let depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| E::custom("nested too deeply: what a caller supplies has at most 8 levels"))?;
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON whose numbers are integers")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        if value > MAX_INTEGER {
            return Err(E::custom("an integer beyond 2^53 - 1"));
        }
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > MAX_INTEGER {
            return Err(E::custom("an integer beyond -(2^53 - 1)"));
        }
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Value, E> {
        Err(E::custom("a number that is not an integer within ±(2^53 - 1); send it as a string"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.descend()?)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        let inner = self.descend::<A::Error>()?;
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(de::Error::custom("two members of one name"));
            }
            let value = map.next_value_seed(Strict { depth: inner.depth })?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
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
            assert_eq!(content.to_value(), serde_json::from_str::<Value>(harmless).unwrap());
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
