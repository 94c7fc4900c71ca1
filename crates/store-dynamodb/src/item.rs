//! Items: written attribute by attribute, and read by the name of the first that the vault would not have written.

use std::{collections::HashMap, str::FromStr};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use vault::Timestamp;

/// The attributes of an item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// An item that is not what the vault would have written, by its first such attribute.
pub(crate) type Corrupt = &'static str;

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn bytes(value: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

pub(crate) fn flag(value: bool) -> AttributeValue {
    AttributeValue::Bool(value)
}

pub(crate) fn time(value: Timestamp) -> AttributeValue {
    number(value.as_millis())
}

/// Puts an attribute on an item; what is absent is no attribute.
pub(crate) fn set(item: &mut Item, name: &str, value: impl Into<Option<AttributeValue>>) {
    if let Some(value) = value.into() {
        item.insert(name.to_owned(), value);
    }
}

/// Reads a text.
pub(crate) fn get(item: &Item, name: Corrupt) -> Result<&str, Corrupt> {
    find(item, name)?.ok_or(name)
}

/// Reads a text that may be absent.
pub(crate) fn find(item: &Item, name: Corrupt) -> Result<Option<&str>, Corrupt> {
    item.get(name).map(|value| value.as_s().map(String::as_str).map_err(|_| name)).transpose()
}

/// Reads what a text says.
pub(crate) fn parsed<T: FromStr>(item: &Item, name: Corrupt) -> Result<T, Corrupt> {
    get(item, name)?.parse().map_err(|_| name)
}

/// Reads what a text says that may be absent.
pub(crate) fn parsed_or_none<T: FromStr>(item: &Item, name: Corrupt) -> Result<Option<T>, Corrupt> {
    find(item, name)?.map(|text| text.parse().map_err(|_| name)).transpose()
}

/// Reads JSON in a text.
pub(crate) fn json<T: serde::de::DeserializeOwned>(item: &Item, name: Corrupt) -> Result<T, Corrupt> {
    serde_json::from_str(get(item, name)?).map_err(|_| name)
}

/// Reads an integer of 0 or more.
pub(crate) fn count(item: &Item, name: Corrupt) -> Result<u64, Corrupt> {
    count_or_none(item, name)?.ok_or(name)
}

/// Reads an integer of 0 or more that may be absent.
pub(crate) fn count_or_none(item: &Item, name: Corrupt) -> Result<Option<u64>, Corrupt> {
    item.get(name).map(|value| value.as_n().ok().and_then(|n| n.parse().ok()).ok_or(name)).transpose()
}

/// Reads integers of 0 or more.
pub(crate) fn counts(item: &Item, name: Corrupt) -> Result<Vec<u64>, Corrupt> {
    let list = item.get(name).and_then(|value| value.as_l().ok()).ok_or(name)?;
    list.iter().map(|value| value.as_n().ok().and_then(|n| n.parse().ok()).ok_or(name)).collect()
}

/// Reads bytes.
pub(crate) fn blob(item: &Item, name: Corrupt) -> Result<&[u8], Corrupt> {
    blob_or_none(item, name)?.ok_or(name)
}

/// Reads bytes that may be absent.
pub(crate) fn blob_or_none(item: &Item, name: Corrupt) -> Result<Option<&[u8]>, Corrupt> {
    item.get(name).map(|value| value.as_b().map(AsRef::as_ref).map_err(|_| name)).transpose()
}

/// Reads bytes of a fixed length.
pub(crate) fn array<const N: usize>(item: &Item, name: Corrupt) -> Result<[u8; N], Corrupt> {
    blob(item, name)?.try_into().map_err(|_| name)
}

/// Reads yes or no.
pub(crate) fn is(item: &Item, name: Corrupt) -> Result<bool, Corrupt> {
    item.get(name).and_then(|value| value.as_bool().ok()).copied().ok_or(name)
}

/// Reads a moment that may be absent.
pub(crate) fn moment_or_none(item: &Item, name: Corrupt) -> Result<Option<Timestamp>, Corrupt> {
    count_or_none(item, name)?.map(|millis| Timestamp::from_millis(millis).ok_or(name)).transpose()
}

/// Reads a moment.
pub(crate) fn moment(item: &Item, name: Corrupt) -> Result<Timestamp, Corrupt> {
    moment_or_none(item, name)?.ok_or(name)
}
