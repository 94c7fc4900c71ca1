//! The canonical form (RFC 8785). Every number is an integer, so the half of it that is about printing floating-point
//! numbers is not here.

use crate::{Json, MAX_INTEGER};

impl Json {
    /// The canonical form: members sorted by UTF-16 code units, no white space, the shortest escapes.
    ///
    /// # Panics
    /// On an integer beyond ±[`MAX_INTEGER`]. Bytes made up in its stead would be signed and hashed.
    #[must_use]
    pub fn to_canonical(&self) -> String {
        let mut out = String::with_capacity(512);
        write(self, &mut out);
        out
    }
}

fn write(value: &Json, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Integer(integer) => write_integer(*integer, out),
        Json::Text(text) => write_text(text, out),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(member, out);
            }
            out.push('}');
        }
    }
}

/// RFC 8785 §3.2.2.3, for integers.
fn write_integer(integer: i64, out: &mut String) {
    assert!(integer.unsigned_abs() <= MAX_INTEGER, "a number beyond the integers of JSON");
    out.push_str(&integer.to_string());
}

/// RFC 8785 §3.2.2.2: only what must be escaped is, in the shortest way.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..' ' => {
                out.push_str("\\u00");
                out.push(if character < '\u{10}' { '0' } else { '1' });
                out.extend(char::from_digit(u32::from(character) & 0xf, 16));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn members_are_sorted_by_utf16_code_units_and_nothing_is_escaped_in_vain() {
        // RFC 8785 §3.2.3: U+10000 is two surrogates, which sort before U+FB33.
        let text = "{\"\u{fb33}\": 1, \"\u{10000}\": 2, \"a\": \"€\\u0007\\\"\", \"A\": [true, null, -7]}";
        assert_eq!(
            Json::parse(text).unwrap().to_canonical(),
            "{\"A\":[true,null,-7],\"a\":\"€\\u0007\\\"\",\"\u{10000}\":2,\"\u{fb33}\":1}"
        );
    }

    #[test]
    #[should_panic(expected = "beyond the integers")]
    fn a_number_that_parsers_disagree_about_is_not_written() {
        assert_eq!(Json::from(u64::MAX).to_canonical(), "");
    }

    pub(crate) fn values() -> impl Strategy<Value = Value> {
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
            let json: Json = serde_json::from_value(value.clone()).unwrap();
            prop_assert_eq!(json.to_canonical().into_bytes(), serde_json_canonicalizer::to_vec(&value).unwrap());
        }
    }
}
