//! The ECDSA half over P-256 with SHA-256 (FIPS 186-5 §6): the one file that knows which engine computes it.

use p256::{
    AffinePoint,
    ecdsa::{Signature, SigningKey, VerifyingKey, signature::Signer, signature::Verifier},
    elliptic_curve::{point::AffineCoordinates, sec1::ToSec1Point},
};

use crate::Error;

/// Whether 32 bytes are a scalar in 1..n.
pub(crate) fn is_valid_secret(secret: &[u8; 32]) -> bool {
    SigningKey::from_slice(secret).is_ok()
}

/// Derives the uncompressed point, 65 bytes.
pub(crate) fn derive_public_key(secret: &[u8; 32]) -> Result<Vec<u8>, Error> {
    let key = SigningKey::from_slice(secret).map_err(|_| Error::InvalidSecret("P-256"))?;
    Ok(key.verifying_key().as_affine().to_sec1_point(false).as_bytes().to_vec())
}

/// Signs (RFC 6979, deterministic): r‖s, 64 bytes, with low s.
pub(crate) fn sign(secret: &[u8; 32], message: &[u8]) -> Result<[u8; 64], Error> {
    let key = SigningKey::from_slice(secret).map_err(|_| Error::InvalidSecret("P-256"))?;
    let signature: Signature = key.try_sign(message).map_err(|_| Error::Signing)?;
    Ok(signature.normalize_s().to_bytes().into())
}

/// Whether 65 bytes are an uncompressed point on the curve.
pub(crate) fn is_valid_public_key(public_key: &[u8]) -> bool {
    parse(public_key).is_some()
}

/// Verifies r‖s; high s is accepted, as the standards' own vectors need.
pub(crate) fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Some(public_key), Ok(signature)) = (parse(public_key), Signature::from_slice(signature)) else {
        return false;
    };
    public_key.verify(message, &signature).is_ok()
}

/// r‖s to a DER `Ecdsa-Sig-Value` (RFC 3279 §2.2.3).
pub(crate) fn to_der(signature: &[u8]) -> Result<Vec<u8>, Error> {
    let signature = Signature::from_slice(signature).map_err(|_| Error::EcdsaDer)?;
    Ok(signature.to_der().as_bytes().to_vec())
}

/// A DER `Ecdsa-Sig-Value` to r‖s; its s is kept as it is.
pub(crate) fn from_der(der: &[u8]) -> Result<[u8; 64], Error> {
    let signature = Signature::from_der(der).map_err(|_| Error::EcdsaDer)?;
    Ok(signature.to_bytes().into())
}

/// The same, with low s whatever it was.
pub(crate) fn from_der_with_low_s(der: &[u8]) -> Result<[u8; 64], Error> {
    let signature = Signature::from_der(der).map_err(|_| Error::EcdsaDer)?;
    Ok(signature.normalize_s().to_bytes().into())
}

/// r‖s with low s whatever it was.
pub(crate) fn from_raw_with_low_s(raw: &[u8]) -> Option<[u8; 64]> {
    Some(Signature::from_slice(raw).ok()?.normalize_s().to_bytes().into())
}

/// An uncompressed point (SEC 1 §2.3.4): 0x04, x, y.
fn parse(public_key: &[u8]) -> Option<VerifyingKey> {
    let (x, y) = public_key.strip_prefix(&[0x04])?.split_at_checked(32)?;
    let point = AffinePoint::from_coordinates(&x.try_into().ok()?, &y.try_into().ok()?);
    VerifyingKey::from_affine(point.into_option()?).ok()
}
