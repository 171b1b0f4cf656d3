//! From the text of a file to a value, in whichever of three languages it is written.

use std::collections::HashMap;

use serde::Deserialize as _;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, Place};

/// A language in which entries can be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Toml,
    Yaml,
    Json,
}

/// What a file says, and where.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// One value, or one for each document of a YAML file.
    pub(super) documents: Vec<Value>,
    /// The places of members by their paths, where the parser tells them.
    places: HashMap<String, Place>,
}

impl Syntax {
    /// The language of a file by the end of its name.
    pub(super) fn of(file: &str) -> Option<Self> {
        match file.rsplit_once('.')?.1 {
            "toml" => Some(Self::Toml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    pub(super) fn read(self, file: &str, text: &str) -> Result<Text, Mistake> {
        match self {
            Self::Toml => toml(file, text),
            Self::Yaml => yaml(file, text),
            Self::Json => json(file, text),
        }
    }
}

impl Text {
    /// The place of a member, or of the nearest thing around it.
    pub(super) fn place(&self, path: &str) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return Some(*place);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

fn toml(file: &str, text: &str) -> Result<Text, Mistake> {
    let wrong = |error: &toml::de::Error| {
        let message = error.message().lines().next().unwrap_or("malformed");
        let place = error.span().map(|span| Place::of(text, span.start));
        Mistake::new(file, format!("not TOML: {message}")).at(place)
    };
    let table = text.parse::<toml::Table>().map_err(|error| wrong(&error))?;
    let spans = DeTable::parse(text).map_err(|error| wrong(&error))?;
    let mut places = HashMap::new();
    note_table(text, "", spans.get_ref(), &mut places);
    let document = from_toml(toml::Value::Table(table)).map_err(|problem| Mistake::new(file, problem))?;
    Ok(Text { documents: vec![document], places })
}

fn note_table(text: &str, path: &str, table: &DeTable<'_>, places: &mut HashMap<String, Place>) {
    for (key, value) in table {
        note(text, &join(path, key.get_ref()), value, places);
    }
}

fn note(text: &str, path: &str, value: &Spanned<DeValue<'_>>, places: &mut HashMap<String, Place>) {
    places.insert(path.to_owned(), Place::of(text, value.span().start));
    match value.get_ref() {
        DeValue::Table(table) => note_table(text, path, table, places),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                note(text, &format!("{path}[{index}]"), item, places);
            }
        }
        _ => {}
    }
}

/// The path of a member of what stands at `path`.
pub(super) fn join(path: &str, member: &str) -> String {
    if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") }
}

fn from_toml(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => {
            serde_json::Number::from_f64(number).ok_or_else(|| format!("{number} is no number that JSON has"))?.into()
        }
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(from_toml).collect::<Result<Vec<_>, _>>()?.into(),
        toml::Value::Table(table) => {
            let members = table.into_iter().map(|(key, value)| Ok((key, from_toml(value)?)));
            Value::Object(members.collect::<Result<Map<_, _>, String>>()?)
        }
    })
}

fn yaml(file: &str, text: &str) -> Result<Text, Mistake> {
    let wrong = |error: &serde_yaml_ng::Error| {
        let place = error.location().map(|location| Place { line: location.line(), column: location.column() });
        Mistake::new(file, format!("not YAML: {error}")).at(place)
    };
    let mut documents = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        let mut value = serde_yaml_ng::Value::deserialize(document).map_err(|error| wrong(&error))?;
        value.apply_merge().map_err(|error| wrong(&error))?;
        documents.push(from_yaml(value).map_err(|problem| Mistake::new(file, problem))?);
    }
    Ok(Text { documents, places: HashMap::new() })
}

/// A value of YAML as JSON has it.
pub(crate) fn from_yaml(value: serde_yaml_ng::Value) -> Result<Value, String> {
    use serde_yaml_ng::Value as Yaml;
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(truth) => truth.into(),
        Yaml::Number(number) => yaml_number(&number)?,
        Yaml::String(text) => text.into(),
        Yaml::Sequence(items) => items.into_iter().map(from_yaml).collect::<Result<Vec<_>, _>>()?.into(),
        Yaml::Mapping(members) => {
            let member = |(key, value)| match key {
                Yaml::String(name) => Ok((name, from_yaml(value)?)),
                other => Err(format!("{other:?} is no name of a member: expected a text")),
            };
            Value::Object(members.into_iter().map(member).collect::<Result<Map<_, _>, String>>()?)
        }
        Yaml::Tagged(tagged) => return Err(format!("the tag {} has no meaning here", tagged.tag)),
    })
}

