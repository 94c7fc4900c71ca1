//! The record tag: `0x01 || kekId(8) || HMAC-SHA256(K("record", org), JCS of what must not change on a key's row)`.

use serde_json::json;

use crate::{
    Error,
    custody::{CustodyError, KekId, RootKek},
    error::IntegrityFault,
    store::KeyRecord,
};

/// A tag's length in bytes.
pub const RECORD_TAG_LEN: usize = 1 + 8 + MAC_LEN;

/// A tag, well-formed: 41 bytes that begin with the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordTag([u8; RECORD_TAG_LEN]);

impl RecordTag {
    /// Puts a tag together.
    #[must_use]
    pub fn assemble(kek: KekId, mac: &[u8; MAC_LEN]) -> Self {
        let mut bytes = [VERSION; RECORD_TAG_LEN];
        bytes[1..9].copy_from_slice(&kek.0);
        bytes[9..].copy_from_slice(mac);
        Self(bytes)
    }

    /// Reads a stored tag; `None` for another length or version.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; RECORD_TAG_LEN] = bytes.try_into().ok()?;
        (bytes[0] == VERSION).then_some(Self(bytes))
    }

    /// The stored form.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; RECORD_TAG_LEN] {
        &self.0
    }

    /// The key-encryption key that it was made under.
    #[must_use]
    pub fn kek(&self) -> KekId {
        let mut id = [0; 8];
        id.copy_from_slice(&self.0[1..9]);
        KekId(id)
    }

    /// HMAC-SHA256, 32 bytes.
    #[must_use]
    pub fn mac(&self) -> &[u8] {
        &self.0[9..]
    }
}

/// What a tag is made over. A key's name, metadata and times are not part of it; whatever decides what is signed, and with
/// what, is.
#[must_use]
pub fn tagged_bytes(record: &KeyRecord) -> Vec<u8> {
    let kek = record.kek.as_ref();
    ledger::canonical(&json!({
        "alg": record.public_key.algorithm(),
        "classicalKeyId": record.classical.key_id,
        "fingerprint": hex::encode(record.public_key.fingerprint()),
        "kekKeyId": kek.and_then(|kek| kek.wrapped.kek_key_id.as_deref()),
        "kekProvider": kek.map(|kek| kek.provider),
        "key": record.id.as_str(),
        "keyProvider": record.classical.provider,
        "kind": record.kind.name(),
        "org": record.org.as_str(),
        "pqKeyId": record.pq.key_id,
        "pqProvider": record.pq.provider,
        "v": 1,
        "wrappedSha256": kek.map(|kek| hex::encode(ledger::sha256(&kek.wrapped.bytes))),
    }))
}

/// Refuses a record that the vault did not write. It comes before any unwrapping and before any remote call.
///
/// # Errors
/// [`Error::KeyIntegrity`].
pub async fn check(root: &dyn RootKek, record: &KeyRecord) -> Result<(), Error> {
    let refuse = |fault| Err(Error::integrity(&record.id, fault));
    let Some(tag) = &record.tag else {
        return refuse(IntegrityFault::NoTag);
    };
    match root.check(&record.org, &tagged_bytes(record), tag).await {
        Ok(true) => Ok(()),
        Ok(false) => refuse(IntegrityFault::Tag),
        Err(error) => Err(custody_error(record, error, IntegrityFault::Tag)),
    }
}

/// A custody failure on a key's stored bytes is a fault of the bytes, unless the provider failed on its own.
pub(crate) fn custody_error(record: &KeyRecord, error: CustodyError, not_authentic: IntegrityFault) -> Error {
    let fault = match error {
        CustodyError::UnknownKek(kek) => IntegrityFault::UnknownKek(kek.to_string()),
        CustodyError::NotAuthentic | CustodyError::OtherPublicKey => not_authentic,
        error => return Error::from(error),
    };
    Error::integrity(&record.id, fault)
}

const VERSION: u8 = 0x01;
const MAC_LEN: usize = 32;
