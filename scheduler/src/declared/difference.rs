//! What is different between an entry as it stands and as a file declares it, member by member.

use std::fmt;

use carillon_shared::store::StoredEntry;
use serde_json::{Map, Value, json};

use super::file::Declared;

/// A member that changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    /// Which, such as `options.queue`.
    pub(crate) member: String,
    /// What it is; null when there is none.
    pub(crate) from: Value,
    /// What it will be; null when there will be none.
    pub(crate) to: Value,
}

/// Members whose own members are compared one by one.
const NESTED: [&str; 2] = ["options", "meta"];

/// Compares; nothing if the entry is as it is declared.
pub(super) fn differences(stored: &StoredEntry, declared: &Declared) -> Vec<Difference> {
    let map = |value: Value| if let Value::Object(map) = value { map } else { Map::new() };
    let mut found = Vec::new();
    compare("", &map(stored.definition.to_json()), &map(declared.definition.to_json()), &mut found);
    let held = (stored.source.as_ref(), stored.enabled);
    let mut note = |member: &str, from: Value, to: Value| {
        if from != to {
            found.push(Difference { member: member.to_owned(), from, to });
        }
    };
    note("enabled", stored.enabled.into(), declared.source.enables(Some(held)).into());
    if let Some(source) = &stored.source {
        note("source.file", source.file.as_str().into(), declared.source.file.as_str().into());
        // Who decides on being enabled changes although nothing else does.
        note("source.enabled", json!(source.enabled), json!(declared.source.enabled));
    }
    found
}

fn compare(path: &str, from: &Map<String, Value>, to: &Map<String, Value>, found: &mut Vec<Difference>) {
    let new = to.keys().filter(|key| !from.contains_key(*key));
    for key in from.keys().chain(new) {
        let value = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
        match (value(from), value(to)) {
            (from, to) if from == to => {}
            (Value::Object(from), Value::Object(to)) if path.is_empty() && NESTED.contains(&key.as_str()) => {
                compare(&format!("{key}."), &from, &to, found);
            }
            (from, to) => found.push(Difference { member: format!("{path}{key}"), from, to }),
        }
    }
}

impl Difference {
    pub(crate) fn to_json(&self) -> Value {
        json!({"member": self.member, "from": self.from, "to": self.to})
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Value::Null, to) => write!(f, "{}: {to}", self.member),
            (from, Value::Null) => write!(f, "{}: {from} → nothing", self.member),
            (from, to) => write!(f, "{}: {from} → {to}", self.member),
        }
    }
}
