//! An instant, as everything here writes it down.
//!
//! A [`Timestamp`] is a whole number of milliseconds since 1970-01-01T00:00:00Z. Redis keeps it as that integer, the wire
//! shows it as RFC 3339 in UTC. It is an argument of everything that decides; only [`Clock`](super::Clock) makes one.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text was not an RFC 3339 date and time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 date and time such as 2026-03-08T02:30:00Z")]
pub struct TimestampError(String);

impl Timestamp {
    /// 0001-01-01T00:00:00Z, the earliest instant that RFC 3339 writes.
    pub const MIN: Self = Self(-62_135_596_800_000);
    /// 9999-12-31T23:59:59.999Z, the latest instant that RFC 3339 writes.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The instant `ms` milliseconds after the epoch, moved to the nearest one that RFC 3339 can write.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        if ms < Self::MIN.0 {
            Self::MIN
        } else if ms > Self::MAX.0 {
            Self::MAX
        } else {
            Self(ms)
        }
    }

    /// The instant `secs` seconds after the epoch.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_ms(secs.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// The same instant as `chrono` has it.
    #[must_use]
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self::from_ms(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self::from_ms(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Timestamp {
    /// How long an instant is at most when it is written.
    pub(crate) const CHARS_MAX: usize = "2026-03-08T05:30:00.050Z".len();

    /// Writes it down in the room given, digit by digit: every job that is shown shows several, and a general formatter takes
    /// three times as long.
    pub(crate) fn written(self, text: &mut [u8; Self::CHARS_MAX]) -> &str {
        let at = self.to_chrono();
        text.copy_from_slice(b"0000-00-00T00:00:00.000Z");
        digits(&mut text[..4], at.year().unsigned_abs());
        digits(&mut text[5..7], at.month());
        digits(&mut text[8..10], at.day());
        digits(&mut text[11..13], at.hour());
        digits(&mut text[14..16], at.minute());
        digits(&mut text[17..19], at.second());
        digits(&mut text[20..23], at.timestamp_subsec_millis());
        let length = if at.timestamp_subsec_millis() > 0 { Self::CHARS_MAX } else { Self::CHARS_MAX - ".000".len() };
        text[length - 1] = b'Z';
        str::from_utf8(&text[..length]).unwrap_or_default()
    }
}

/// Fills the place with the number, from the right.
fn digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
}

/// RFC 3339 in UTC; milliseconds are shown only where there are some.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.written(&mut [0; Self::CHARS_MAX]))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        DateTime::parse_from_rfc3339(text)
            .map(|instant| Self::from_ms(instant.timestamp_millis()))
            .map_err(|_| TimestampError(text.chars().take(64).collect()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.written(&mut [0; Self::CHARS_MAX]))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;

    use super::*;

    #[test]
    fn whole_seconds_are_written_without_a_fraction() {
        assert_eq!(Timestamp::from_secs(1_772_947_800).to_string(), "2026-03-08T05:30:00Z");
        assert_eq!(Timestamp::from_ms(1_772_947_800_050).to_string(), "2026-03-08T05:30:00.050Z");
    }

    #[test]
    fn what_is_written_is_what_chrono_writes() {
        let ends =
            [Timestamp::MIN.as_ms(), Timestamp::MIN.as_ms() + 1, Timestamp::MAX.as_ms() - 999, Timestamp::MAX.as_ms()];
        let steps = (0..).map(|n| Timestamp::MIN.as_ms() + n * 29_000_000_007);
        let between = steps.take_while(|ms| *ms < Timestamp::MAX.as_ms());
        for ms in ends.into_iter().chain([-1000, -999, -1, 0, 7, 70, 700, 951_782_400_000]).chain(between) {
            let instant = Timestamp::from_ms(ms);
            let precision = if ms % 1000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
            assert_eq!(instant.to_string(), instant.to_chrono().to_rfc3339_opts(precision, true));
            assert_eq!(serde_json::to_value(instant).ok(), Some(instant.to_string().into()));
        }
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        for ms in [0, 1, -1, 1_772_947_800_050, Timestamp::MAX.as_ms(), Timestamp::MIN.as_ms()] {
            let instant = Timestamp::from_ms(ms);
            assert_eq!(instant.to_string().parse(), Ok(instant));
        }
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Duration::MAX, Timestamp::MIN);
        assert_eq!(Timestamp::from_secs(1).since(Timestamp::from_secs(2)), Duration::ZERO);
    }
}
