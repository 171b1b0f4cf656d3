//! JSON at the door: parsed once, whole, and refused when two readers could read it differently.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Reads JSON text. Nesting beyond 127 levels and members that stand twice in an object are mistakes.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let value = serde_json::from_slice(bytes).map_err(|error| explain(&error))?;
    serde_json::from_slice::<Distinct>(bytes).map_err(|error| explain(&error))?;
    Ok(value)
}

fn explain(error: &serde_json::Error) -> String {
    format!("the body is not valid JSON: {error}")
}

/// JSON whose objects have each member once. Most parsers take the last of two, some the first.
struct Distinct;

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistinctVisitor)
    }
}

struct DistinctVisitor;

impl<'de> Visitor<'de> for DistinctVisitor {
    type Value = Distinct;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_str<E>(self, _: &str) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_unit<E>(self) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Distinct, A::Error> {
        while items.next_element::<Distinct>()?.is_some() {}
        Ok(Distinct)
    }

    /// A number comes here too, as serde_json hands over numbers of any precision: one member, whose value is text.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Distinct, A::Error> {
        let Some(first) = members.next_key::<String>()? else { return Ok(Distinct) };
        members.next_value::<Distinct>()?;
        let mut seen = HashSet::from([first]);
        while let Some(name) = members.next_key::<String>()? {
            if seen.contains(&name) {
                members.next_value::<IgnoredAny>()?;
                let short: String = name.chars().take(60).collect();
                return Err(A::Error::custom(format_args!("the member `{short}` stands twice in one object")));
            }
            seen.insert(name);
            members.next_value::<Distinct>()?;
        }
        Ok(Distinct)
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
    fn deep_nesting_and_text_that_is_not_json_are_refused() {
        for text in ["[".repeat(100_000), "{".to_owned(), "nope".to_owned(), "\u{0}".to_owned(), "{} {}".to_owned()] {
            assert!(parse(text.as_bytes()).is_err(), "{}", &text[..text.len().min(10)]);
        }
        let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
        assert!(parse(deep.as_bytes()).is_ok());
    }
}
