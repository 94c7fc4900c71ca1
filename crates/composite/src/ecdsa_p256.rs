//! The ECDSA half over P-256 with SHA-256 (FIPS 186-5 §6), and its encodings, whichever engine computes it.

use p256::{AffinePoint, ecdsa::Signature, elliptic_curve::point::AffineCoordinates};

use crate::{Error, engines::ecdsa_p256 as engine};

/// A scalar in 1..n with its point, erased when dropped.
pub(crate) struct Key(engine::Key);

impl Key {
    pub(crate) fn from_secret(secret: &[u8; 32]) -> Result<Self, Error> {
        engine::Key::from_secret(secret).map(Self)
    }

    /// The uncompressed point, 65 bytes.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    /// Signs: r‖s, 64 bytes, with low s.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], Error> {
        from_raw_with_low_s(&self.0.sign(message)?).ok_or(Error::Signing)
    }
}

/// Whether 65 bytes are an uncompressed point on the curve (SEC 1 §2.3.4): 0x04, x, y.
pub(crate) fn is_valid_public_key(public_key: &[u8]) -> bool {
    let Some((x, y)) = public_key.strip_prefix(&[0x04]).and_then(|rest| rest.split_at_checked(32)) else {
        return false;
    };
    let (Ok(x), Ok(y)) = (x.try_into(), y.try_into()) else {
        return false;
    };
    AffinePoint::from_coordinates(&x, &y).is_some().into()
}

/// Verifies r‖s under an uncompressed point; high s is accepted, as the standards' own vectors need.
pub(crate) fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let uncompressed = public_key.len() == 65 && public_key.first() == Some(&0x04);
    uncompressed && engine::verify(public_key, message, signature)
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
