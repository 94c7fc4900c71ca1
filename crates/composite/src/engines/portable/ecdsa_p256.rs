//! ECDSA over P-256 with SHA-256 by `p256`.

use p256::{
    ecdsa::{Signature, SigningKey, VerifyingKey, signature::Signer, signature::Verifier},
    elliptic_curve::sec1::ToSec1Point,
};

use crate::Error;

/// A scalar with its point, erased when dropped.
pub(crate) struct Key {
    key: SigningKey,
    public_key: Vec<u8>,
}

impl Key {
    pub(crate) fn from_secret(secret: &[u8; 32]) -> Result<Self, Error> {
        let key = SigningKey::from_slice(secret).map_err(|_| Error::InvalidSecret("P-256"))?;
        let public_key = key.verifying_key().as_affine().to_sec1_point(false).as_bytes().to_vec();
        Ok(Self { key, public_key })
    }

    pub(crate) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// r‖s, of either s; the nonce is RFC 6979's.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        let signature: Signature = self.key.try_sign(message).map_err(|_| Error::Signing)?;
        Ok(signature.to_bytes().into())
    }
}

/// Verifies r‖s, of either s, under an uncompressed point.
pub(crate) fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) =
        (VerifyingKey::from_sec1_bytes(public_key), Signature::from_slice(signature))
    else {
        return false;
    };
    key.verify(message, &signature).is_ok()
}
