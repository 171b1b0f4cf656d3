//! A compiled schedule in civil time: which local date-times it names, with no zone in sight.
//!
//! A civil second is counted like a Unix second, from 1970-01-01 00:00:00 of the local clock.

use super::civil::DAY_SECS;
use super::days::Days;
use super::expression::Fields;
use super::field::Field;
use super::masks::masks;
use super::plain::sets;
use super::times::Times;

/// The local date-times that a schedule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) days: Days,
    pub(super) times: Times,
}

impl Pattern {
    pub(super) fn of(fields: &Fields) -> Self {
        let sets = sets(fields);
        let [seconds, minutes, hours, _, months, _, years] = &sets;
        let years = fields.restricts(Field::Year).then_some(*years);
        Self {
            days: Days::new(masks(fields, &sets), (months[0] as u32) << 1, years),
            times: Times::new(seconds, minutes, hours),
        }
    }

    /// The first civil second at or after one.
    pub(super) fn from(&self, civil: i64) -> Option<i64> {
        let (day, second) = split(civil);
        if self.days.contains(day)
            && let Some(second) = self.times.from(second)
        {
            return Some(join(day, second));
        }
        self.days.from(day + 1).map(|day| join(day, self.times.first()))
    }

    /// The last civil second at or before one.
    pub(super) fn until(&self, civil: i64) -> Option<i64> {
        let (day, second) = split(civil);
        if self.days.contains(day)
            && let Some(second) = self.times.until(second)
        {
            return Some(join(day, second));
        }
        self.days.until(day - 1).map(|day| join(day, self.times.last()))
    }

    /// How many civil seconds match from one on and before another.
    pub(super) fn count(&self, from: i64, before: i64) -> u64 {
        if from >= before {
            return 0;
        }
        let ((first, from), (last, before)) = (split(from), split(before));
        let whole = self.days.count(first, last) * self.times.count();
        let of = |day, second| if self.days.contains(day) { self.times.count_before(second) } else { 0 };
        whole + of(last, before) - of(first, from)
    }
}

const fn split(civil: i64) -> (i32, u32) {
    (civil.div_euclid(DAY_SECS) as i32, civil.rem_euclid(DAY_SECS) as u32)
}

const fn join(day: i32, second: u32) -> i64 {
    day as i64 * DAY_SECS + second as i64
}
