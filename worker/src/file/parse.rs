//! From the text of a file to its handlers.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::command::CommandLine;
use super::mistake::FileError;
use super::section::{Notes, Section};
use super::url::Url;
use super::{Entry, Work};
use crate::builtin;

/// The ways to run a job, each with the keys that go with it.
const WAYS: [(&str, &[&str]); 3] = [
    ("command", &["command", "timeout", "env", "retry_on", "permanent_on"]),
    ("url", &["url", "timeout", "headers"]),
    ("builtin", &["builtin", "timeout"]),
];

const EXAMPLE: &str = "[handlers.\"report.generate\"]";

pub(super) fn entries(path: &Path, text: &str) -> Result<Vec<Entry>, FileError> {
    let mut notes = Notes::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let message = error.message().lines().next().unwrap_or("malformed");
        notes.note(&error.span().unwrap_or(0..0), "", format!("not TOML: {message}"));
    }
    // What is read of broken syntax would only raise mistakes that nobody made.
    let entries = if errors.is_empty() { read(root.get_ref(), &mut notes) } else { Vec::new() };
    match notes.into_mistakes() {
        mistakes if mistakes.is_empty() => Ok(entries),
        mistakes => Err(FileError::Mistakes { path: path.to_owned(), mistakes }),
    }
}

fn read(root: &DeTable<'_>, notes: &mut Notes<'_>) -> Vec<Entry> {
    for name in root.keys().filter(|name| name.get_ref() != "handlers") {
        notes.note(&name.span(), name.get_ref().as_ref(), format!("unknown key, expected tables such as {EXAMPLE}"));
    }
    let Some(handlers) = root.get("handlers") else {
        notes.note(&(0..0), "", format!("no handlers, expected at least one table such as {EXAMPLE}"));
        return Vec::new();
    };
    let Some(table) = handlers.get_ref().as_table() else {
        notes.note(&handlers.span(), "handlers", format!("expected tables such as {EXAMPLE}"));
        return Vec::new();
    };
    table.iter().filter_map(|(name, value)| entry(name.get_ref(), name.span(), value, notes)).collect()
}

fn entry(
    name: &str,
    span: std::ops::Range<usize>,
    value: &Spanned<DeValue<'_>>,
    notes: &mut Notes<'_>,
) -> Option<Entry> {
    let key = format!("handlers.\"{name}\"");
    let job_type =
        name.parse().map_err(|error: carillon_shared::name::NameError| notes.note(&span, &key, error.to_string()));
    let Some(table) = value.get_ref().as_table() else {
        // `[handlers.report.generate]` without quotes is a table of tables in TOML; this is a plain value.
        notes.note(&value.span(), key, "expected a table with one of command, url, builtin");
        return None;
    };
    let mut section = Section { key, span, table, notes };
    let work = work(name, &mut section);
    let timeout = section.duration("timeout");
    Some(Entry { job_type: job_type.ok()?, work: work?, timeout })
}

fn work(name: &str, section: &mut Section<'_, '_, '_>) -> Option<Work> {
    let ways: Vec<_> = WAYS.iter().filter(|(way, _)| section.has(way)).collect();
    let [(way, known)] = ways.as_slice() else {
        let problem = if ways.is_empty() {
            no_way(name, section)
        } else {
            "expected only one of command, url, builtin".to_owned()
        };
        section.note("", problem);
        return None;
    };
    section.refuse_unknown(known, |key| {
        let (other, _) = WAYS.iter().find(|(_, keys)| keys.contains(&key))?;
        Some(format!("goes with {other}, not with {way}"))
    });
    match *way {
        "command" => CommandLine::read(section).map(Work::Command),
        "url" => Url::read(section).map(Work::Url),
        _ => builtin_name(section).map(Work::Builtin),
    }
}

/// Without its quotes, a type with a dot is a table within a table.
fn no_way(name: &str, section: &Section<'_, '_, '_>) -> String {
    match section.table.iter().find(|(_, value)| value.get_ref().is_table()) {
        Some((inner, _)) => format!(
            "expected one of command, url, builtin; for the type {name}.{0} write [handlers.\"{name}.{0}\"]",
            inner.get_ref()
        ),
        None => "expected one of command, url, builtin".to_owned(),
    }
}

fn builtin_name(section: &mut Section<'_, '_, '_>) -> Option<&'static str> {
    let name = section.text("builtin")?;
    let found = builtin::NAMES.into_iter().find(|known| *known == name);
    if found.is_none() {
        section.note("builtin", format!("expected one of {}, found {name:?}", builtin::NAMES.join(", ")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        match entries(Path::new("h.toml"), text) {
            Ok(_) => Vec::new(),
            Err(FileError::Mistakes { mistakes, .. }) => mistakes.iter().map(ToString::to_string).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let text = r#"
[handlers."a.b"]
comand = ["x"]
[handlers."c.d"]
builtin = "ekko"
timeout = "soon"
[handlers."E"]
builtin = "echo"
env = { A = "secret" }
[handlers."f"]
url = "ftp://x"
headers = { A = 1, B = "secret" }
[handlers."g"]
command = ["sh"]
retry_on = [0]
permanent_on = [70]
"#;
        let found = mistakes(text);
        let expected = [
            "2: handlers.\"a.b\": expected one of command, url, builtin",
            "5: handlers.\"c.d\".builtin: expected one of echo, fail, sleep, found \"ekko\"",
            "6: handlers.\"c.d\".timeout: expected a duration",
            "7: handlers.\"E\": `E` is not a valid job type",
            "9: handlers.\"E\".env: goes with command, not with builtin",
            "11: handlers.\"f\".url: expected an address",
            "12: handlers.\"f\".headers: expected a table of texts",
            "15: handlers.\"g\".retry_on: expected a list of exit codes",
        ];
        for start in expected {
            assert!(found.iter().any(|mistake| mistake.starts_with(start)), "{start} in {found:#?}");
        }
        assert!(!found.concat().contains("secret"), "{found:#?}");
    }

    #[test]
    fn a_misspelled_key_is_refused_with_the_nearest_known_one() {
        assert_eq!(
            mistakes("[handlers.a]\nbuiltin = 'echo'\ntime-out = '1s'"),
            ["3: handlers.\"a\".time-out: unknown key, did you mean timeout?"]
        );
        assert_eq!(mistakes("[handler.a]\nbuiltin = 'echo'").len(), 2);
    }

    #[test]
    fn a_type_without_its_quotes_is_understood_and_told() {
        let found = mistakes("[handlers.report.generate]\nbuiltin = 'echo'");
        assert!(found[0].ends_with("for the type report.generate write [handlers.\"report.generate\"]"), "{found:?}");
    }

    #[test]
    fn broken_syntax_is_told_with_its_line() {
        let found = mistakes("[handlers.a]\nbuiltin = echo\n");
        assert!(found[0].starts_with("2: not TOML"), "{found:?}");
    }

    #[test]
    fn an_empty_file_is_a_mistake() {
        assert!(mistakes("")[0].contains("no handlers"));
    }
}
