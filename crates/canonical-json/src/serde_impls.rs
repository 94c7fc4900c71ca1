//! As a part of what serde reads and writes: read strictly there too, from the text that stands in the place.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Value, value::RawValue};

use crate::{Json, Object};

impl Json {
    /// What another JSON value is here; none where it holds a number that parsers disagree about.
    #[must_use]
    pub fn from_value(value: Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(bool),
            Value::Number(number) => {
                let integer = number.as_i64()?;
                (integer.unsigned_abs() <= crate::MAX_INTEGER).then_some(Self::Integer(integer))?
            }
            Value::String(text) => Self::Text(text),
            Value::Array(items) => {
                Self::Array(items.into_iter().map(Self::from_value).collect::<Option<_>>()?)
            }
            Value::Object(members) => {
                let members = members.into_iter().map(|(name, value)| Some((name, Self::from_value(value)?)));
                Self::Object(Object::from_members(members.collect::<Option<_>>()?)?)
            }
        })
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Box::<RawValue>::deserialize(deserializer)?.get()).map_err(de::Error::custom)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Integer(integer) => serializer.serialize_i64(*integer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(members) => serializer.collect_map(members.iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        held: Json,
    }

    #[test]
    fn a_part_is_read_as_strictly_as_a_whole() {
        let holder: Holder = serde_json::from_str(r#"{"other":1.5,"held":{"b":[1,null],"a":"é"}}"#).unwrap();
        assert_eq!(serde_json::to_string(&holder.held).unwrap(), r#"{"a":"é","b":[1,null]}"#);
        for hostile in ["1.5", r#"{"a":1,"a":2}"#, r#""\ud800""#] {
            let error = serde_json::from_str::<Holder>(&format!(r#"{{"held":{hostile}}}"#)).unwrap_err();
            assert!(error.to_string().contains(" at line 1 column "), "{error}");
        }
    }
}
