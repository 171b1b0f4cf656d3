//! Settings of steps as one client writes them: it hands over the names of its own language (`maxAttempts`).

use serde_json::{Map, Value};

/// Settings that have members of their own.
const NESTED: &[&str] = &["retry", "unique", "rate_limit"];

/// The settings under the names that we know. Where both spellings stand, ours wins. What is inside `meta` is data.
pub(super) fn snake_cased(options: &Map<String, Value>) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in options {
        let known = snake_case(name);
        let value = match value {
            Value::Object(inner) if NESTED.contains(&known.as_str()) => snake_cased(inner).into(),
            value => value.clone(),
        };
        if *name == known || !options.contains_key(&known) {
            map.insert(known, value);
        }
    }
    map
}

fn snake_case(name: &str) -> String {
    let mut known = String::with_capacity(name.len());
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            known.push('_');
        }
        known.push(letter.to_ascii_lowercase());
    }
    known
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_settings_are_read_in_either_spelling() {
        let options = json!({"delayUntil": "x", "retry": {"maxAttempts": 1, "max_attempts": 2, "initialInterval": "PT1S"},
            "meta": {"keepThis": 1}});
        let read = Value::from(snake_cased(options.as_object().expect("an object")));
        let expected = json!({"delay_until": "x", "retry": {"max_attempts": 2, "initial_interval": "PT1S"},
            "meta": {"keepThis": 1}});
        assert_eq!(read, expected);
    }
}
