//! Reading the members of a JSON object, each refusal naming the member.

use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Refusal, duration};
use crate::clock::Timestamp;

/// So many members are looked through one by one.
const FEW: usize = 8;

/// A JSON object, and the path under which the sender knows it.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: &'a str,
}

impl<'a> Fields<'a> {
    /// The members of `map`, which the sender knows as `path`; empty when it is the whole request.
    #[must_use]
    pub fn new(map: &'a Map<String, Value>, path: &'a str) -> Self {
        Self { map, path }
    }

    /// The member; `null` counts as absent.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'a Value> {
        self.member(name).filter(|value| !value.is_null())
    }

    /// A job is asked for some forty names, of which it has a few: to hash each costs more than to compare it with those.
    fn member(&self, name: &str) -> Option<&'a Value> {
        if self.map.len() > FEW {
            return self.map.get(name);
        }
        self.map.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The path of a member.
    #[must_use]
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// A refusal of a member: what was expected, and what was found.
    #[must_use]
    pub fn refuse(&self, name: &str, expected: &str) -> Refusal {
        let found = self.member(name).map_or_else(|| "nothing".to_owned(), shown);
        let path = self.path_of(name);
        Refusal::field(path.clone(), format!("{path} must be {expected}, found {found}"))
    }

    /// A string.
    ///
    /// # Errors
    ///
    /// When it is something else; the refusal names it.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        self.find(name).map(|value| value.as_str().ok_or_else(|| self.refuse(name, "a string"))).transpose()
    }

    /// A string with a grammar of its own.
    ///
    /// # Errors
    ///
    /// When it is something else; the refusal names it.
    pub fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let path = self.path_of(name);
        text.parse().map(Some).map_err(|error: T::Err| Refusal::field(path.clone(), format!("{path}: {error}")))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    ///
    /// When it is something else; the refusal names it.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.find(name).map(|value| value.as_bool().ok_or_else(|| self.refuse(name, "true or false"))).transpose()
    }

    /// A whole number within bounds.
    ///
    /// # Errors
    ///
    /// When it is something else; the refusal names it.
    pub fn integer(&self, name: &str, from: i64, to: i64) -> Result<Option<i64>, Refusal> {
        let expected = || {
            let range = if to == i64::MAX { format!("of at least {from}") } else { format!("from {from} to {to}") };
            self.refuse(name, &format!("an integer {range}"))
        };
        self.find(name)
            .map(|value| whole(value).filter(|number| (from..=to).contains(number)).ok_or_else(expected))
            .transpose()
    }

    /// A finite number.
    ///
    /// # Errors
    ///
    /// When it is something else; the refusal names it.
    pub fn number(&self, name: &str) -> Result<Option<f64>, Refusal> {
        let read = |value: &Value| value.as_f64().filter(|number| number.is_finite());
        self.find(name).map(|value| read(value).ok_or_else(|| self.refuse(name, "a number"))).transpose()
    }

    /// An object.
    ///
    /// # Errors
    ///
    /// When it is something else; the refusal names it.
    pub fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, Refusal> {
        self.find(name).map(|value| value.as_object().ok_or_else(|| self.refuse(name, "an object"))).transpose()
    }

    /// An array of strings.
    ///
    /// # Errors
    ///
    /// When it is something else; the refusal names it.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let expected = || self.refuse(name, "an array of strings");
        let Some(value) = self.find(name) else { return Ok(None) };
        let items = value.as_array().ok_or_else(expected)?;
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(expected))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// An ISO 8601 duration under `name`, or milliseconds under `name_ms`.
    ///
    /// # Errors
    ///
    /// When it is something else; the refusal names it.
    pub fn interval(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        let in_ms = format!("{name}_ms");
        if let Some(ms) = self.integer(&in_ms, 0, i64::MAX)? {
            return Ok(Some(Duration::from_millis(ms.unsigned_abs())));
        }
        let Some(value) = self.find(name) else { return Ok(None) };
        let read = value.as_str().and_then(duration::parse);
        read.map(Some).ok_or_else(|| self.refuse(name, "an ISO 8601 duration such as PT30S"))
    }

    /// An instant: RFC 3339, or an ISO 8601 duration from now (`PT5M`, `+PT5M`).
    ///
    /// # Errors
    ///
    /// When it is something else; the refusal names it.
    pub fn instant(&self, name: &str, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let relative = duration::parse(text.strip_prefix('+').unwrap_or(text)).map(|span| now + span);
        let read = relative.or_else(|| text.parse().ok());
        let expected = "an RFC 3339 time such as 2026-03-08T02:30:00Z, or a duration from now such as +PT5M";
        read.map(Some).ok_or_else(|| self.refuse(name, expected))
    }
}

/// The integer that a number is, however it is spelled (`3`, `3.0`).
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        // 2^53: beyond it a double no longer says which integer was meant.
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53")]
        (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
    })
}

/// A value as an error shows it: short, and never a whole document.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => {
            let text = other.to_string();
            let mut short: String = text.chars().take(60).collect();
            if short.len() < text.len() {
                short.push('…');
            }
            short
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_among_few_and_among_many() {
        for others in [0, FEW - 2, FEW - 1, FEW, 3 * FEW] {
            let mut map: Map<String, Value> = (0..others).map(|n| (format!("m{n}"), Value::Null)).collect();
            map.insert("name".to_owned(), 7.into());
            map.insert("nothing".to_owned(), Value::Null);
            let fields = Fields::new(&map, "");
            assert_eq!(fields.integer("name", 0, 9), Ok(Some(7)), "{others}");
            assert_eq!((fields.find("nothing"), fields.find("nam"), fields.find("")), (None, None, None), "{others}");
            assert!(fields.refuse("nothing", "more").message.contains("null"), "{others}");
        }
    }
}
