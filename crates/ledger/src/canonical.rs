//! Canonical JSON (RFC 8785) and the hash over it.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Writes a value in canonical form: members sorted by UTF-16 code units, no white space, numbers as ECMAScript prints
/// them.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a `Value` holds no number that is not finite, which is all that can fail; bytes made up instead would be \
              tagged and hashed"
)]
pub fn canonical(value: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("a value has a canonical form")
}

/// SHA-256, 32 bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_by_utf16_code_units_and_nothing_is_escaped_in_vain() {
        // RFC 8785 §3.2.3: U+10000 is two surrogates, which sort before U+FB33.
        let value = json!({"\u{fb33}": 1, "\u{10000}": 2, "a": "€\u{7}\"", "A": [true, null, -7]});
        assert_eq!(
            String::from_utf8(canonical(&value)).unwrap(),
            "{\"A\":[true,null,-7],\"a\":\"€\\u0007\\\"\",\"\u{10000}\":2,\"\u{fb33}\":1}"
        );
    }
}
