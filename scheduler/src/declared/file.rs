//! One file of a directory: its entries, or all that is wrong with it.

use carillon_shared::cron::{Definition, MEMBERS, Source};
use carillon_shared::name::OwnerName;
use serde_json::{Map, Value};

use super::mistake::{Mistake, Place};
use super::shape;
use super::syntax::{Syntax, Text, join};

/// A likeness below this is no likely misspelling.
const LIKENESS_MIN: f64 = 0.75;

/// An entry as a file declares it.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) definition: Definition,
    pub(crate) source: Source,
    /// Its path within the file, and the place, where the parser tells it.
    pub(super) path: String,
    pub(super) place: Option<Place>,
}

impl Declared {
    /// A mistake in where this entry stands.
    pub(super) fn mistake(&self, problem: impl Into<String>) -> Mistake {
        Mistake::new(&self.source.file, problem).at(self.place).path(&self.path)
    }
}

/// Reads a file; `file` is its name within the directory.
pub(super) fn read(file: &str, syntax: Syntax, text: &str, owner: &OwnerName) -> Result<Vec<Declared>, Vec<Mistake>> {
    let text = syntax.read(file, text).map_err(|mistake| vec![mistake])?;
    let (mut declared, mut mistakes) = (Vec::new(), Vec::new());
    for (index, document) in text.documents.iter().enumerate() {
        let at = if text.documents.len() == 1 { String::new() } else { format!("document[{index}]") };
        match shape::entries(document, &at) {
            Err((path, problem)) => mistakes.push(mistake(file, &text, &path, problem)),
            Ok(entries) => {
                for (path, map) in entries {
                    match entry(file, &text, &path, map, owner) {
                        Ok(entry) => declared.push(entry),
                        Err(found) => mistakes.extend(found),
                    }
                }
            }
        }
    }
    if mistakes.is_empty() { Ok(declared) } else { Err(mistakes) }
}

fn entry(
    file: &str,
    text: &Text,
    path: &str,
    map: &Map<String, Value>,
    owner: &OwnerName,
) -> Result<Declared, Vec<Mistake>> {
    let unknown = map.keys().filter(|key| !MEMBERS.contains(&key.as_str()));
    let unknown: Vec<_> = unknown.map(|key| mistake(file, text, &join(path, key), no_member(key))).collect();
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let (definition, _) = Definition::read(&Value::Object(map.clone())).map_err(|refusal| {
        let problem = without_name(&refusal.field, &refusal.message);
        let path = if refusal.field.is_empty() { path.to_owned() } else { join(path, &refusal.field) };
        vec![mistake(file, text, &path, problem)]
    })?;
    let source = Source { owner: owner.clone(), file: file.to_owned(), enabled: definition.enabled };
    Ok(Declared { definition, source, path: path.to_owned(), place: text.place(path) })
}

fn mistake(file: &str, text: &Text, path: &str, problem: impl Into<String>) -> Mistake {
    Mistake::new(file, problem).at(text.place(path)).path(path)
}

/// The message without the name of the member, which the path says already.
fn without_name<'a>(field: &str, message: &'a str) -> &'a str {
    let rest = message.strip_prefix(field).filter(|_| !field.is_empty());
    rest.and_then(|rest| rest.strip_prefix(": ").or_else(|| rest.strip_prefix(' '))).unwrap_or(message)
}

fn no_member(name: &str) -> String {
    let likeness = |other: &&&str| strsim::jaro_winkler(other, name);
    let nearest = MEMBERS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|other| likeness(other) >= LIKENESS_MIN) {
        Some(other) => format!("unknown member, did you mean `{other}`?"),
        None => format!("unknown member, expected one of {}", MEMBERS.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(file: &str, text: &str) -> Vec<String> {
        let syntax = Syntax::of(file).expect("a language");
        let owner = "default".parse().expect("a name");
        read(file, syntax, text, &owner).expect_err("mistakes").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_of_a_file_is_told_with_its_place_and_path() {
        let text = "[[entries]]\nname = 'a'\ncron = '61 * * * *'\ntype = 'echo'\n\n[[entries]]\nname = 'b'\n\
            cron = '@daily'\ntype = 'echo'\noverlap_policy = 'maybe'\n\n[[entries]]\nname = 'c'\ncorn = '@daily'\n";
        let found = mistakes("a.toml", text);
        assert!(found[0].starts_with("a.toml:3:8: entries[0].cron: `61` "), "{found:?}");
        assert!(found[1].starts_with("a.toml:10:18: entries[1].overlap_policy: must be `skip`"), "{found:?}");
        assert_eq!(found[2], "a.toml:14:8: entries[2].corn: unknown member, did you mean `cron`?");
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_member_that_is_missing_is_told_at_its_entry() {
        let found = mistakes("a.toml", "[[entries]]\nname = 'a'\ncron = '@daily'\n");
        assert!(found[0].starts_with("a.toml:1:1: entries[0].type: must be a job type"), "{found:?}");
        let found = mistakes("a.yaml", "name: a\ncron: '@daily'\n---\nname: b\n");
        assert!(found[0].starts_with("a.yaml: document[0].type: "), "{found:?}");
        assert!(found[1].starts_with("a.yaml: document[1].cron: "), "{found:?}");
    }

    #[test]
    fn the_file_says_whether_it_decides_on_being_enabled() {
        let owner: OwnerName = "team-a".parse().expect("a name");
        let text = r#"[{"name":"a","cron":"@daily","type":"echo"},{"name":"b","cron":"@daily","type":"echo","enabled":false}]"#;
        let declared = read("x.json", Syntax::Json, text, &owner).expect("valid");
        let sources: Vec<_> = declared.iter().map(|entry| (entry.source.file.as_str(), entry.source.enabled)).collect();
        assert_eq!(sources, [("x.json", None), ("x.json", Some(false))]);
    }
}