fn yaml_number(number: &serde_yaml_ng::Number) -> Result<Value, String> {
    let whole = number.as_i64().map(Value::from).or_else(|| number.as_u64().map(Value::from));
    let real = || number.as_f64().and_then(serde_json::Number::from_f64).map(Value::from);
    whole.or_else(real).ok_or_else(|| format!("{number} is no number that JSON has"))
}

fn json(file: &str, text: &str) -> Result<Text, Mistake> {
    let wrong = |error: &serde_json::Error| {
        Mistake::new(file, format!("not JSON: {error}")).at(Some(Place { line: error.line(), column: error.column() }))
    };
    if text.trim().is_empty() {
        return Ok(Text::default());
    }
    let document = serde_json::from_str(text).map_err(|error| wrong(&error))?;
    Ok(Text { documents: vec![document], places: HashMap::new() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_is_read_from_all_three_languages() {
        let expected = json!({"entries": [{"name": "a", "args": [1, true, "x"], "options": {"queue": "q"}}]});
        let texts = [
            (Syntax::Toml, "[[entries]]\nname = 'a'\nargs = [1, true, 'x']\noptions.queue = 'q'"),
            (Syntax::Yaml, "entries:\n- name: a\n  args: [1, true, x]\n  options: {queue: q}"),
            (Syntax::Json, r#"{"entries":[{"name":"a","args":[1,true,"x"],"options":{"queue":"q"}}]}"#),
        ];
        for (syntax, text) in texts {
            let read = syntax.read("f", text).expect("it is valid");
            assert_eq!(read.documents, std::slice::from_ref(&expected), "{syntax:?}");
        }
    }

    #[test]
    fn broken_syntax_is_told_with_its_place() {
        for (syntax, text, place) in [
            (Syntax::Toml, "a = 1\nb = oops", (2, 5)),
            (Syntax::Yaml, "a: 1\nb: [", (3, 1)),
            (Syntax::Json, "{\"a\": 1,\n oops}", (2, 2)),
            (Syntax::Yaml, "a: 1\na: 2", (1, 1)),
            (Syntax::Toml, "a = 1\na = 2", (2, 1)),
        ] {
            let mistake = syntax.read("f", text).expect_err("it is broken");
            let Place { line, column } = mistake.place.expect("a place");
            assert_eq!((line, column), place, "{mistake}");
        }
    }

    #[test]
    fn a_member_is_found_by_its_path_or_by_what_is_around_it() {
        let text = Syntax::Toml.read("f", "[[entries]]\nname = 'a'\noptions = { queue = 'Q' }").expect("valid");
        let line = |path: &str| text.place(path).map(|place| (place.line, place.column));
        assert_eq!(line("entries[0].options.queue"), Some((3, 21)));
        assert_eq!(line("entries[0].options.timeout"), Some((3, 11)));
        assert_eq!(line("nonsense"), None);
    }

    #[test]
    fn what_json_does_not_have_is_refused() {
        assert!(Syntax::Toml.read("f", "a = nan").is_err());
        for text in ["a: .inf", "1: a", "a: !x 1", "a: &a [*a]"] {
            assert!(Syntax::Yaml.read("f", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_is_the_text_it_is_written_as_and_an_anchor_is_what_it_stands_for() {
        let time = Syntax::Toml.read("f", "at = 2026-03-08T02:30:00Z").expect("valid");
        assert_eq!(time.documents[0]["at"], "2026-03-08T02:30:00Z");
        let merged = Syntax::Yaml.read("f", "a: &a {x: 1}\nb:\n  <<: *a\n  y: 2").expect("valid");
        assert_eq!(merged.documents[0]["b"], json!({"x": 1, "y": 2}));
    }
}
