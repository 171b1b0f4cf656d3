//! Days and dates of the proleptic Gregorian calendar, without zones and without allocation.
//!
//! A day is counted from 1970-01-01 = 0. Years are 0 to 9999; the calendar asks for no others.

/// Seconds of a civil day.
pub(super) const DAY_SECS: i64 = 86_400;

/// Days in the 400 years after which dates and weekdays repeat.
pub(super) const CYCLE_DAYS: i64 = 146_097;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_SHIFT: i32 = 719_468;

/// A date and where its month begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i32,
    pub(super) month: u32,
    pub(super) day: u32,
}

/// The date of a day: the algorithm of Neri and Schneider, which needs three multiplications and no table.
pub(super) const fn date_of(day: i32) -> Date {
    let shifted = (day + EPOCH_SHIFT) as u32;
    let quarters = 4 * shifted + 3;
    let century = quarters / 146_097;
    let in_century = (quarters % 146_097) / 4;
    let product = 2_939_745 * (4 * in_century + 3) as u64;
    let in_year = (product as u32) / 2_939_745 / 4;
    let months = 2_141 * in_year + 197_913;
    let after_february = in_year >= 306;
    let year = (100 * century + (product >> 32) as u32) as i32 + after_february as i32;
    let month = if after_february { (months >> 16) - 12 } else { months >> 16 };
    Date { year, month, day: (months & 0xffff) / 2_141 + 1 }
}

/// The day on which a month begins.
pub(super) const fn first_of(year: i32, month: u32) -> i32 {
    let late = (month <= 2) as i32;
    let year = (year - late) as u32;
    let month = if month <= 2 { month + 12 } else { month };
    let century = year / 100;
    let days = 1_461 * year / 4 - century + century / 4 + (979 * month - 2_919) / 32;
    days as i32 - EPOCH_SHIFT
}

/// 28 to 31.
pub(super) const fn length_of(year: i32, month: u32) -> u32 {
    if month == 2 { 28 + is_leap(year) as u32 } else { 30 | (month ^ (month >> 3)) }
}

const fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// 0 is Sunday.
pub(super) const fn weekday_of(day: i32) -> usize {
    ((day + EPOCH_SHIFT) as u32 + 3).rem_euclid(7) as usize
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    #[test]
    fn every_day_of_eight_centuries_agrees_with_chrono() {
        let mut date = NaiveDate::from_ymd_opt(1969, 1, 1).unwrap();
        for day in -365..292_000 {
            let expected = Date { year: date.year(), month: date.month(), day: date.day() };
            assert_eq!(date_of(day), expected);
            assert_eq!(weekday_of(day), date.weekday().num_days_from_sunday() as usize);
            assert_eq!(first_of(expected.year, expected.month), day - date.day0().cast_signed());
            assert_eq!(length_of(expected.year, expected.month), u32::from(date.num_days_in_month()));
            date = date.succ_opt().unwrap();
        }
    }
}
