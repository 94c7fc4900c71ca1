//! SubjectPublicKeyInfo exports (RFC 5280 §4.1.2.7; draft-ietf-lamps-pq-composite-sigs-19 §5.1).

use ::spki::{
    AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned,
    der::{Any, EncodePem, asn1::BitString, pem::LineEnding},
};

use crate::{ClassicalAlgorithm, Error, PublicKey};

/// The composite key under its own object identifier: `mldsaPK || tradPK` in one BIT STRING.
///
/// # Errors
/// [`Error::NoStandardEncoding`] for the algorithms under a vendor label.
pub fn composite_spki_pem(key: &PublicKey) -> Result<String, Error> {
    let oid = key.algorithm().oid().ok_or(Error::NoStandardEncoding(key.algorithm()))?;
    encode(key, oid, None, &[key.pq(), key.classical()].concat())
}

/// The ML-DSA half alone, to compare with what a key service shows. A half alone verifies nothing of this product's.
///
/// # Errors
/// None for a key that was parsed.
pub fn pq_spki_pem(key: &PublicKey) -> Result<String, Error> {
    encode(key, key.algorithm().pq().oid(), None, key.pq())
}

/// The classical half alone, to compare with what a key service shows. A half alone verifies nothing of this product's.
///
/// # Errors
/// None for a key that was parsed.
pub fn classical_spki_pem(key: &PublicKey) -> Result<String, Error> {
    match key.algorithm().classical() {
        // RFC 8410 §3
        ClassicalAlgorithm::Ed25519 => encode(key, "1.3.101.112", None, key.classical()),
        // RFC 5480 §2.1.1: id-ecPublicKey with the curve as its parameter
        ClassicalAlgorithm::EcdsaP256 => {
            encode(key, "1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7"), key.classical())
        }
    }
}

fn encode(key: &PublicKey, oid: &str, parameter: Option<&str>, public_key: &[u8]) -> Result<String, Error> {
    let build = || -> ::spki::der::Result<String> {
        let oid = ::spki::ObjectIdentifier::new(oid)?;
        let parameters =
            parameter.map(|p| Any::encode_from(&::spki::ObjectIdentifier::new(p)?)).transpose()?;
        SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned { oid, parameters },
            subject_public_key: BitString::from_bytes(public_key)?,
        }
        .to_pem(LineEnding::LF)
    };
    build().map_err(|_| Error::NoStandardEncoding(key.algorithm()))
}
