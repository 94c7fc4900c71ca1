//! Digests in JSON: 32 bytes in lower-case hex, and no other spelling of them.

use crate::tree::Hash;

/// Text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HexError;

pub(crate) fn parse(text: &str) -> Result<Hash, HexError> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).map_err(|_| HexError)?;
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) { Err(HexError) } else { Ok(hash) }
}

pub(crate) fn parse_all(texts: &[String]) -> Result<Vec<Hash>, HexError> {
    texts.iter().map(|text| parse(text)).collect()
}

/// A digest as a member of a document that is written.
pub(crate) fn serialize<S: serde::Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(hash))
}
