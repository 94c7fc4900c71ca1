//! The strict reader.

use std::fmt;

use crate::{Json, MAX_INTEGER, Object};

/// Levels of arrays and objects that are read: more than any document of the ledger has.
pub const MAX_DEPTH: usize = 18;

/// Why text is not taken, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    what: &'static str,
    line: usize,
    column: usize,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {} column {}", self.what, self.line, self.column)
    }
}

impl std::error::Error for JsonError {}

impl Json {
    /// Reads a text that is one JSON value.
    ///
    /// # Errors
    /// [`JsonError`] for what is not JSON (RFC 8259), and for what parsers are known to disagree about.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        let mut reader = Reader { text, at: 0 };
        reader.document().map_err(|what| {
            let before = text.as_bytes().get(..reader.at).unwrap_or_default();
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
            JsonError { what, line, column }
        })
    }
}

struct Reader<'a> {
    text: &'a str,
    /// How many bytes were read.
    at: usize,
}

type Read<T> = Result<T, &'static str>;

pub(crate) const NUMBER: &str = "a number that is not an integer within ±(2^53 - 1); send it as a string";
const SURROGATE: &str = "half of a surrogate pair";
pub(crate) const SAME_NAME: &str = "an object with two members of one name";
pub(crate) const DEEP: &str = "nested too deeply";
const END: &str = "the text ends too early";

impl Reader<'_> {
    fn document(&mut self) -> Read<Json> {
        let value = self.value(MAX_DEPTH)?;
        match self.next_token() {
            None => Ok(value),
            Some(_) => Err("more text after the value"),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space, not yet read.
    fn next_token(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    fn value(&mut self, depth: usize) -> Read<Json> {
        match self.next_token() {
            Some(b'{') => self.object(inner(depth)?),
            Some(b'[') => self.array(inner(depth)?),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.integer().map(Json::Integer),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(_) => Err("expected a value"),
            None => Err(END),
        }
    }

    fn word(&mut self, word: &str, value: Json) -> Read<Json> {
        let found = self.text.as_bytes().get(self.at..self.at + word.len());
        if found != Some(word.as_bytes()) {
            return Err("expected a value");
        }
        self.at += word.len();
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Read<Json> {
        let mut items = Vec::new();
        self.at += 1;
        if self.next_token() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.ends(b']', "expected `,` or `]`")? {
                return Ok(Json::Array(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Read<Json> {
        let mut members = Vec::new();
        let start = self.at;
        self.at += 1;
        if self.next_token() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(Object::default()));
        }
        loop {
            match self.next_token() {
                Some(b'"') => {}
                Some(_) => return Err("expected a name in quotation marks"),
                None => return Err(END),
            }
            let name = self.string()?;
            match self.next_token() {
                Some(b':') => self.at += 1,
                Some(_) => return Err("expected `:`"),
                None => return Err(END),
            }
            members.push((name, self.value(depth)?));
            if self.ends(b'}', "expected `,` or `}`")? {
                return Object::from_members(members).map(Json::Object).ok_or_else(|| {
                    self.at = start;
                    SAME_NAME
                });
            }
        }
    }

    /// Whether `end` is next, or a comma.
    fn ends(&mut self, end: u8, otherwise: &'static str) -> Read<bool> {
        let next = self.next_token().ok_or(END)?;
        if next != end && next != b',' {
            return Err(otherwise);
        }
        self.at += 1;
        Ok(next == end)
    }

    fn integer(&mut self) -> Read<i64> {
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let first = self.at;
        let mut value = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value * 10 + u64::from(digit - b'0');
            if value > MAX_INTEGER {
                return Err(NUMBER);
            }
            self.at += 1;
        }
        let digits = self.at - first;
        if digits == 0 || (digits > 1 && self.text.as_bytes().get(first) == Some(&b'0')) {
            return Err("expected a number without leading zeros");
        }
        // Some write -0 back as 0, and some keep it.
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) || (negative && value == 0) {
            return Err(NUMBER);
        }
        let value = i64::try_from(value).map_err(|_| NUMBER)?;
        Ok(if negative { -value } else { value })
    }

    fn string(&mut self) -> Read<String> {
        let mut text = String::new();
        self.at += 1;
        loop {
            let start = self.at;
            while matches!(self.peek(), Some(byte) if byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            text.push_str(self.text.get(start..self.at).ok_or(END)?);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escaped()?);
                }
                Some(_) => return Err("a control character that is not escaped"),
                None => return Err(END),
            }
        }
    }

    fn escaped(&mut self) -> Read<char> {
        let letter = self.peek().ok_or(END)?;
        let character = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err("an escape that JSON does not have"),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode(&mut self) -> Read<char> {
        let unit = self.hexadecimal()?;
        let code = if (0xd800..0xdc00).contains(&unit) {
            if self.text.as_bytes().get(self.at..self.at + 2) != Some(br"\u") {
                return Err(SURROGATE);
            }
            self.at += 2;
            let low = self.hexadecimal()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(SURROGATE);
            }
            0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
        } else {
            unit
        };
        char::from_u32(code).ok_or(SURROGATE)
    }

    fn hexadecimal(&mut self) -> Read<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit << 4 | digit.ok_or("an escape without four hexadecimal digits")?;
            self.at += 1;
        }
        Ok(unit)
    }
}

