//! The days of a schedule: months, years, and one mask of days for each shape that a month can have.
//!
//! A month has 28 to 31 days and begins on one of seven weekdays: 28 shapes. `L`, `W`, `#`, weekdays and the union of the
//! two day fields are worked out once for each; the search only looks masks up.

use super::civil::{date_of, first_of, length_of, weekday_of};
use super::plain::Bits;

/// The greatest year there is.
const YEAR_MAX: i32 = 9999;
/// 1970-01-01 may be a day earlier in a zone west of Greenwich.
const YEAR_MIN: i32 = 1969;
/// The years that a year field can name.
const YEARS_NAMED: std::ops::RangeInclusive<i32> = 1970..=2099;

/// One mask for each shape of a month: bit n is its n-th day.
pub(super) type Masks = [[u32; 7]; 4];

/// The days on which a schedule may fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Days {
    masks: Masks,
    months: u32,
    years: Option<Bits>,
    never: bool,
}

impl Days {
    /// `months` has bit n for the n-th month; no `years` means all of them.
    pub(super) fn new(masks: Masks, months: u32, years: Option<Bits>) -> Self {
        let mut days = Self { masks, months, years, never: false };
        days.never = !days.some_month_matches() || days.from(first_of(1970, 1)).is_none();
        days
    }

    pub(super) const fn contains(&self, day: i32) -> bool {
        let date = date_of(day);
        self.has_year(date.year) && self.mask(date.year, date.month) >> date.day & 1 == 1
    }

    /// The first day at or after one.
    pub(super) fn from(&self, day: i32) -> Option<i32> {
        if self.never {
            return None;
        }
        let date = date_of(day);
        if self.has_year(date.year) {
            let rest = self.mask(date.year, date.month) >> date.day;
            if rest != 0 {
                return Some(day + rest.trailing_zeros().cast_signed());
            }
            let found = self.first_in_year(date.year, date.month);
            if found.is_some() {
                return found;
            }
        }
        let mut year = date.year;
        loop {
            year = self.year_after(year)?;
            let found = self.first_in_year(year, 0);
            if found.is_some() {
                return found;
            }
        }
    }

    /// The last day at or before one.
    pub(super) fn until(&self, day: i32) -> Option<i32> {
        if self.never {
            return None;
        }
        let date = date_of(day);
        if self.has_year(date.year) {
            let rest = self.mask(date.year, date.month) & (u32::MAX >> (31 - date.day));
            if rest != 0 {
                return Some(day - date.day.cast_signed() + top(rest));
            }
            let found = self.last_in_year(date.year, date.month);
            if found.is_some() {
                return found;
            }
        }
        let mut year = date.year;
        loop {
            year = self.year_before(year)?;
            let found = self.last_in_year(year, 13);
            if found.is_some() {
                return found;
            }
        }
    }

    /// How many days match from one day on and before another: whole months at a time.
    pub(super) fn count(&self, from: i32, before: i32) -> u64 {
        let mut count = 0;
        let mut first = from;
        while first < before && !self.never {
            let date = date_of(first);
            let length = length_of(date.year, date.month);
            let days = length + 1 - date.day;
            let left = u32::try_from(before - first).unwrap_or(0);
            let mut mask = self.mask(date.year, date.month) >> date.day;
            if left < days {
                mask &= (1 << left) - 1;
            }
            count += u64::from(mask.count_ones()) * u64::from(self.has_year(date.year));
            first += days.cast_signed();
        }
        count
    }

    fn first_in_year(&self, year: i32, after_month: u32) -> Option<i32> {
        let mut rest = self.months & (u32::MAX << after_month << 1);
        while rest != 0 {
            let month = rest.trailing_zeros();
            let mask = self.mask(year, month);
            if mask != 0 {
                return Some(first_of(year, month) - 1 + mask.trailing_zeros().cast_signed());
            }
            rest &= rest - 1;
        }
        None
    }

    fn last_in_year(&self, year: i32, before_month: u32) -> Option<i32> {
        let mut rest = self.months & ((1 << before_month) - 1);
        while rest != 0 {
            let month = top(rest).cast_unsigned();
            let mask = self.mask(year, month);
            if mask != 0 {
                return Some(first_of(year, month) - 1 + top(mask));
            }
            rest &= !(1 << month);
        }
        None
    }

    /// The days of a month; none if the month is not in the set.
    const fn mask(&self, year: i32, month: u32) -> u32 {
        if self.months >> month & 1 == 0 {
            return 0;
        }
        self.masks[length_of(year, month) as usize - 28][weekday_of(first_of(year, month))]
    }

    const fn has_year(&self, year: i32) -> bool {
        match &self.years {
            None => true,
            Some(years) if year >= *YEARS_NAMED.start() && year <= *YEARS_NAMED.end() => {
                let index = (year - 1970) as usize;
                years[index / 64] >> (index % 64) & 1 == 1
            }
            Some(_) => false,
        }
    }

    fn year_after(&self, year: i32) -> Option<i32> {
        let limit = if self.years.is_some() { *YEARS_NAMED.end() } else { YEAR_MAX };
        (year.max(YEAR_MIN) + 1..=limit).find(|year| self.has_year(*year))
    }

    fn year_before(&self, year: i32) -> Option<i32> {
        let limit = if self.years.is_some() { *YEARS_NAMED.end() } else { YEAR_MAX };
        (YEAR_MIN..year.min(limit + 1)).rev().find(|year| self.has_year(*year))
    }

    /// Every month that is in the set takes, in 400 years, all the shapes that its lengths allow, so one shape suffices.
    fn some_month_matches(&self) -> bool {
        let mut months = (1..=12).filter(|month| self.months >> month & 1 == 1);
        months.any(|month| {
            let lengths = [length_of(2001, month), length_of(2004, month)];
            lengths.iter().any(|length| self.masks[*length as usize - 28] != [0; 7])
        })
    }
}

const fn top(bits: u32) -> i32 {
    (31 - bits.leading_zeros()) as i32
}
