//! Ids: a prefix and a lower-case ULID, so that they sort by creation time.

use std::{
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use ulid::Ulid;

use crate::{Timestamp, random};

/// What an id names. The prefix keeps an id of one kind from being taken for another's.
pub trait Kind {
    /// The letters before the underscore.
    const PREFIX: &'static str;
}

/// An id of one kind: its prefix, `_`, and 26 characters.
pub struct Id<K> {
    text: String,
    kind: PhantomData<fn() -> K>,
}

/// A string that is no id of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is `{prefix}_` and a lower-case ULID")]
pub struct IdError {
    prefix: &'static str,
}

impl<K: Kind> Id<K> {
    /// Makes an id of this moment with 80 random bits.
    ///
    /// # Errors
    /// [`random::Unavailable`] where the system has no random bytes.
    pub fn generate(now: Timestamp) -> Result<Self, random::Unavailable> {
        let mut wide = [0; 16];
        wide[6..].copy_from_slice(&random::generate::<10>()?);
        let ulid = Ulid::from_parts(now.as_millis(), u128::from_be_bytes(wide));
        Ok(Self { text: format!("{}_{}", K::PREFIX, ulid.to_string().to_lowercase()), kind: PhantomData })
    }
}

impl<K> Id<K> {
    /// When it was made.
    #[must_use]
    pub fn made_at(&self) -> Timestamp {
        let ulid = self.as_str().rsplit('_').next().unwrap_or_default();
        let millis = Ulid::from_string(&ulid.to_ascii_uppercase()).map(|ulid| ulid.timestamp_ms());
        // An id is checked when it is read, and a timestamp's 48 bits are never beyond what RFC 3339 can write by far.
        millis.ok().and_then(Timestamp::from_millis).unwrap_or_else(Timestamp::now)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { prefix: K::PREFIX };
        let ulid = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_')).ok_or(error)?;
        let canonical = Ulid::from_string(ulid).map_err(|_| error)?.to_string().to_lowercase();
        if canonical != ulid {
            return Err(error);
        }
        Ok(Self { text: text.to_owned(), kind: PhantomData })
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), kind: PhantomData }
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<K> Eq for Id<K> {}

impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `org_…`
pub type OrgId = Id<Org>;
/// `key_…`
pub type KeyId = Id<Key>;
/// `evt_…`
pub type EventId = Id<Event>;
/// `apk_…`
pub type TokenId = Id<Token>;
/// `pol_…`
pub type PolicyId = Id<Policy>;
/// `cpt_…`
pub type CheckpointId = Id<Checkpoint>;
/// `req_…`
pub type RequestId = Id<Request>;

/// An organisation.
pub enum Org {}
/// A hybrid key.
pub enum Key {}
/// An event of the ledger.
pub enum Event {}
/// An API token.
pub enum Token {}
/// A policy.
pub enum Policy {}
/// A checkpoint of the ledger.
pub enum Checkpoint {}
/// One request.
pub enum Request {}

impl Kind for Org {
    const PREFIX: &'static str = "org";
}
impl Kind for Key {
    const PREFIX: &'static str = "key";
}
impl Kind for Event {
    const PREFIX: &'static str = "evt";
}
impl Kind for Token {
    const PREFIX: &'static str = "apk";
}
impl Kind for Policy {
    const PREFIX: &'static str = "pol";
}
impl Kind for Checkpoint {
    const PREFIX: &'static str = "cpt";
}
impl Kind for Request {
    const PREFIX: &'static str = "req";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_parses_back_and_sorts_by_time() {
        let early = KeyId::generate(Timestamp::from_millis(1).unwrap()).unwrap();
        let late = KeyId::generate(Timestamp::from_millis(2).unwrap()).unwrap();
        assert!(early < late);
        assert_eq!(early.as_str().parse(), Ok(early.clone()));
        assert_eq!(early.as_str().len(), 30);
    }

    #[test]
    fn another_spelling_is_no_id() {
        let id = KeyId::generate(Timestamp::now()).unwrap();
        for wrong in [
            id.as_str().to_uppercase(),
            id.as_str().replace("key_", "org_"),
            id.as_str().replace("key_", ""),
            format!("{id}0"),
            "key_8zzzzzzzzzzzzzzzzzzzzzzzzz".to_owned(),
            String::new(),
        ] {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
    }
}
