//! Ed25519 by `ed25519-dalek`.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::Error;

/// A secret key with its public key, erased when dropped.
pub(crate) struct Key {
    key: SigningKey,
    public_key: [u8; 32],
}

impl Key {
    #[expect(clippy::unnecessary_wraps, reason = "another engine may have no memory")]
    pub(crate) fn from_secret(secret: &[u8; 32]) -> Result<Self, Error> {
        let key = SigningKey::from_bytes(secret);
        Ok(Self { public_key: key.verifying_key().to_bytes(), key })
    }

    pub(crate) const fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        Ok(self.key.try_sign(message).map_err(|_| Error::Signing)?.to_bytes())
    }
}

/// Cofactorless: R must be the bytes that the equation gives.
pub(crate) fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = public_key.try_into().ok().and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    let (Some(key), Ok(signature)) = (key, Signature::from_slice(signature)) else {
        return false;
    };
    key.verify_strict(message, &signature).is_ok()
}
