//! Every zone: what its table says is what chrono-tz says, and after the end of that, what the rules in force say.

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::Zone;
use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeZone, Weekday};
use chrono_tz::Tz;

fn offset(zone: Zone, secs: i64) -> i32 {
    zone.to_local(Timestamp::from_secs(secs)).offset().local_minus_utc()
}

#[test]
fn every_zone_agrees_with_chrono_tz_from_1970_to_2099() {
    let end = 4_102_444_800;
    for zone in Zone::all() {
        let tz: Tz = zone.name().parse().expect("a zone");
        // Twelve and a half days, so that every hour of the day comes by.
        for secs in (0..end).step_by(25 * 43_200) {
            let utc = DateTime::from_timestamp(secs, 0).expect("an instant").naive_utc();
            let known = tz.offset_from_utc_datetime(&utc).fix().local_minus_utc();
            assert_eq!(offset(zone, secs), known, "{zone} at {utc}");
        }
    }
}

/// The `nth` Sunday of a month, or the last.
fn sunday(year: i32, month: u32, nth: Option<u8>) -> NaiveDate {
    let last = || {
        (25..32).find_map(|day| NaiveDate::from_ymd_opt(year, month, day).filter(|date| date.weekday() == Weekday::Sun))
    };
    nth.map_or_else(last, |nth| NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Sun, nth)).expect("a Sunday")
}

#[test]
fn the_rules_in_force_hold_after_the_tables_end() {
    let instant = |date: NaiveDate, hour: u32| date.and_hms_opt(hour, 0, 0).expect("an hour").and_utc().timestamp();
    let zone = |name: &str| name.parse::<Zone>().expect("a zone");
    for year in (2100..2600).chain([3999, 4000, 9998]) {
        for (zone, at, before, after) in [
            (zone("America/New_York"), instant(sunday(year, 3, Some(2)), 7), -5 * 3600, -4 * 3600),
            (zone("America/New_York"), instant(sunday(year, 11, Some(1)), 6), -4 * 3600, -5 * 3600),
            (zone("Europe/Berlin"), instant(sunday(year, 3, None), 1), 3600, 7200),
            (zone("Europe/Berlin"), instant(sunday(year, 10, None), 1), 7200, 3600),
            (zone("Asia/Tokyo"), instant(sunday(year, 7, None), 1), 9 * 3600, 9 * 3600),
        ] {
            assert_eq!((offset(zone, at - 1), offset(zone, at)), (before, after), "{zone} in {year}");
        }
    }
}
