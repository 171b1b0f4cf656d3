//! Times and spans as sentences say them.

use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime};

use super::super::Zone;
use crate::clock::Timestamp;

/// The clock on the wall where an entry lives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wall {
    zone: Zone,
    /// The day that the sentence is about: it is not repeated.
    day: NaiveDate,
}

impl Wall {
    pub(super) fn new(zone: Zone, about: Timestamp) -> Self {
        Self { zone, day: zone.local(about).date() }
    }

    /// Day, time and zone.
    pub(super) fn whole(self, at: Timestamp) -> String {
        format!("{} {}", written(self.zone.local(at)), self.zone)
    }

    /// A local time that no instant has.
    pub(super) fn whole_local(self, local: NaiveDateTime) -> String {
        format!("{} {}", written(local), self.zone)
    }

    /// The time, and the day if it is another.
    pub(super) fn time(self, at: Timestamp) -> String {
        let local = self.zone.local(at);
        if local.date() == self.day { local.format("%H:%M:%S").to_string() } else { written(local) }
    }
}

fn written(local: NaiveDateTime) -> String {
    local.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A span, as exact as matters.
pub(super) fn span(length: Duration) -> String {
    match length.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        ms @ 1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => humantime::format_duration(Duration::from_secs(length.as_secs())).to_string(),
    }
}

/// A number of things.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_named_only_where_it_is_another() {
        let zone: Zone = "Europe/Berlin".parse().expect("a zone");
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let wall = Wall::new(zone, at("2026-11-21T08:00:00Z"));
        assert_eq!(wall.whole(at("2026-11-21T08:00:00Z")), "2026-11-21 09:00:00 Europe/Berlin");
        assert_eq!(wall.time(at("2026-11-21T22:59:59Z")), "23:59:59");
        assert_eq!(wall.time(at("2026-11-21T23:00:00Z")), "2026-11-22 00:00:00");
    }

    #[test]
    fn spans_are_as_exact_as_matters() {
        let said = |ms| span(Duration::from_millis(ms));
        assert_eq!((said(7), said(1990), said(125_400)), ("7 ms".to_owned(), "1.9 s".to_owned(), "2m 5s".to_owned()));
    }
}
