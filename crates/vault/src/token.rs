//! API tokens: how they look, how one is made, and the hash by which the vault knows it.
//!
//! `pq_live_` or `pq_test_`, 32 random bytes in base32 (lower case, no padding), and the low 30 bits of CRC-32 (IEEE) over
//! all before it as 6 base32 characters: 66 characters that secret scanners can match, and a typo costs no look-up.

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use crate::{caller::Environment, random};

/// The shortest string that may be presented as a token.
pub const MIN_LEN: usize = 32;

/// What stands in for a token wherever one must be found again: its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// A token in the clear. It is shown once and never stored; it has no `Debug`.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Makes a token of 256 random bits for an environment.
    ///
    /// # Errors
    /// [`random::Unavailable`] where the system has no random bytes.
    pub fn generate(environment: Environment) -> Result<Self, random::Unavailable> {
        let mut body = Zeroizing::new(BASE32_NOPAD.encode(random::generate_secret()?.as_slice()));
        body.make_ascii_lowercase();
        let unchecked = Zeroizing::new(format!("{}{}", prefix(environment), *body));
        Ok(Self(Zeroizing::new(format!("{}{}", *unchecked, checksum(&unchecked)))))
    }

    /// Takes a string that somebody presents, or presets for a first start.
    ///
    /// # Errors
    /// [`Malformed`] where it is shorter than [`MIN_LEN`], could not be sent in a header, or bears our prefix and not its
    /// checksum.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.chars().count() < MIN_LEN {
            return Err(Malformed::TooShort);
        }
        if text.trim() != text || text.contains(char::is_control) {
            return Err(Malformed::Characters);
        }
        let ours = [Environment::Live, Environment::Test].into_iter().any(|e| text.starts_with(prefix(e)));
        if ours {
            let (unchecked, sum) = text
                .len()
                .checked_sub(CHECKSUM_LEN)
                .and_then(|at| text.split_at_checked(at))
                .unwrap_or_default();
            if text.len() != TOKEN_LEN || checksum(unchecked) != sum {
                return Err(Malformed::Checksum);
            }
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The token in the clear, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the token: a token has 256 random bits, so nothing slower is needed.
    #[must_use]
    pub fn derive_hash(&self) -> TokenHash {
        TokenHash(ledger::sha256(self.0.as_bytes()))
    }
}

/// Why a string cannot be a token, without a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than 32 characters.
    #[error("a token has at least {MIN_LEN} characters")]
    TooShort,
    /// Characters that an HTTP header cannot carry back.
    #[error("a token has no control characters, and no white space at its ends")]
    Characters,
    /// Our prefix, and not our checksum: mistyped or cut off.
    #[error("the token's checksum does not match: it is mistyped or cut off")]
    Checksum,
}

const CHECKSUM_LEN: usize = 6;
/// `pq_live_`, 52 characters of base32, 6 of checksum.
const TOKEN_LEN: usize = 8 + 52 + CHECKSUM_LEN;

const fn prefix(environment: Environment) -> &'static str {
    match environment {
        Environment::Live => "pq_live_",
        Environment::Test => "pq_test_",
    }
}

fn checksum(text: &str) -> String {
    let sum = crc32fast::hash(text.as_bytes());
    (0..CHECKSUM_LEN).rev().filter_map(|i| ALPHABET.chars().nth(((sum >> (5 * i)) & 31) as usize)).collect()
}

/// RFC 4648 §6, in lower case.
const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz234567";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_its_prefix_its_length_and_its_checksum() {
        for (environment, prefix) in [(Environment::Live, "pq_live_"), (Environment::Test, "pq_test_")] {
            let token = Secret::generate(environment).unwrap();
            assert!(token.expose().starts_with(prefix));
            assert_eq!(token.expose().len(), 66);
            assert!(
                token.expose().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
            assert!(Secret::parse(token.expose()).is_ok());
        }
    }

    #[test]
    fn the_checksum_is_the_low_30_bits_of_crc32() {
        // CRC-32 of "123456789" is 0xCBF43926; its low 30 bits are 00101 11111 01000 01110 01001 00110.
        assert_eq!(checksum("123456789"), "f7iojg");
    }

    #[test]
    fn every_mistyped_character_is_noticed() {
        let token = Secret::generate(Environment::Live).unwrap();
        for at in 8..token.expose().len() {
            let mut typo: Vec<char> = token.expose().chars().collect();
            typo[at] = if typo[at] == 'a' { 'b' } else { 'a' };
            let typo: String = typo.into_iter().collect();
            assert!(Secret::parse(&typo).is_err(), "{at}");
        }
        assert!(Secret::parse(token.expose().split_at(65).0).is_err());
        assert!(Secret::parse(&format!("{}a", token.expose())).is_err());
    }

    #[test]
    fn another_string_of_32_characters_or_more_may_be_a_token() {
        for token in ["x".repeat(32), "correct horse battery staple, and then some".into(), "ü".repeat(32)] {
            assert!(Secret::parse(&token).is_ok(), "{token}");
        }
        assert!(matches!(Secret::parse(&"x".repeat(31)), Err(Malformed::TooShort)));
        for unsendable in ["\n", " ", "\t", "\0"] {
            let token = format!("{}{unsendable}", "x".repeat(32));
            assert!(matches!(Secret::parse(&token), Err(Malformed::Characters)));
        }
    }
}
