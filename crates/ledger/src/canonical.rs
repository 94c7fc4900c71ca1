//! Canonical JSON (RFC 8785) and the hash over it.

use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use crate::content::MAX_INTEGER;

/// Writes a value in canonical form: members sorted by UTF-16 code units, no white space, the shortest escapes.
///
/// Every number in the ledger is an integer within ±(2^53 − 1): nothing else gets past [`crate::Content`] and
/// [`crate::Json`], and the vault writes nothing else. So the half of RFC 8785 that is about printing floating-point
/// numbers is not here.
///
/// # Panics
/// On another number. Bytes made up in its stead would be signed and hashed.
#[must_use]
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_integer(number, out),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                write(member, out);
            }
            out.push(b'}');
        }
    }
}

/// RFC 8785 §3.2.2.3, for integers.
#[expect(clippy::panic, reason = "no such number is made; were one, its bytes would be signed and hashed")]
fn write_integer(number: &Number, out: &mut Vec<u8>) {
    match number.as_i64() {
        Some(integer) if integer.unsigned_abs() <= MAX_INTEGER => {
            out.extend_from_slice(integer.to_string().as_bytes());
        }
        _ => panic!("a number beyond the integers of the ledger"),
    }
}

/// RFC 8785 §3.2.2.2: only what must be escaped is, in the shortest way.
fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0x00..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(hex::encode([byte]).as_bytes());
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// SHA-256, 32 bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
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

    #[test]
    #[should_panic(expected = "beyond the integers")]
    fn a_number_that_is_no_integer_of_the_ledger_is_not_written() {
        assert_eq!(canonical(&json!({"a": 1.5})), b"");
    }

    fn values() -> impl Strategy<Value = Value> {
        let limit = i64::try_from(MAX_INTEGER).unwrap();
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-limit..=limit).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_bytes_are_those_of_a_library_for_all_of_rfc_8785(value in values()) {
            prop_assert_eq!(canonical(&value), serde_json_canonicalizer::to_vec(&value).unwrap());
        }
    }
}
