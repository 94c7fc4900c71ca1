//! The six algorithms in one table (draft-ietf-lamps-pq-composite-sigs-19 §6, and two vendor labels).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Error;

/// A composite algorithm. The first four are the draft's, with its object identifiers; the ML-DSA-87 pairs follow the same
/// construction under labels of this vault ([`Algorithm::is_standard`] is false for them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Algorithm {
    /// `mldsa44+ed25519`, id-MLDSA44-Ed25519-SHA512.
    MlDsa44Ed25519,
    /// `mldsa44+ecdsa-p256`, id-MLDSA44-ECDSA-P256-SHA256.
    MlDsa44EcdsaP256,
    /// `mldsa65+ecdsa-p256`, id-MLDSA65-ECDSA-P256-SHA512.
    MlDsa65EcdsaP256,
    /// `mldsa65+ed25519`, id-MLDSA65-Ed25519-SHA512: the default.
    MlDsa65Ed25519,
    /// `mldsa87+ed25519`, under a vendor label.
    MlDsa87Ed25519,
    /// `mldsa87+ecdsa-p256`, under a vendor label.
    MlDsa87EcdsaP256,
}

/// An ML-DSA parameter set (FIPS 204 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MlDsaSet {
    /// ML-DSA-44, security category 2.
    MlDsa44,
    /// ML-DSA-65, security category 3.
    MlDsa65,
    /// ML-DSA-87, security category 5.
    MlDsa87,
}

/// The classical half of a composite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClassicalAlgorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA over P-256 with SHA-256 (FIPS 186-5).
    EcdsaP256,
}

/// The hash PH that stands for the payload in M'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl Algorithm {
    /// All six, in the order of the table in the format's description.
    pub const ALL: [Self; 6] = [
        Self::MlDsa44Ed25519,
        Self::MlDsa44EcdsaP256,
        Self::MlDsa65EcdsaP256,
        Self::MlDsa65Ed25519,
        Self::MlDsa87Ed25519,
        Self::MlDsa87EcdsaP256,
    ];
    /// What a key is made of when its creator does not say.
    pub const DEFAULT: Self = Self::MlDsa65Ed25519;
    pub(crate) const NAMES: [&'static str; 6] = {
        let mut names = [""; 6];
        let mut i = 0;
        #[expect(
            clippy::indexing_slicing,
            reason = "evaluated by the compiler, over two arrays of one length"
        )]
        while i < 6 {
            names[i] = Self::ALL[i].name();
            i += 1;
        }
        names
    };

    /// The name that API, SDK and CLI use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The signature label: the domain separator in M' and the context string of the ML-DSA half.
    #[must_use]
    pub const fn label(self) -> &'static str {
        self.row().label
    }

    /// The ML-DSA parameter set of the post-quantum half.
    #[must_use]
    pub const fn pq(self) -> MlDsaSet {
        self.row().pq
    }

    /// The algorithm of the classical half.
    #[must_use]
    pub const fn classical(self) -> ClassicalAlgorithm {
        self.row().classical
    }

    /// The hash that stands for the payload in M'.
    #[must_use]
    pub const fn prehash(self) -> HashAlgorithm {
        self.row().prehash
    }

    /// The object identifier, for the four algorithms that have one.
    #[must_use]
    pub const fn oid(self) -> Option<&'static str> {
        self.row().oid
    }

    /// Whether the algorithm is one of the draft's. The others carry a vendor label and have no object identifier.
    #[must_use]
    pub const fn is_standard(self) -> bool {
        self.oid().is_some()
    }

    /// Length of a composite signature in the raw encoding: ML-DSA, then 64 bytes.
    #[must_use]
    pub const fn signature_len(self) -> usize {
        self.pq().signature_len() + crate::CLASSICAL_SIGNATURE_LEN
    }

    const fn row(self) -> Row {
        use ClassicalAlgorithm::{EcdsaP256, Ed25519};
        use HashAlgorithm::{Sha256, Sha512};
        use MlDsaSet::{MlDsa44, MlDsa65, MlDsa87};
        match self {
            Self::MlDsa44Ed25519 => Row {
                name: "mldsa44+ed25519",
                label: "COMPSIG-MLDSA44-Ed25519-SHA512",
                pq: MlDsa44,
                classical: Ed25519,
                prehash: Sha512,
                oid: Some("1.3.6.1.5.5.7.6.39"),
            },
            Self::MlDsa44EcdsaP256 => Row {
                name: "mldsa44+ecdsa-p256",
                label: "COMPSIG-MLDSA44-ECDSA-P256-SHA256",
                pq: MlDsa44,
                classical: EcdsaP256,
                prehash: Sha256,
                oid: Some("1.3.6.1.5.5.7.6.40"),
            },
            Self::MlDsa65EcdsaP256 => Row {
                name: "mldsa65+ecdsa-p256",
                label: "COMPSIG-MLDSA65-ECDSA-P256-SHA512",
                pq: MlDsa65,
                classical: EcdsaP256,
                prehash: Sha512,
                oid: Some("1.3.6.1.5.5.7.6.45"),
            },
            Self::MlDsa65Ed25519 => Row {
                name: "mldsa65+ed25519",
                label: "COMPSIG-MLDSA65-Ed25519-SHA512",
                pq: MlDsa65,
                classical: Ed25519,
                prehash: Sha512,
                oid: Some("1.3.6.1.5.5.7.6.48"),
            },
            Self::MlDsa87Ed25519 => Row {
                name: "mldsa87+ed25519",
                label: "POSTQ-COMPSIG-MLDSA87-Ed25519-SHA512",
                pq: MlDsa87,
                classical: Ed25519,
                prehash: Sha512,
                oid: None,
            },
            Self::MlDsa87EcdsaP256 => Row {
                name: "mldsa87+ecdsa-p256",
                label: "POSTQ-COMPSIG-MLDSA87-ECDSA-P256-SHA512",
                pq: MlDsa87,
                classical: EcdsaP256,
                prehash: Sha512,
                oid: None,
            },
        }
    }
}

