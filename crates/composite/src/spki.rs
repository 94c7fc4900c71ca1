//! SubjectPublicKeyInfo, written and read (RFC 5280 §4.1.2.7; draft-ietf-lamps-pq-composite-sigs-19 §5.1).

use ::spki::{
    AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef,
    der::{Any, Document, EncodePem, asn1::BitString, pem::LineEnding},
};

use crate::{ClassicalAlgorithm, Error, MlDsaSet, PublicKey};

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
    let (oid, parameter) = classical_oids(key.algorithm().classical());
    encode(key, oid, parameter, key.classical())
}

/// The classical public key in a DER SubjectPublicKeyInfo, as key services answer it; `None` for another algorithm's.
#[must_use]
pub fn classical_from_spki(algorithm: ClassicalAlgorithm, der: &[u8]) -> Option<Vec<u8>> {
    let (oid, parameter) = classical_oids(algorithm);
    decode(der, oid, parameter)
}

/// The same in PEM (RFC 7468 §13).
#[must_use]
pub fn classical_from_spki_pem(algorithm: ClassicalAlgorithm, pem: &str) -> Option<Vec<u8>> {
    let (label, der) = Document::from_pem(pem).ok()?;
    (label == "PUBLIC KEY").then(|| classical_from_spki(algorithm, der.as_bytes())).flatten()
}

/// The ML-DSA public key in a DER SubjectPublicKeyInfo; `None` for another parameter set's.
#[must_use]
pub fn pq_from_spki(set: MlDsaSet, der: &[u8]) -> Option<Vec<u8>> {
    decode(der, set.oid(), None)
}

/// An algorithm's object identifier and, where it has one, its parameter's.
const fn classical_oids(algorithm: ClassicalAlgorithm) -> (&'static str, Option<&'static str>) {
    match algorithm {
        // RFC 8410 §3
        ClassicalAlgorithm::Ed25519 => ("1.3.101.112", None),
        // RFC 5480 §2.1.1: id-ecPublicKey with the curve as its parameter
        ClassicalAlgorithm::EcdsaP256 => ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")),
    }
}

fn decode(der: &[u8], oid: &str, parameter: Option<&str>) -> Option<Vec<u8>> {
    let spki = SubjectPublicKeyInfoRef::try_from(der).ok()?;
    let parameter = parameter.map(ObjectIdentifier::new).transpose().ok()?;
    let fits = spki.algorithm.oid == ObjectIdentifier::new(oid).ok()?
        && spki.algorithm.parameters_oid().ok() == parameter;
    fits.then(|| spki.subject_public_key.as_bytes().map(<[u8]>::to_vec)).flatten()
}

fn encode(key: &PublicKey, oid: &str, parameter: Option<&str>, public_key: &[u8]) -> Result<String, Error> {
    let build = || -> ::spki::der::Result<String> {
        let oid = ObjectIdentifier::new(oid)?;
        let parameters = parameter.map(|p| Any::encode_from(&ObjectIdentifier::new(p)?)).transpose()?;
        SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned { oid, parameters },
            subject_public_key: BitString::from_bytes(public_key)?,
        }
        .to_pem(LineEnding::LF)
    };
    build().map_err(|_| Error::NoStandardEncoding(key.algorithm()))
}
