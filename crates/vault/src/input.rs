//! What callers send to be signed or checked, and the limits on what they name and note.

use composite::{Algorithm, Context, Prehash};
use ledger::Content;

use crate::{Error, encoding::Base64};

/// A payload's limit in bytes, 4 MiB: with base64 it stays under the 6 MB that a function may be called with.
pub const MAX_PAYLOAD: usize = 4 * 1024 * 1024;

/// A name's limit in characters.
pub const MAX_NAME: usize = 128;

/// Metadata's limits: members, and bytes in canonical JSON.
pub const MAX_METADATA: (usize, usize) = (16, 1024);

/// A payload, or a digest in its place.
pub struct Message {
    content: Signed,
    /// SHA-256 of the payload in lower-case hex; `None` for a digest, and never taken from a caller.
    pub payload_sha256: Option<String>,
    /// The payload's size in bytes; `None` for a digest.
    pub payload_size: Option<usize>,
}

enum Signed {
    Payload(Vec<u8>),
    /// Of a length that only the key's algorithm can judge.
    Prehash(Vec<u8>),
}

impl Message {
    /// Takes exactly one of the two; a payload has at most [`MAX_PAYLOAD`] bytes.
    ///
    /// # Errors
    /// [`Error::Invalid`] for both or neither, [`Error::PayloadTooLarge`].
    pub fn new(payload: Option<Base64>, prehash: Option<Base64>) -> Result<Self, Error> {
        match (payload, prehash) {
            (Some(Base64(payload)), None) if payload.len() > MAX_PAYLOAD => {
                Err(Error::PayloadTooLarge { limit: MAX_PAYLOAD })
            }
            (Some(Base64(payload)), None) => Ok(Self {
                payload_sha256: Some(hex::encode(ledger::sha256(&payload))),
                payload_size: Some(payload.len()),
                content: Signed::Payload(payload),
            }),
            (None, Some(Base64(prehash))) => {
                Ok(Self { payload_sha256: None, payload_size: None, content: Signed::Prehash(prehash) })
            }
            (Some(_), Some(_)) => {
                Err(Error::invalid("prehash", "send either `payload` or `prehash`, not both"))
            }
            (None, None) => Err(Error::invalid("payload", "send `payload`, or its digest as `prehash`")),
        }
    }

    /// What M' holds of it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a prehash that has not the length of the algorithm's hash.
    pub fn derive_prehash(&self, algorithm: Algorithm) -> Result<Prehash, Error> {
        match &self.content {
            Signed::Payload(payload) => Ok(Prehash::derive(algorithm, payload)),
            Signed::Prehash(digest) => {
                Prehash::from_bytes(algorithm, digest).map_err(|e| Error::invalid("prehash", e))
            }
        }
    }
}

/// A context of any bytes, as verification takes it.
///
/// # Errors
/// [`Error::Invalid`] over 255 bytes.
pub fn context(bytes: Option<Base64>) -> Result<Context, Error> {
    Context::new(bytes.unwrap_or_default().0).map_err(|e| Error::invalid("context", e))
}

/// SHA-256 of a request's raw body, by which a retry is told from another request.
#[must_use]
pub fn body_digest(body: &[u8]) -> [u8; 32] {
    ledger::sha256(body)
}

/// How many items a page has.
///
/// # Errors
/// [`Error::Invalid`] for none, or more than `max`.
pub fn page_size(limit: Option<u32>, default: usize, max: usize) -> Result<usize, Error> {
    match limit.map(usize::try_from) {
        None => Ok(default),
        Some(Ok(limit)) if (1..=max).contains(&limit) => Ok(limit),
        Some(_) => Err(Error::invalid("limit", format_args!("a page has 1 to {max} items"))),
    }
}

/// A cursor is opaque to callers; to us it is where the next page begins.
///
/// # Errors
/// [`Error::Invalid`] for one that the vault did not give.
pub fn cursor<T: std::str::FromStr>(cursor: Option<&str>) -> Result<Option<T>, Error> {
    let refuse = || Error::invalid("cursor", "send the `nextCursor` of the page before, unchanged");
    cursor.map(|cursor| cursor.parse().map_err(|_| refuse())).transpose()
}

/// A name of 1 to 128 characters without control characters.
///
/// # Errors
/// [`Error::Invalid`].
pub fn name(name: &str) -> Result<(), Error> {
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME || name.chars().any(char::is_control) {
        let reason = format!("a name has 1 to {MAX_NAME} characters, none of them a control character");
        return Err(Error::invalid("name", reason));
    }
    Ok(())
}

/// Metadata of at most 16 members and 1 KiB.
///
/// # Errors
/// [`Error::Invalid`].
pub fn metadata(metadata: &Content) -> Result<(), Error> {
    let (members, bytes) = MAX_METADATA;
    metadata.check_size(members, bytes).map_err(|e| Error::invalid("metadata", e))
}
