//! The file layer: a flat TOML table whose keys are the flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{Mistake, Origin};
use super::setting::{SETTINGS, Setting};

/// A likeness below this is no likely misspelling.
const LIKENESS_MIN: f64 = 0.7;

/// The values of a configuration file, as text.
#[derive(Debug, Default)]
pub(super) struct FileLayer {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl FileLayer {
    /// Reads a file; what cannot be read or is unknown is added to `mistakes`.
    pub(super) fn read(path: &Path, named_by: Origin, mistakes: &mut Vec<Mistake>) -> Self {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text, mistakes),
            Err(error) => {
                let problem = format!("cannot read the configuration file {}: {error}", path.display());
                mistakes.push(Mistake { origin: named_by, problem });
                Self::default()
            }
        }
    }

    /// Takes the text of a file apart.
    pub(super) fn parse(path: &Path, text: &str, mistakes: &mut Vec<Mistake>) -> Self {
        let mut layer = Self { path: path.to_owned(), values: BTreeMap::new() };
        match text.parse::<toml::Table>() {
            Ok(table) => layer.take(table, mistakes),
            Err(error) => mistakes.push(layer.mistake("", syntax_problem(text, &error))),
        }
        layer
    }

    /// The value of a setting and where it stands.
    pub(super) fn value(&self, setting: &Setting) -> Option<(String, Origin)> {
        self.values.get(setting.flag).map(|text| (text.clone(), self.origin(setting.flag)))
    }

    fn take(&mut self, table: toml::Table, mistakes: &mut Vec<Mistake>) {
        for (key, value) in table {
            match known(&key).and_then(|()| plain_text(&value)) {
                Ok(text) => _ = self.values.insert(key, text),
                Err(problem) => mistakes.push(self.mistake(&key, problem)),
            }
        }
    }

    fn mistake(&self, key: &str, problem: String) -> Mistake {
        Mistake { origin: self.origin(key), problem }
    }

    fn origin(&self, key: &str) -> Origin {
        Origin::File { path: self.path.clone(), key: key.to_owned() }
    }
}

fn known(key: &str) -> Result<(), String> {
    if SETTINGS.iter().any(|setting| setting.flag == key) {
        return Ok(());
    }
    let written = key.to_ascii_lowercase().replace('_', "-");
    let likeness = |setting: &Setting| strsim::jaro_winkler(setting.flag, &written);
    let nearest = SETTINGS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|setting| likeness(setting) >= LIKENESS_MIN) {
        Some(setting) => Err(format!("unknown key, did you mean {}?", setting.flag)),
        None => Err("unknown key, expected the name of a flag".to_owned()),
    }
}

/// Values are text, whole numbers or truth values; a list of texts stands for its elements with commas.
fn plain_text(value: &toml::Value) -> Result<String, String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(truth) => Ok(truth.to_string()),
        toml::Value::Array(items) => items.iter().map(plain_text).collect::<Result<Vec<_>, _>>().map(|v| v.join(",")),
        other => Err(format!("expected a text, a whole number or true/false, found a {}", other.type_str())),
    }
}

/// Says where the syntax breaks, without the excerpt that could show a secret.
fn syntax_problem(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let line = 1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count();
    let message = error.message().lines().next().unwrap_or("malformed");
    format!("line {line} is not TOML: {message}")
}

#[cfg(test)]
mod tests {
    use super::super::setting::{LEADER_TTL, PORT, QUEUES};
    use super::*;

    fn parse(text: &str) -> (FileLayer, Vec<String>) {
        let mut mistakes = Vec::new();
        let layer = FileLayer::parse(Path::new("c.toml"), text, &mut mistakes);
        (layer, mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn texts_numbers_and_lists_are_read_as_a_flag_would_write_them() {
        let (layer, mistakes) = parse("port = 81\nqueues = ['a', 'b']\nleader-ttl = '5s'");
        let text = |setting| layer.value(setting).map(|(text, _)| text);
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!([text(&PORT), text(&QUEUES), text(&LEADER_TTL)], ["81", "a,b", "5s"].map(|t| Some(t.to_owned())));
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        let (_, mistakes) = parse("leader_ttl = '5s'\nretention = '1d'\nxyzzy = 1");
        assert_eq!(mistakes[0], "c.toml:leader_ttl: unknown key, did you mean leader-ttl?");
        assert!(mistakes[1].contains("did you mean retention-"), "{}", mistakes[1]);
        assert_eq!(mistakes[2], "c.toml:xyzzy: unknown key, expected the name of a flag");
    }

    #[test]
    fn a_section_is_refused_by_its_name() {
        let (_, mistakes) = parse("[port]\nx = 1");
        assert_eq!(mistakes, ["c.toml:port: expected a text, a whole number or true/false, found a table"]);
    }

    #[test]
    fn broken_syntax_is_told_with_its_line_and_not_its_text() {
        let (_, mistakes) = parse("port = 1\napi-key = secretive");
        assert!(mistakes[0].starts_with("c.toml: line 2 is not TOML"), "{}", mistakes[0]);
        assert!(!mistakes[0].contains("secretive"), "{}", mistakes[0]);
    }

    #[test]
    fn a_missing_file_is_a_mistake_of_whoever_named_it() {
        let mut mistakes = Vec::new();
        FileLayer::read(Path::new("/nonexistent/c.toml"), Origin::Flag("config"), &mut mistakes);
        assert!(mistakes[0].to_string().starts_with("--config: cannot read the configuration file"));
    }
}
