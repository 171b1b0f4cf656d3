//! A JSON object made member by member: as a map, or as text at once, for what is written and not looked at again.

use serde::Serialize;
use serde_json::{Map, Value};

/// What takes members. The name of one is ours, and so are words: text of which JSON writes every character as it is, such as
/// ids, times, names of queues and types.
pub(super) trait Members {
    fn put(&mut self, name: &'static str, value: &impl Serialize);

    fn word(&mut self, name: &'static str, word: &str);
}

/// One that has a member of this name already has another value for it.
impl Members for Map<String, Value> {
    fn put(&mut self, name: &'static str, value: &impl Serialize) {
        // Texts and numbers in maps and lists: nothing that JSON cannot say.
        self.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
    }

    fn word(&mut self, name: &'static str, word: &str) {
        self.insert(name.to_owned(), word.into());
    }
}

/// The text of an object. Whoever writes it says each name once.
pub(super) struct ObjectText(Vec<u8>);

impl ObjectText {
    /// The text of one that is this long as a rule.
    pub(super) fn new(bytes: usize) -> Self {
        let mut text = Vec::with_capacity(bytes);
        text.push(b'{');
        Self(text)
    }

    /// A member whose value is JSON text.
    pub(super) fn json(&mut self, name: &'static str, json: &str) {
        self.name(name);
        self.0.extend_from_slice(json.as_bytes());
    }

    /// All members of a map, whatever their names are.
    pub(super) fn spread(&mut self, map: &Map<String, Value>) {
        for (name, value) in map {
            self.comma();
            self.value(name);
            self.0.push(b':');
            self.value(value);
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push(b'}');
        String::from_utf8(self.0).unwrap_or_default()
    }

    fn comma(&mut self) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
    }

    fn name(&mut self, name: &'static str) {
        self.comma();
        self.quoted(name);
        self.0.push(b':');
    }

    fn quoted(&mut self, word: &str) {
        self.0.push(b'"');
        self.0.extend_from_slice(word.as_bytes());
        self.0.push(b'"');
    }

    fn value(&mut self, value: &impl Serialize) {
        let before = self.0.len();
        if serde_json::to_writer(&mut self.0, value).is_err() {
            self.0.truncate(before);
            self.0.extend_from_slice(b"null");
        }
    }
}

impl Members for ObjectText {
    fn put(&mut self, name: &'static str, value: &impl Serialize) {
        self.name(name);
        self.value(value);
    }

    fn word(&mut self, name: &'static str, word: &str) {
        debug_assert!(!word.contains(['"', '\\']) && !word.contains(char::is_control), "{word} is no word");
        self.name(name);
        self.quoted(word);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn filled(members: &mut impl Members) {
        members.word("id", "a-b");
        members.put("text", &"\"\n");
        members.put("list", &[1, 2]);
        // What JSON cannot say is nothing.
        members.put("strange", &BTreeMap::from([((1, 2), 3)]));
    }

    #[test]
    fn the_text_is_that_of_the_map() {
        let (mut text, mut map) = (ObjectText::new(8), Map::new());
        filled(&mut text);
        filled(&mut map);
        let rest = json!({"a \"b\"": {"c": []}, "": null}).as_object().expect("an object").clone();
        text.spread(&rest);
        map.extend(rest);
        text.json("raw", "1.50");
        map.insert("raw".to_owned(), serde_json::from_str("1.50").expect("a number"));
        assert_eq!(text.finish(), Value::Object(map).to_string());
    }

    #[test]
    fn an_object_without_members_is_empty() {
        let mut text = ObjectText::new(0);
        text.spread(&Map::new());
        assert_eq!(text.finish(), "{}");
    }
}
