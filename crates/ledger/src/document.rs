//! How documents are read: first as JSON that every parser reads alike, then member by member.
//!
//! A derived reader for each of the twenty shapes would be a third of the verifier that browsers download, and would let
//! two members of one name pass in what it does not know. So there is one parser, [`Json::parse`], and readers of a few
//! lines.

use std::fmt;

use canonical_json::{Json, Object};

use crate::{
    Payload,
    hexes::{self, HexError},
    tree::Hash,
};

/// What the API's envelope holds; a document by itself is left as it is. No document has a member `success`.
#[must_use]
pub fn without_envelope(json: Json) -> Json {
    match json {
        Json::Object(mut members) if members.get("success").is_some() => {
            members.remove("data").unwrap_or_default()
        }
        document => document,
    }
}

/// A shape that documents have.
pub trait Document: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// [`Malformed`].
    fn read(members: &mut Members) -> Result<Self, Malformed>;

    /// Reads it from a value.
    ///
    /// # Errors
    /// [`Malformed`].
    fn from_json(json: Json) -> Result<Self, Malformed> {
        Self::read(&mut Members::of(json)?)
    }
}

/// What is not as the shape says, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    at: String,
    what: &'static str,
}

impl Malformed {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self { at: String::new(), what }
    }

    fn member(name: &str, what: &'static str) -> Self {
        Self::new(what).inside(name)
    }

    pub(crate) fn digest(name: &str) -> Self {
        Self::member(name, " is not a digest of 64 characters in lower-case hex")
    }

    fn inside(mut self, outer: &str) -> Self {
        if !self.at.is_empty() && !self.at.starts_with('[') {
            self.at.insert(0, '.');
        }
        self.at.insert_str(0, outer);
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.at.is_empty() { "the document" } else { &self.at };
        f.write_str(at)?;
        f.write_str(self.what)
    }
}

impl std::error::Error for Malformed {}

/// The members of an object, taken out one by one.
pub struct Members(Object);

impl Members {
    fn of(json: Json) -> Result<Self, Malformed> {
        match json {
            Json::Object(members) => Ok(Self(members)),
            _ => Err(Malformed::new(" is not an object")),
        }
    }

    fn take(&mut self, name: &str) -> Result<Json, Malformed> {
        self.optional(name).ok_or_else(|| Malformed::member(name, " is missing"))
    }

    /// A member that may be missing or null.
    pub(crate) fn optional(&mut self, name: &str) -> Option<Json> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<String, Malformed> {
        match self.take(name)? {
            Json::Text(text) => Ok(text),
            _ => Err(Malformed::member(name, " is not a string")),
        }
    }

    pub(crate) fn text_or_none(&mut self, name: &str) -> Result<Option<String>, Malformed> {
        match self.optional(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Malformed::member(name, " is not a string")),
        }
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<u64, Malformed> {
        self.take(name)?.as_u64().ok_or_else(|| Malformed::member(name, " is not an integer of 0 or more"))
    }

    pub(crate) fn digest(&mut self, name: &str) -> Result<Hash, Malformed> {
        hexes::parse(&self.text(name)?).map_err(|HexError| Malformed::digest(name))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Json>, Malformed> {
        match self.take(name)? {
            Json::Array(items) => Ok(items),
            _ => Err(Malformed::member(name, " is not an array")),
        }
    }

    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>, Malformed> {
        let mut texts = Vec::new();
        for item in self.list(name)? {
            let Json::Text(text) = item else {
                return Err(Malformed::member(name, " is not an array of strings"));
            };
            texts.push(text);
        }
        Ok(texts)
    }

    pub(crate) fn payload(&mut self, name: &str) -> Result<Payload, Malformed> {
        Payload::from_json(self.take(name)?).map_err(|why| why.inside(name))
    }

    pub(crate) fn one<T: Document>(&mut self, name: &str) -> Result<T, Malformed> {
        T::from_json(self.take(name)?).map_err(|why| why.inside(name))
    }

    pub(crate) fn one_or_none<T: Document>(&mut self, name: &str) -> Result<Option<T>, Malformed> {
        self.optional(name).map(|json| T::from_json(json).map_err(|why| why.inside(name))).transpose()
    }

    pub(crate) fn many<T: Document>(&mut self, name: &str) -> Result<Vec<T>, Malformed> {
        let mut read = Vec::new();
        for (index, item) in self.list(name)?.into_iter().enumerate() {
            let item = T::from_json(item);
            read.push(item.map_err(|why| why.inside(&format!("[{index}]")).inside(name))?);
        }
        Ok(read)
    }

    /// Refuses what is left.
    pub(crate) fn nothing_else(&self) -> Result<(), Malformed> {
        self.0
            .iter()
            .next()
            .map_or(Ok(()), |(name, _)| Err(Malformed::member(name, " is not a member that is known here")))
    }
}

/// Documents are read by serde through their readers.
macro_rules! deserialize_by_reading {
    ($($document:ty),* $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $document {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let json = canonical_json::Json::deserialize(deserializer)?;
                <Self as $crate::document::Document>::from_json(json).map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use deserialize_by_reading;
