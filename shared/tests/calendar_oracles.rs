//! The calendar beside `croner` and `cron`, where their readings and ours are the same.
//!
//! Where they differ (see the module's own words) the last test says how, so that a release of theirs that changes its mind
//! is noticed.

use std::str::FromStr;

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{Schedule, ScheduleOptions};
use chrono::{DateTime, Utc};

const STARTS: [&str; 6] = [
    "1999-12-31T23:59:59Z",
    "2024-02-28T12:00:00Z",
    "2026-07-15T08:30:00Z",
    "2027-10-31T00:00:00Z",
    "2031-05-30T23:00:00Z",
    "2096-01-01T00:00:00Z",
];

fn ours(expression: &str, zone: &str, after: DateTime<Utc>) -> Vec<i64> {
    let zone = zone.parse().expect("a zone");
    let options = ScheduleOptions { zone, ..ScheduleOptions::default() };
    let schedule = Schedule::parse(expression, &options).expect("an expression");
    schedule.fires_after(Timestamp::from_ms(after.timestamp_millis())).take(12).map(Timestamp::as_secs).collect()
}

#[test]
fn croner_agrees_in_universal_time() {
    let parser = croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Optional).build();
    for expression in [
        "*/7 * * * *",
        "0 9-17/2 * * MON-FRI",
        "15,45 3 1,15 * *",
        "0 0 L * *",
        "0 0 * * 5#3",
        "0 0 * * 5L",
        "0 12 15W * *",
        "0 12 1W * *",
        "0 0 13 * FRI",
        "30 4 29 2 *",
        "*/20 */5 3 * JAN,JUL SUN",
        "0 0 * 2 1#5",
        "5-59/15 0 * * 7",
    ] {
        let croner = parser.parse(expression).expect("croner reads it");
        for start in STARTS {
            let after: DateTime<Utc> = start.parse().expect("an instant");
            let theirs: Vec<_> = croner.iter_after(after).take(12).map(|at| at.timestamp()).collect();
            assert_eq!(ours(expression, "UTC", after), theirs, "{expression} after {start}");
        }
    }
}

#[test]
fn the_cron_crate_agrees_where_one_day_field_is_a_star() {
    for (expression, theirs) in [
        ("*/7 * * * *", "0 */7 * * * *"),
        ("0 9-17/2 * * MON-FRI", "0 0 9-17/2 * * Mon-Fri"),
        ("15,45 3 1,15 * *", "0 15,45 3 1,15 * *"),
        ("30 4 29 2 *", "0 30 4 29 2 *"),
        ("10-50/20 */5 3 31 JAN,JUL *", "10-50/20 */5 3 31 Jan,Jul *"),
        ("0 0 * * 0,6", "0 0 0 * * 1,7"),
    ] {
        let cron = cron::Schedule::from_str(theirs).expect("cron reads it");
        for start in &STARTS[..5] {
            let after: DateTime<Utc> = start.parse().expect("an instant");
            let theirs: Vec<_> = cron.after(&after).take(12).map(|at| at.timestamp()).collect();
            assert_eq!(ours(expression, "UTC", after)[..theirs.len()], theirs, "{expression} after {start}");
        }
    }
}

/// What `croner` and `cron` say for New York.
fn theirs(expression: &str, after: DateTime<Utc>) -> (Vec<i64>, Vec<i64>) {
    let local = after.with_timezone(&chrono_tz::America::New_York);
    let croner = croner::Cron::from_str(expression).expect("croner reads it");
    let cron = cron::Schedule::from_str(&format!("0 {expression}")).expect("cron reads it");
    let croner = croner.iter_after(local).take(12).map(|at| at.timestamp()).collect();
    (croner, cron.after(&local).take(12).map(|at| at.timestamp()).collect())
}

#[test]
fn around_clock_changes_all_agree_on_what_runs_in_every_hour_and_croner_on_what_names_its_hours() {
    for (expression, start) in [("30 * * * *", "2026-03-08T04:10:00Z"), ("30 * * * *", "2026-11-01T04:10:00Z")] {
        let after = start.parse().expect("an instant");
        let ours = ours(expression, "America/New_York", after);
        assert_eq!((ours.clone(), ours), theirs(expression, after), "{expression} after {start}");
    }
    let autumn = "2026-10-31T12:00:00Z".parse().expect("an instant");
    assert_eq!(ours("30 1 * * *", "America/New_York", autumn), theirs("30 1 * * *", autumn).0);
    let spring = "2026-03-07T12:00:00Z".parse().expect("an instant");
    assert_eq!(ours("30 2 * * *", "America/New_York", spring), theirs("30 2 * * *", spring).1);
}

#[test]
fn where_they_differ_it_is_as_the_module_says() {
    let spring: DateTime<Utc> = "2026-03-07T12:00:00Z".parse().expect("an instant");
    let moved = "2026-03-08T07:00:00Z".parse::<DateTime<Utc>>().expect("an instant").timestamp();
    assert_eq!(theirs("30 2 * * *", spring).0[0], moved, "croner moves a fixed time behind the gap");
    let autumn: DateTime<Utc> = "2026-11-01T04:50:00Z".parse().expect("an instant");
    let (_, cron) = theirs("30 1 * * *", autumn);
    assert_eq!(cron[1] - cron[0], 3600, "cron fires a fixed time at both passes");
    let (_, cron) = theirs("*/15 * * * *", autumn);
    assert!(!cron.is_sorted(), "cron gives the repeated hour out of order");
    assert!(croner::Cron::from_str("5/15 * * * *").is_err(), "croner reads no open step");
    assert!(cron::Schedule::from_str("0 */90 * * * *").is_err(), "cron refuses a wide step");
    assert!(cron::Schedule::from_str("0 0 0 * * Monday").is_ok(), "cron takes full names");
}
