//! The record tag: `0x01 || kekId(8) || HMAC-SHA256(K("record", org), JCS of what must not change on a key's row)`.

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

/// The first 8 bytes of SHA-256 over a fixed prefix and the key-encryption key; it gives nothing of the key away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KekId(pub [u8; 8]);

impl std::fmt::Display for KekId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

const VERSION: u8 = 0x01;
const MAC_LEN: usize = 32;
