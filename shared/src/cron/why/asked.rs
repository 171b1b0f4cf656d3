//! The time that somebody asks about, as they write it.

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};

use super::super::Zone;
use crate::clock::Timestamp;

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The last instant of the schedule that has come, and what comes next.
    Last,
    /// The next instant of the schedule.
    Next,
    /// This time.
    At(AskedTime),
}

/// A time that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedTime {
    /// The instant; of a local time that does not exist the one it would have been, had the clocks not been changed.
    pub at: Timestamp,
    /// The local time, if it does not exist.
    pub missing: Option<NaiveDateTime>,
}

/// The text was not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a time: expected RFC 3339 such as 2026-11-21T09:00:00Z, a local time such as 09:00 or 2026-11-21 09:00, \
     last, or next"
)]
pub struct AskedError(String);

impl Asked {
    /// Reads a time; local times are those of `zone`, and a time of day is one of the day that `now` is in there.
    ///
    /// # Errors
    ///
    /// When it is not a time.
    pub fn read(text: &str, zone: Zone, now: Timestamp) -> Result<Self, AskedError> {
        let text = text.trim();
        match text {
            "" | "last" => return Ok(Self::Last),
            "next" => return Ok(Self::Next),
            _ => {}
        }
        if let Ok(at) = text.parse() {
            return Ok(Self::At(AskedTime { at, missing: None }));
        }
        let local = local(text, zone.local(now).date());
        let local = local.ok_or_else(|| AskedError(text.chars().take(64).collect()))?;
        Ok(Self::At(zone_time(zone, local)))
    }
}

impl From<Timestamp> for AskedTime {
    fn from(at: Timestamp) -> Self {
        Self { at, missing: None }
    }
}

fn local(text: &str, today: NaiveDate) -> Option<NaiveDateTime> {
    let time_of_day = |text: &str| {
        NaiveTime::parse_from_str(text, "%H:%M").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M:%S")).ok()
    };
    if let Some(time) = time_of_day(text) {
        return Some(today.and_time(time));
    }
    let (day, time) = text.split_once(['T', ' '])?;
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    Some(day.and_time(time_of_day(time.trim())?))
}

/// The first instant of a local time; of one that does not exist, where it would have been.
fn zone_time(zone: Zone, local: NaiveDateTime) -> AskedTime {
    let by_offset_of = |near: Timestamp| {
        let offset_s = i64::from(zone.to_local(near).offset().local_minus_utc());
        Timestamp::from_secs(local.and_utc().timestamp() - offset_s)
    };
    let day_before = local.checked_sub_days(Days::new(1)).unwrap_or(local);
    let before = by_offset_of(Timestamp::from_secs(day_before.and_utc().timestamp()));
    // With the offset that holds before a change: the first of two passes, or what a gap swallowed.
    if zone.local(before) == local {
        return before.into();
    }
    let after = by_offset_of(before);
    if zone.local(after) == local {
        return after.into();
    }
    AskedTime { at: before, missing: Some(local) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zone: &str) -> AskedTime {
        let now = "2026-11-21T10:00:00Z".parse().expect("a time");
        match Asked::read(text, zone.parse().expect("a zone"), now) {
            Ok(Asked::At(time)) => time,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_time_may_be_written_in_any_of_these_ways() {
        for (text, zone, expected) in [
            ("2026-11-21T09:00:00Z", "Europe/Berlin", "2026-11-21T09:00:00Z"),
            ("2026-11-21T09:00:00+05:30", "UTC", "2026-11-21T03:30:00Z"),
            ("09:00", "Europe/Berlin", "2026-11-21T08:00:00Z"),
            (" 09:00:07 ", "UTC", "2026-11-21T09:00:07Z"),
            ("2026-07-21 09:00", "Europe/Berlin", "2026-07-21T07:00:00Z"),
            ("2026-07-21T09:00", "Europe/Berlin", "2026-07-21T07:00:00Z"),
            // Today is the zone's: it is the 22nd there already.
            ("01:00", "Pacific/Kiritimati", "2026-11-21T11:00:00Z"),
        ] {
            assert_eq!(read(text, zone), AskedTime::from(expected.parse::<Timestamp>().expect("a time")), "{text}");
        }
    }

    #[test]
    fn of_a_time_that_comes_twice_the_first_is_meant() {
        let first: Timestamp = "2026-11-01T05:30:00Z".parse().expect("a time");
        assert_eq!(read("2026-11-01 01:30", "America/New_York"), first.into());
        let after: Timestamp = "2026-11-01T07:30:00Z".parse().expect("a time");
        assert_eq!(read("2026-11-01 02:30", "America/New_York"), after.into());
    }

    #[test]
    fn a_time_that_does_not_exist_is_where_it_would_have_been() {
        let time = read("2026-03-08 02:30", "America/New_York");
        assert_eq!(time.at, "2026-03-08T07:30:00Z".parse().expect("a time"));
        assert!(time.missing.is_some());
        assert_eq!(read("2026-03-08 03:30", "America/New_York").missing, None);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["soon", "25:00", "2026-13-01 00:00", "9", "2026-11-21", "yesterday 09:00"] {
            assert!(Asked::read(text, Zone::UTC, Timestamp::from_ms(0)).is_err(), "{text}");
        }
    }
}