fn inner(depth: usize) -> Read<usize> {
    depth.checked_sub(1).ok_or(DEEP)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_parsers_disagree_about_is_refused() {
        let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
        for hostile in [
            "1152921504606846976",
            "9007199254740992",
            "-9007199254740992",
            "99999999999999999999999",
            "1e400",
            "1.5",
            "1.0",
            "1e2",
            "1E2",
            "-0",
            "-0.0",
            r#"{"a":1,"a":2}"#,
            r#"{"b":{"a":1,"c":2,"a":1}}"#,
            r#"{"b":[{"a":1,"\u0061":1}]}"#,
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            r#""\udc00\ud800""#,
            r#"{"\udc00":1}"#,
            "\u{feff}1",
            &deep,
        ] {
            assert!(Json::parse(hostile).is_err(), "{hostile} was taken");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for broken in [
            "",
            " ",
            "nul",
            "nulL",
            "truefalse",
            "1 2",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "]",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}",
            "{1:1}",
            "'a'",
            "\"a",
            "\"\\",
            "\"\\u",
            "\"\\u00",
            "\"\\u00g0\"",
            "\"\\x\"",
            "\"\n\"",
            "\"\u{1}\"",
            "-",
            "+1",
            "01",
            "-01",
            ".5",
            "1.",
            "NaN",
            "\u{a0}1",
        ] {
            assert!(Json::parse(broken).is_err(), "{broken} was taken");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let told = |text| Json::parse(text).unwrap_err().to_string();
        assert_eq!(told("{\n  \"a\": 1.5\n}"), format!("{NUMBER} at line 2 column 9"));
        assert_eq!(told("[1,2"), "the text ends too early at line 1 column 5");
    }

    /// What the library for all of JSON makes of it, where it holds nothing that this reader refuses.
    fn by_the_library(text: &str) -> Option<Json> {
        let value: Value = serde_json::from_str(text).ok()?;
        let json: Json = serde_json::from_value(value).ok()?;
        // It keeps the last of two members, and reads -0 and 1e2 as floating-point numbers.
        json.is_within_depth(MAX_DEPTH).then_some(json)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn fragments_are_taken_as_the_library_takes_them(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "\\", "\\n", "\\u00e9", "\\ud83d\\ude00", "\\ud83d",
                    "0", "1", "-", "-0", "1.5", "1e2", ".", "e", "12", "\u{1}", "\u{feff}", "\\u0000", "9007199254740991", "true", "false", "null", " ", "\n", "é", "😀", "\"\"", "[]", "{}",
                ]),
                0..12,
            )
        ) {
            let text = pieces.concat();
            let ours = Json::parse(&text).ok();
            prop_assert_eq!(&ours, &serde_json::from_str(&text).ok(), "in a whole and as a part: {}", text);
            let theirs = by_the_library(&text);
            if ours.is_some() {
                prop_assert_eq!(&ours, &theirs, "{}", text);
            } else if let Some(theirs) = theirs {
                // It also takes what parsers disagree about; twice a name is all of that here.
                let again = theirs.to_canonical();
                let count = |text: &str| text.matches(':').count();
                prop_assert!(count(&again) < count(&text), "{} was refused", text);
            }
        }

        #[test]
        fn what_the_library_writes_is_read(value in crate::write::tests::values()) {
            let json: Json = serde_json::from_value(value.clone()).unwrap();
            prop_assert_eq!(Json::parse(&value.to_string()), Ok(json.clone()));
            prop_assert_eq!(Json::parse(&serde_json::to_string_pretty(&value).unwrap()), Ok(json));
        }
    }
}
