//! JSON that every parser reads alike, and its canonical form.
//!
//! Two parsers that disagree about a document would compute two hashes of it. So [`Json::parse`] refuses whatever parsers
//! are known to disagree about: numbers that are not integers within ±(2^53 − 1), two members of one name, lone surrogates,
//! deep nesting. What is left has one canonical form (RFC 8785), [`Json::to_canonical`]: its members are kept in that order.
//!
//! It is a part of the verifier that browsers download, so it is small: a general library, with its floating-point numbers
//! and its readers and maps made anew for each type, was a third of that verifier.
//!
//! Out of scope: what documents mean.

mod object;
mod parse;
mod serde_impls;
mod write;

pub use object::Object;
pub use parse::{JsonError, MAX_DEPTH};

/// The largest integer that every JSON implementation keeps exactly (RFC 7493 §2.2): 2^53 − 1.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Json {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer, within ±[`MAX_INTEGER`].
    Integer(i64),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Object),
}

impl Json {
    /// An object of these members.
    pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let mut object = Object::default();
        for (name, value) in members {
            object.insert(name, value);
        }
        Self::Object(object)
    }

    /// A member of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// The members, of an object.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The text, of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, of an integer of 0 or more.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Integer(integer) => u64::try_from(*integer).ok(),
            _ => None,
        }
    }

    /// The truth value.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// Whether this is `null`.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it has at most so many levels of arrays and objects.
    #[must_use]
    pub fn is_within_depth(&self, levels: usize) -> bool {
        match self {
            Self::Array(items) => levels > 0 && items.iter().all(|item| item.is_within_depth(levels - 1)),
            Self::Object(members) => {
                levels > 0 && members.iter().all(|(_, member)| member.is_within_depth(levels - 1))
            }
            _ => true,
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<u64> for Json {
    /// A number beyond [`MAX_INTEGER`] is no more written than any other such.
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<Vec<Self>> for Json {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}

impl<T: Into<Self>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
