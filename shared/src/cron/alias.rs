//! The words with an `@`: short forms of common expressions, and `@every`.

use super::dialect::{Dialect, FieldCount};
use super::error::{ScheduleError, ScheduleErrorKind as Kind};
use super::every;
use super::words::Words;

const ALIASES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

const ALIASES_ALLOWED: &str = "@yearly @annually @monthly @weekly @daily @midnight @hourly, @every 1h30m";

/// What an `@` word stands for.
pub(super) enum Alias {
    /// Fields.
    Fields(&'static str),
    /// `@every`
    Every { interval_secs: u64 },
}

/// Reads an expression whose first word begins with `@`.
pub(super) fn read(words: &Words<'_>, dialect: Dialect, held_to: Option<FieldCount>) -> Result<Alias, ScheduleError> {
    let (offset, word) = words.first();
    let refuse = |problem| ScheduleError::new(Kind::Alias, problem).token(word).at(offset);
    if dialect == Dialect::Quartz {
        return Err(refuse("is no expression of the quartz dialect").allowed("6 or 7 fields"));
    }
    if word.eq_ignore_ascii_case("@every") {
        return match held_to {
            Some(_) => Err(refuse("has no fields, and this entry is held to a number of them")),
            None => read_every(words),
        };
    }
    if words.count() > 1 {
        return Err(refuse("is followed by something; an alias stands alone").allowed(ALIASES_ALLOWED));
    }
    let known = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(word));
    let unknown = || refuse("is no alias").allowed(ALIASES_ALLOWED).suggest(nearest(word));
    known.map(|(_, fields)| Alias::Fields(fields)).ok_or_else(unknown)
}

fn read_every(words: &Words<'_>) -> Result<Alias, ScheduleError> {
    let (offset, duration) = words.after_first();
    every::read(duration, offset).map(|interval_secs| Alias::Every { interval_secs })
}

fn nearest(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    match word.as_str() {
        "@secondly" => return Some("* * * * * *"),
        "@minutely" | "@minute" | "@every_minute" => return Some("* * * * *"),
        "@weekdays" => return Some("0 0 * * MON-FRI"),
        "@weekends" => return Some("0 0 * * SAT,SUN"),
        _ if word.starts_with("@every") => return Some("@every 5m"),
        _ => {}
    }
    let near = |&&(alias, _): &&(&'static str, _)| strsim::osa_distance(alias, &word) <= 2;
    ALIASES.iter().find(near).map(|(alias, _)| *alias)
}
