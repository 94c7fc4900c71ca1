//! Sealed private keys: `0x01 || nonce(12) || AES-256-GCM(DEK, nonce, secret, aad)` with a tag of 16 bytes.

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use composite::{PublicKey, SECRET_LEN};
use ledger::Json;
use zeroize::Zeroizing;

use crate::{
    custody::{CustodyError, Dek, HalfSecret, Subject},
    random,
    store::KeyKind,
};

/// Which half of a hybrid key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HalfName {
    /// The ML-DSA half: its seed.
    Pq,
    /// The classical half: its secret key.
    Classical,
}

impl HalfName {
    /// The name in formats and stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pq => "pq",
            Self::Classical => "classical",
        }
    }
}

/// What a seal is bound to: it opens for no other key, half, organisation, kind, algorithm or public key.
#[derive(Debug, Clone, Copy)]
pub struct SealContext<'a> {
    /// The organisation and the key.
    pub subject: Subject<'a>,
    /// The key's kind.
    pub kind: KeyKind,
    /// The key's public key, which brings its algorithm and its fingerprint.
    pub public_key: &'a PublicKey,
    /// The half.
    pub half: HalfName,
}

/// A seal's length in bytes: version, nonce, secret, tag.
pub const SEALED_LEN: usize = 1 + NONCE_LEN + SECRET_LEN + TAG_LEN;

/// Seals a half's secret under the key's data key.
///
/// # Errors
/// [`CustodyError::Random`] where there is no nonce to be had.
pub fn seal(dek: &Dek, context: SealContext<'_>, secret: &HalfSecret) -> Result<Vec<u8>, CustodyError> {
    let mut sealed = vec![VERSION];
    sealed.extend(encrypt(&dek.0, &context.aad(), secret.0.as_slice())?);
    Ok(sealed)
}

/// Opens a seal; `None` for anything that [`seal`] did not write for this key and half.
#[must_use]
pub fn open(dek: &Dek, context: SealContext<'_>, sealed: &[u8]) -> Option<HalfSecret> {
    let (&VERSION, body) = sealed.split_first()? else {
        return None;
    };
    secret_from(&decrypt(&dek.0, &context.aad(), body)?).map(HalfSecret)
}

impl SealContext<'_> {
    fn aad(&self) -> Vec<u8> {
        let bound = Json::object([
            ("alg", self.public_key.algorithm().name().into()),
            ("fingerprint", hex::encode(self.public_key.fingerprint()).into()),
            ("half", self.half.name().into()),
            ("key", self.subject.key.as_str().into()),
            ("kind", self.kind.name().into()),
            ("org", self.subject.org.as_str().into()),
            ("v", 1.into()),
        ]);
        bound.to_canonical().into_bytes()
    }
}

/// AES-256-GCM with a random nonce: `nonce(12) || ciphertext || tag(16)`.
///
/// A data key encrypts two secrets in its life and a key-encryption key at most one data key per hybrid key, far below the
/// 2^32 random nonces of SP 800-38D §8.3.
///
/// # Errors
/// [`CustodyError::Random`] where there is no nonce to be had.
pub fn encrypt(key: &[u8; 32], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CustodyError> {
    let nonce = random::generate::<NONCE_LEN>()?;
    let mut out = nonce.to_vec();
    // AES-GCM refuses only messages of 2^36 bytes and more.
    let ciphertext = Aes256Gcm::new(key.into())
        .encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad })
        .map_err(|_| CustodyError::Primitive("AES-GCM"))?;
    out.extend(ciphertext);
    Ok(out)
}

/// Opens what [`encrypt`] wrote; `None` for anything else.
#[must_use]
pub fn decrypt(key: &[u8; 32], aad: &[u8], bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = bytes.split_at_checked(NONCE_LEN)?;
    let nonce: [u8; NONCE_LEN] = nonce.try_into().ok()?;
    Aes256Gcm::new(key.into())
        .decrypt(&Nonce::from(nonce), Payload { msg: ciphertext, aad })
        .ok()
        .map(Zeroizing::new)
}

/// 32 opened bytes, moved to where they are erased; `None` for another number of them.
#[must_use]
pub fn secret_from(opened: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    if opened.len() != 32 {
        return None;
    }
    let mut secret = Zeroizing::new([0; 32]);
    secret.copy_from_slice(opened);
    Some(secret)
}

const VERSION: u8 = 0x01;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
