//! One table of a TOML file, read key by key; what is wrong is noted with its line, and reading goes on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::Mistake;

/// A likeness below this is no likely misspelling.
const LIKENESS_MIN: f64 = 0.75;

/// The mistakes found so far in a text.
#[derive(Debug)]
pub(super) struct Notes<'t> {
    text: &'t str,
    mistakes: Vec<Mistake>,
}

/// A table, and the key under which it stands.
pub(super) struct Section<'a, 'i, 't> {
    pub(super) key: String,
    pub(super) span: Range<usize>,
    pub(super) table: &'a DeTable<'i>,
    pub(super) notes: &'a mut Notes<'t>,
}

impl<'t> Notes<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, mistakes: Vec::new() }
    }

    pub(super) fn note(&mut self, at: &Range<usize>, key: impl Into<String>, problem: impl Into<String>) {
        let line = 1 + self.text.bytes().take(at.start).filter(|byte| *byte == b'\n').count();
        self.mistakes.push(Mistake { line, key: key.into(), problem: problem.into() });
    }

    /// The mistakes, in the order of the file.
    pub(super) fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|mistake| mistake.line);
        self.mistakes
    }
}

impl<'a, 'i> Section<'a, 'i, '_> {
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Notes a mistake at a key of this table, or at the table itself if it has no such key.
    pub(super) fn note(&mut self, name: &str, problem: impl Into<String>) {
        let (span, key) = match self.table.get(name) {
            Some(value) => (value.span(), format!("{}.{name}", self.key)),
            None => (self.span.clone(), self.key.clone()),
        };
        self.notes.note(&span, key, problem);
    }

    /// Notes every key that is not among `known`.
    pub(super) fn refuse_unknown(&mut self, known: &[&str], why: impl Fn(&str) -> Option<String>) {
        for name in self.table.keys().filter(|name| !known.contains(&name.get_ref().as_ref())) {
            let text = name.get_ref();
            let problem = why(text).unwrap_or_else(|| unknown(text, known));
            self.notes.note(&name.span(), format!("{}.{text}", self.key), problem);
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let value = self.value(name)?;
        let text = value.as_str().map(str::to_owned);
        self.expect(name, text, "a text")
    }

    pub(super) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let value = self.value(name)?;
        let read = value
            .as_array()
            .and_then(|items| items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect());
        self.expect(name, read, "a list of texts")
    }

    pub(super) fn duration(&mut self, name: &str) -> Option<Duration> {
        let value = self.value(name)?;
        let read =
            value.as_str().and_then(|text| humantime::parse_duration(text).ok()).filter(|duration| !duration.is_zero());
        self.expect(name, read, "a duration with its unit, such as 500ms, 30s or 10m")
    }

    /// Exit codes of commands that failed.
    pub(super) fn exit_codes(&mut self, name: &str) -> Option<Vec<i32>> {
        let value = self.value(name)?;
        let code = |item: &Spanned<DeValue<'_>>| {
            let integer = item.get_ref().as_integer()?;
            i32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|code| (1..=255).contains(code))
        };
        let read = value.as_array().and_then(|items| items.iter().map(code).collect());
        self.expect(name, read, "a list of exit codes from 1 to 255, such as [65]")
    }

    /// A table of texts. Its values are never part of a message.
    pub(super) fn table_of_texts(&mut self, name: &str) -> Option<BTreeMap<String, String>> {
        let value = self.value(name)?;
        let pair = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            Some((key.to_string(), value.get_ref().as_str()?.to_owned()))
        };
        let read = value.as_table().and_then(|table| table.iter().map(pair).collect());
        self.expect(name, read, "a table of texts, such as { KEY = \"value\" }")
    }

    fn value(&self, name: &str) -> Option<&'a DeValue<'i>> {
        self.table.get(name).map(Spanned::get_ref)
    }

    fn expect<T>(&mut self, name: &str, read: Option<T>, expected: &str) -> Option<T> {
        if read.is_none() {
            self.note(name, format!("expected {expected}"));
        }
        read
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    let likeness = |other: &&&str| strsim::jaro_winkler(other, name);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|other| likeness(other) >= LIKENESS_MIN) {
        Some(other) => format!("unknown key, did you mean {other}?"),
        None => format!("unknown key, expected {}", known.join(", ")),
    }
}
