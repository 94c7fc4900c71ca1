//! As a part of what serde reads and writes, and as strict there.
//!
//! Not by way of `serde_json::Value`: where any crate of a build asks for `raw_value`, it takes an object whose first member
//! has a certain name for the JSON inside that member, so a caller could have a document read as another.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
    ser,
};

use crate::{
    Json, MAX_INTEGER, Object,
    parse::{DEEP, MAX_DEPTH, NUMBER, SAME_NAME},
};

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Strict { depth: MAX_DEPTH }.deserialize(deserializer)
    }
}

/// Reads one value that may hold `depth` more levels of arrays and objects.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn descend<E: de::Error>(self) -> Result<Self, E> {
        Ok(Self { depth: self.depth.checked_sub(1).ok_or_else(|| E::custom(DEEP))? })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON whose numbers are integers")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Json, E> {
        if value > MAX_INTEGER { Err(E::custom(NUMBER)) } else { Ok(value.into()) }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Json, E> {
        if value.unsigned_abs() > MAX_INTEGER { Err(E::custom(NUMBER)) } else { Ok(Json::Integer(value)) }
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Json, E> {
        Err(E::custom(NUMBER))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.descend()?)? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let inner = self.descend()?;
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            members.push((name, map.next_value_seed(inner)?));
        }
        Object::from_members(members).map(Json::Object).ok_or_else(|| de::Error::custom(SAME_NAME))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Integer(integer) if integer.unsigned_abs() <= MAX_INTEGER => {
                serializer.serialize_i64(*integer)
            }
            Self::Integer(_) => Err(ser::Error::custom(NUMBER)),
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
    fn a_part_is_read_as_strictly_as_a_whole_and_errors_have_their_place_in_the_whole() {
        let holder: Holder = serde_json::from_str(r#"{"other":1.5,"held":{"b":[1,null],"a":"é"}}"#).unwrap();
        assert_eq!(serde_json::to_string(&holder.held).unwrap(), r#"{"a":"é","b":[1,null]}"#);
        let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
        for hostile in ["1.5", "-0", "9007199254740992", r#"{"a":1,"a":2}"#, r#""\ud800""#, &deep] {
            let error = serde_json::from_str::<Holder>(&format!("{{\n\n\"held\":{hostile}}}")).unwrap_err();
            assert!(error.to_string().contains(" at line 3 column "), "{error}");
        }
    }

    #[test]
    fn no_name_of_a_member_means_anything_to_the_reader() {
        let text = r#"{"$serde_json::private::RawValue":"{\"b\":1}"}"#;
        for json in [Json::parse(text).unwrap(), serde_json::from_str(text).unwrap()] {
            assert_eq!(json.to_canonical(), text);
            assert_eq!(serde_json::to_string(&json).unwrap(), text);
        }
    }

    #[test]
    fn a_number_that_parsers_disagree_about_is_not_written() {
        assert!(serde_json::to_string(&Json::from(MAX_INTEGER)).is_ok());
        assert!(serde_json::to_string(&Json::from(MAX_INTEGER + 1)).is_err());
    }
}
