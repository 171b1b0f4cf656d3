//! The fields of an expression: their ranges, their names, and what may be written in them.
//!
//! Inside the calendar a weekday is 0 (Sunday) to 6, or 7 where a range ends on Sunday, whatever the dialect counts from.

use std::fmt;

use serde::Serialize;

use super::dialect::Dialect;

/// One of the columns of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// 0 to 59
    Second,
    /// 0 to 59
    Minute,
    /// 0 to 23
    Hour,
    /// 1 to 31
    DayOfMonth,
    /// 1 to 12
    Month,
    /// Sunday to Saturday
    DayOfWeek,
    /// 1970 to 2099, Quartz only
    Year,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl Field {
    /// All of them, in the order of a seven-field expression.
    pub const ALL: [Self; 7] =
        [Self::Second, Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek, Self::Year];

    /// The least and the greatest number that may be written.
    pub(super) const fn written_range(self, dialect: Dialect) -> (u16, u16) {
        match (self, dialect) {
            (Self::Second | Self::Minute, _) => (0, 59),
            (Self::Hour, _) => (0, 23),
            (Self::DayOfMonth, _) => (1, 31),
            (Self::Month, _) => (1, 12),
            (Self::DayOfWeek, Dialect::Ojs) => (0, 7),
            (Self::DayOfWeek, Dialect::Quartz) => (1, 7),
            (Self::Year, _) => (1970, 2099),
        }
    }

    /// The first value and how many there are, in our own counting.
    pub(super) const fn cycle(self) -> (u16, u16) {
        match self {
            Self::Second | Self::Minute => (0, 60),
            Self::Hour => (0, 24),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
            Self::Year => (1970, 130),
        }
    }

    /// What a written number means in our own counting.
    pub(super) const fn counted(self, written: u16, dialect: Dialect) -> u16 {
        match (self, dialect) {
            (Self::DayOfWeek, Dialect::Quartz) => written - 1,
            _ => written,
        }
    }

    /// The full names of the values, from the first one on; expressions write three letters of them.
    pub(super) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &WEEKDAYS,
            _ => &[],
        }
    }

    /// The value that a three-letter name stands for, in any case.
    pub(super) fn named(self, name: &str) -> Option<u16> {
        let index = self.names().iter().position(|known| known[..3].eq_ignore_ascii_case(name))?;
        u16::try_from(index).ok().map(|index| index + self.cycle().0)
    }

    /// What may be written here, for people.
    pub(super) const fn allowed(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Second | Self::Minute, _) => "0-59 with * , - /",
            (Self::Hour, _) => "0-23 with * , - /",
            (Self::DayOfMonth, Dialect::Ojs) => "1-31 with * , - / and L, L-3, LW, 15W",
            (Self::DayOfMonth, Dialect::Quartz) => "1-31 with * ? , - / and L, L-3, LW, 15W",
            (Self::Month, _) => "1-12 or JAN-DEC with * , - /",
            (Self::DayOfWeek, Dialect::Ojs) => "0-7 or SUN-SAT (0 and 7 are Sunday) with * , - / and 5L, 5#3",
            (Self::DayOfWeek, Dialect::Quartz) => "1-7 or SUN-SAT (1 is Sunday) with * ? , - / and L, 6L, 6#3",
            (Self::Year, _) => "1970-2099 with * , - /",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day-of-month",
            Self::Month => "month",
            Self::DayOfWeek => "day-of-week",
            Self::Year => "year",
        })
    }
}
