//! The record of a cron entry: lines of text.
//!
//! Every line has its place, and an empty one is absent. What changes when the entry fires comes first; a script hands the
//! rest on as it stands. `lua/entry.lua` is the counterpart, and writes it: here it is read.

use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::cron::{Pause, Source};

const LINES: [&str; 13] =
    ["rev", "next", "runs", "rung", "last", "silent", "uid", "created", "updated", "enabled", "anchor", "pause", "src"];

/// What becomes of an entry, beside its definition. The members are those of [`StoredEntry`](super::StoredEntry).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EntryRecord<'a> {
    pub(super) revision: u64,
    pub(super) next_mark: Option<Timestamp>,
    pub(super) run_count: u64,
    pub(super) scheduled_runs: u64,
    pub(super) last_run_at: Option<Timestamp>,
    pub(super) uid: &'a str,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) enabled: bool,
    pub(super) anchor: Timestamp,
    pub(super) pause: Option<Pause>,
    pub(super) source: Option<Source>,
}

impl<'a> EntryRecord<'a> {
    /// Reads a record; otherwise says what is wrong with it.
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        let lines = Lines::of(text)?;
        let [rev, next, runs, rung, last, silent, uid, created, updated, enabled, anchor, pause, source] = lines.0;
        if uid.is_empty() || !["", "1"].contains(&silent) || !["0", "1"].contains(&enabled) {
            return Err(format!("uid is `{uid}`, silent is `{silent}`, enabled is `{enabled}`"));
        }
        Ok(Self {
            revision: count("rev", rev)?,
            next_mark: time("next", next)?,
            run_count: count("runs", runs)?,
            scheduled_runs: count("rung", rung)?,
            last_run_at: time("last", last)?,
            uid,
            created_at: required("created", created)?,
            updated_at: required("updated", updated)?,
            enabled: enabled == "1",
            anchor: required("anchor", anchor)?,
            pause: json("pause", pause)?,
            source: json("src", source)?,
        })
    }
}

/// The lines, each in its place.
struct Lines<'a>([&'a str; 13]);

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Result<Self, String> {
        let mut lines = [""; 13];
        let mut rest = text;
        for (line, name) in lines.iter_mut().zip(LINES) {
            (*line, rest) = rest.split_once('\n').ok_or_else(|| format!("{name} is missing"))?;
        }
        if rest.is_empty() { Ok(Self(lines)) } else { Err(format!("`{rest}` is too much")) }
    }
}

/// A number that scripts read too, who know no other sign.
fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    let signed = text.starts_with('+');
    text.parse().ok().filter(|_| !signed).ok_or_else(|| format!("{name} is `{text}`"))
}

fn count(name: &str, text: &str) -> Result<u64, String> {
    number(name, text)
}

fn required(name: &str, text: &str) -> Result<Timestamp, String> {
    number(name, text).map(Timestamp::from_ms)
}

fn time(name: &str, text: &str) -> Result<Option<Timestamp>, String> {
    if text.is_empty() { Ok(None) } else { required(name, text).map(Some) }
}

fn json<T: DeserializeOwned>(name: &str, text: &str) -> Result<Option<T>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|error| format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines by place.
    const GOOD: [&str; 13] = ["7", "9000", "3", "2", "", "1", "u", "1000", "2000", "1", "1500", "", ""];

    fn joined(lines: [&str; 13]) -> String {
        lines.map(|line| format!("{line}\n")).concat()
    }

    #[test]
    fn each_line_is_read_by_its_place() {
        let ms = Timestamp::from_ms;
        let pause = Pause { since: ms(3000), until: None, note: Some("a\nb\0c\u{7f}".to_owned()), by: None };
        let source =
            Source { owner: "ops".parse().expect("a name"), file: "a\nb.toml".to_owned(), enabled: Some(true) };
        let mut lines = GOOD.map(str::to_owned);
        lines[11] = serde_json::to_string(&pause).expect("JSON");
        lines[12] = serde_json::to_string(&source).expect("JSON");
        let text = joined(lines.each_ref().map(String::as_str));
        assert_eq!(text.lines().count(), LINES.len(), "what people write takes no line of its own");
        let record = EntryRecord {
            revision: 7,
            next_mark: Some(ms(9000)),
            run_count: 3,
            scheduled_runs: 2,
            last_run_at: None,
            uid: "u",
            created_at: ms(1000),
            updated_at: ms(2000),
            enabled: true,
            anchor: ms(1500),
            pause: Some(pause),
            source: Some(source),
        };
        assert_eq!(EntryRecord::read(&text), Ok(record));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |place: usize, line: &'static str| {
            let mut lines = GOOD;
            lines[place] = line;
            EntryRecord::read(&joined(lines)).expect_err("it is wrong")
        };
        assert_eq!(wrong(0, ""), "rev is ``");
        assert_eq!(wrong(1, "+1"), "next is `+1`");
        assert_eq!(wrong(2, "-1"), "runs is `-1`");
        assert_eq!(wrong(10, ""), "anchor is ``");
        assert!(wrong(9, "2").ends_with("enabled is `2`") && wrong(5, "0").contains("silent is `0`"));
        assert!(wrong(11, "{").starts_with("pause: ") && wrong(12, "1").starts_with("src: "));
        let good = joined(GOOD);
        assert_eq!(EntryRecord::read("").expect_err("no record"), "rev is missing");
        assert_eq!(EntryRecord::read(&good[..good.len() - 1]).expect_err("cut off"), "src is missing");
        assert_eq!(EntryRecord::read(&format!("{good}x")).expect_err("too long"), "`x` is too much");
    }
}
