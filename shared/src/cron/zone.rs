//! A time zone: `UTC`, or an IANA name with an area and a location, spelt exactly.
//!
//! An offset is no zone, because it does not know of clock changes; neither is an abbreviation, because it names several.

use std::fmt;
use std::str::FromStr;
use std::sync::{LazyLock, OnceLock};

use chrono::{DateTime, FixedOffset, NaiveDateTime};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Timestamp;

use super::error::{ScheduleError, ScheduleErrorKind as Kind};
use super::transitions::Transitions;
use super::zone_hint;

/// A zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// Longer names are not looked up; the longest there is has 32 bytes.
const NAME_BYTES_MAX: usize = 64;

static TRANSITIONS: LazyLock<Vec<OnceLock<Transitions>>> =
    LazyLock::new(|| TZ_VARIANTS.iter().map(|_| OnceLock::new()).collect());

impl Zone {
    /// Universal time, the default of an entry.
    pub const UTC: Self = Self(Tz::UTC);

    /// The name as it was given.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Every zone that may be named.
    pub fn all() -> impl Iterator<Item = Self> {
        TZ_VARIANTS.iter().filter(|zone| is_acceptable(zone.name())).map(|zone| Self(*zone))
    }

    /// What local clocks show at an instant.
    #[must_use]
    pub fn local(self, at: Timestamp) -> NaiveDateTime {
        self.to_local(at).naive_local()
    }

    /// The instant with the offset of this zone, as RFC 3339 writes it.
    #[must_use]
    pub fn to_local(self, at: Timestamp) -> DateTime<FixedOffset> {
        let offset = i32::try_from(self.transitions().at(at.as_secs()).offset).unwrap_or(0);
        let utc = at.to_chrono();
        match FixedOffset::east_opt(offset) {
            Some(offset) => utc.with_timezone(&offset),
            None => utc.fixed_offset(),
        }
    }

    /// The changes of this zone's offset, worked out once in the life of the process.
    pub(super) fn transitions(self) -> &'static Transitions {
        static UTC: LazyLock<Transitions> = LazyLock::new(|| Transitions::of(Tz::UTC));
        match TRANSITIONS.get(self.0 as usize) {
            Some(cell) => cell.get_or_init(|| Transitions::of(self.0)),
            // TZ_VARIANTS has every zone at its own number; a test goes through them all.
            None => &UTC,
        }
    }
}

/// `UTC`, or a name with a slash that is no fixed offset in disguise.
fn is_acceptable(name: &str) -> bool {
    name == "UTC" || name == "Etc/UTC" || (name.contains('/') && !name.starts_with("Etc/"))
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl FromStr for Zone {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() <= NAME_BYTES_MAX
            && is_acceptable(text)
            && let Ok(zone) = text.parse()
        {
            return Ok(Self(zone));
        }
        Err(refusal(text))
    }
}

fn refusal(text: &str) -> ScheduleError {
    let problem = match text {
        "" => "is empty",
        _ if zone_hint::is_offset(text) => "is an offset, which knows of no clock changes",
        _ if text.len() > NAME_BYTES_MAX => "is longer than any time zone",
        _ => "is not a time zone",
    };
    let error = ScheduleError::new(Kind::Zone, problem).allowed("UTC or an IANA name such as Europe/Berlin");
    let error = if text.is_empty() { error } else { error.token(text) };
    if text.len() > NAME_BYTES_MAX { error } else { error.suggest(zone_hint::meant(text)) }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
