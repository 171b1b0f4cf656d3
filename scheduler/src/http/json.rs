//! JSON at the door: parsed once, whole, and refused when two readers could read it differently.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

/// Reads JSON text. Nesting beyond 127 levels and members that stand twice in an object are mistakes.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let read = serde_json::from_slice::<Distinct>(bytes);
    read.map(|distinct| distinct.0).map_err(|error| format!("the body is not valid JSON: {error}"))
}

/// JSON whose objects have each member once. Most parsers take the last of two, some the first.
struct Distinct(Value);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistinctVisitor).map(Self)
    }
}

struct DistinctVisitor;

/// The one member of what serde_json hands over for a number, whose value is the text of the number.
const NUMBER: &str = "$serde_json::private::Number";

/// What serde_json takes for JSON within JSON: whoever reads it again would read something else.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

impl<'de> Visitor<'de> for DistinctVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Distinct(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.is_empty() && name == NUMBER {
                let number: Number = members.next_value::<String>()?.parse().map_err(A::Error::custom)?;
                return Ok(number.into());
            }
            if name == RAW_VALUE {
                return Err(A::Error::custom(format_args!("a member cannot be called `{RAW_VALUE}`")));
            }
            let Distinct(value) = members.next_value()?;
            match map.entry(name) {
                Entry::Vacant(place) => place.insert(value),
                Entry::Occupied(place) => {
                    let short: String = place.key().chars().take(60).collect();
                    return Err(A::Error::custom(format_args!("the member `{short}` stands twice in one object")));
                }
            };
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let text = r#"{"a":[null,true,-1,2.5,1e400,123456789012345678901234567890,"x",{"b":{},"c":[]}],"d":0}"#;
        assert_eq!(
            parse(text.as_bytes()).map(|value| value["a"][5].to_string()).as_deref(),
            Ok("123456789012345678901234567890")
        );
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_by_name_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"b":2,"a":{}}}]"#] {
            let error = parse(text.as_bytes()).expect_err("ambiguous");
            assert!(error.contains("`a` stands twice"), "{error}");
        }
        assert!(parse(br#"[{"a":1},{"a":1}]"#).is_ok());
    }

    #[test]
    fn a_name_that_would_be_read_as_something_else_is_refused() {
        let error = parse(br#"[{"$serde_json::private::RawValue":"[1]"}]"#).expect_err("not what it looks like");
        assert!(error.contains("cannot be called"), "{error}");
    }

    #[test]
    fn deep_nesting_and_text_that_is_not_json_are_refused() {
        for text in ["[".repeat(100_000), "{".to_owned(), "nope".to_owned(), "\u{0}".to_owned(), "{} {}".to_owned()] {
            assert!(parse(text.as_bytes()).is_err(), "{}", &text[..text.len().min(10)]);
        }
        let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
        assert!(parse(deep.as_bytes()).is_ok());
    }
}