struct Row {
    name: &'static str,
    label: &'static str,
    pq: MlDsaSet,
    classical: ClassicalAlgorithm,
    prehash: HashAlgorithm,
    oid: Option<&'static str>,
}

impl MlDsaSet {
    /// Length of an encoded public key in bytes (FIPS 204 §4, table 2).
    #[must_use]
    pub const fn public_key_len(self) -> usize {
        match self {
            Self::MlDsa44 => 1312,
            Self::MlDsa65 => 1952,
            Self::MlDsa87 => 2592,
        }
    }

    /// Length of a signature in bytes (FIPS 204 §4, table 2).
    #[must_use]
    pub const fn signature_len(self) -> usize {
        match self {
            Self::MlDsa44 => 2420,
            Self::MlDsa65 => 3309,
            Self::MlDsa87 => 4627,
        }
    }

    /// The object identifier of the pure variant (FIPS 204, NIST CSOR).
    pub(crate) const fn oid(self) -> &'static str {
        match self {
            Self::MlDsa44 => "2.16.840.1.101.3.4.3.17",
            Self::MlDsa65 => "2.16.840.1.101.3.4.3.18",
            Self::MlDsa87 => "2.16.840.1.101.3.4.3.19",
        }
    }
}

impl ClassicalAlgorithm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ed25519, Self::EcdsaP256];

    /// The name as it stands in an algorithm's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-p256",
        }
    }

    /// Length of a public key in bytes: 32, or the 65 of an uncompressed point (SEC 1 §2.3.3).
    #[must_use]
    pub const fn public_key_len(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            Self::EcdsaP256 => 65,
        }
    }
}

impl HashAlgorithm {
    /// Length of a digest in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the length of a digest, which is never empty")]
    pub const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The name as standards write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
        }
    }

    /// The name as JSON fields carry it.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| Error::UnknownAlgorithm(name.to_owned()))
    }
}

impl TryFrom<String> for Algorithm {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl From<Algorithm> for &'static str {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every signature label of the draft (§6.1); ours must be prefix-free against all of them, because M' does not
    /// carry the label's length.
    const DRAFT_LABELS: [&str; 18] = [
        "COMPSIG-MLDSA44-RSA2048-PSS-SHA256",
        "COMPSIG-MLDSA44-RSA2048-PKCS15-SHA256",
        "COMPSIG-MLDSA44-Ed25519-SHA512",
        "COMPSIG-MLDSA44-ECDSA-P256-SHA256",
        "COMPSIG-MLDSA65-RSA3072-PSS-SHA512",
        "COMPSIG-MLDSA65-RSA3072-PKCS15-SHA512",
        "COMPSIG-MLDSA65-RSA4096-PSS-SHA512",
        "COMPSIG-MLDSA65-RSA4096-PKCS15-SHA512",
        "COMPSIG-MLDSA65-ECDSA-P256-SHA512",
        "COMPSIG-MLDSA65-ECDSA-P384-SHA512",
        "COMPSIG-MLDSA65-ECDSA-BP256-SHA512",
        "COMPSIG-MLDSA65-Ed25519-SHA512",
        "COMPSIG-MLDSA87-ECDSA-P384-SHA512",
        "COMPSIG-MLDSA87-ECDSA-BP384-SHA512",
        "COMPSIG-MLDSA87-Ed448-SHAKE256",
        "COMPSIG-MLDSA87-RSA3072-PSS-SHA512",
        "COMPSIG-MLDSA87-RSA4096-PSS-SHA512",
        "COMPSIG-MLDSA87-ECDSA-P521-SHA512",
    ];

    #[test]
    fn no_label_is_a_prefix_of_another() {
        let mut labels: Vec<&str> = DRAFT_LABELS.to_vec();
        labels.extend(Algorithm::ALL.map(Algorithm::label));
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), DRAFT_LABELS.len() + 2);
        for a in &labels {
            for b in &labels {
                assert!(a == b || !b.starts_with(a), "{a} is a prefix of {b}");
            }
        }
    }

    #[test]
    fn the_published_sizes_are_kept() {
        let sizes = Algorithm::ALL.map(Algorithm::signature_len);
        assert_eq!(sizes, [2484, 2484, 3373, 3373, 4691, 4691]);
    }

    #[test]
    fn names_parse_back_and_others_are_refused_with_the_choice() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
        }
        let refusal = "mldsa65".parse::<Algorithm>().unwrap_err().to_string();
        assert!(refusal.contains("mldsa65+ed25519"), "{refusal}");
    }

    #[test]
    fn four_algorithms_are_standard_and_two_are_the_vendors() {
        assert_eq!(Algorithm::ALL.iter().filter(|a| a.is_standard()).count(), 4);
        assert!(Algorithm::ALL.iter().all(|a| a.is_standard() != a.label().starts_with("POSTQ-")));
    }
}
