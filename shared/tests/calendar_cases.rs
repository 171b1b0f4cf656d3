//! The calendar, case by case.

mod computing;

use std::time::Duration;

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{Dialect, DstFold, FieldCount, Occurrence, Schedule, ScheduleOptions};
use computing::timed;

/// What does not go through all the years that it is asked about computes less, also in a debug build on a slow machine.
const BOUNDED: Duration = Duration::from_secs(3);

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn options(zone: &str) -> ScheduleOptions {
    ScheduleOptions { zone: zone.parse().expect("a zone"), ..ScheduleOptions::default() }
}

fn ojs(text: &str, zone: &str) -> Schedule {
    Schedule::parse(text, &options(zone)).expect("an expression")
}

fn quartz(text: &str, zone: &str) -> Schedule {
    Schedule::parse(text, &ScheduleOptions { dialect: Dialect::Quartz, ..options(zone) }).expect("an expression")
}

/// Occurrences as text: the instant, and the local time of a skip.
fn shown(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let occurrences = schedule.occurrences_after(at(after)).take(count);
    occurrences
        .map(|occurrence| match occurrence {
            Occurrence::Fire { at } => at.to_string(),
            Occurrence::DstSkip { at, local } => format!("{at} skips {local}"),
        })
        .collect()
}

#[test]
fn a_local_time_in_the_gap_is_skipped_and_said_so() {
    let schedule = ojs("30 2 * * *", "America/New_York");
    let expected = ["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z skips 2026-03-08 02:30:00", "2026-03-09T06:30:00Z"];
    assert_eq!(shown(&schedule, "2026-03-07T00:00:00Z", 3), expected);
    assert_eq!(schedule.next_fire_after(at("2026-03-07T08:00:00Z")), Some(at("2026-03-09T06:30:00Z")));
    assert!(!schedule.is_due_at(at("2026-03-08T07:00:00Z")));
}

#[test]
fn several_times_in_one_gap_are_one_skip() {
    let schedule = ojs("*/15 2 * * *", "America/New_York");
    let expected = ["2026-03-08T07:00:00Z skips 2026-03-08 02:00:00", "2026-03-09T06:00:00Z"];
    assert_eq!(shown(&schedule, "2026-03-08T00:00:00Z", 2), expected);
}

#[test]
fn a_fire_at_the_end_of_a_gap_is_not_lost() {
    let schedule = ojs("0 2,3 * * *", "America/New_York");
    let expected =
        ["2026-03-08T06:59:59.999Z skips 2026-03-08 02:00:00", "2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"];
    assert_eq!(shown(&schedule, "2026-03-08T00:00:00Z", 3), expected);
    let backwards: Vec<_> = schedule.occurrences_before(at("2026-03-09T06:00:00Z")).take(2).collect();
    assert!(backwards[0].is_fire() && !backwards[1].is_fire());
    assert!(schedule.is_due_at(at("2026-03-08T07:00:00Z")));
}

#[test]
fn a_schedule_that_runs_in_every_hour_skips_nothing_and_keeps_its_rhythm() {
    let schedule = ojs("30 * * * *", "America/New_York");
    let spring = ["2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z", "2026-03-08T08:30:00Z"];
    assert_eq!(shown(&schedule, "2026-03-08T06:00:00Z", 3), spring);
    let autumn = ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-01T07:30:00Z"];
    assert_eq!(shown(&schedule, "2026-11-01T05:00:00Z", 3), autumn);
}

#[test]
fn a_repeated_local_time_fires_as_dst_fold_says() {
    let fires = |text, dst_fold| {
        let schedule = Schedule::parse(text, &ScheduleOptions { dst_fold, ..options("America/New_York") });
        let schedule = schedule.expect("an expression");
        let (from, until) = (at("2026-11-01T05:00:00Z"), at("2026-11-01T07:00:00Z"));
        (schedule.count_between(from, until), schedule.previous_before(until).map(Occurrence::at))
    };
    assert_eq!(fires("30 1 * * *", DstFold::Auto), (1, Some(at("2026-11-01T05:30:00Z"))));
    assert_eq!(fires("30 1 * * *", DstFold::Once), (1, Some(at("2026-11-01T05:30:00Z"))));
    assert_eq!(fires("30 1 * * *", DstFold::Both), (2, Some(at("2026-11-01T06:30:00Z"))));
    assert_eq!(fires("30 * * * *", DstFold::Auto), (2, Some(at("2026-11-01T06:30:00Z"))));
    assert_eq!(fires("30 * * * *", DstFold::Once), (1, Some(at("2026-11-01T05:30:00Z"))));
}

#[test]
fn a_day_that_a_zone_left_out_is_one_gap() {
    let schedule = ojs("0 9 * * *", "Pacific/Apia");
    let expected = [
        "2011-12-29T19:00:00Z",
        "2011-12-30T10:00:00Z skips 2011-12-30 09:00:00",
        "2011-12-30T19:00:00Z",
        "2011-12-31T19:00:00Z",
    ];
    assert_eq!(shown(&schedule, "2011-12-29T00:00:00Z", 4), expected);
}

#[test]
fn a_gap_at_midnight_swallows_midnight_only() {
    let schedule = ojs("0 0 * * *", "America/Sao_Paulo");
    let expected = ["2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z skips 2018-11-04 00:00:00", "2018-11-05T02:00:00Z"];
    assert_eq!(shown(&schedule, "2018-11-03T00:00:00Z", 3), expected);
}

#[test]
fn half_an_hour_and_two_hours_of_summer_time_are_like_one() {
    let half = ojs("15 2 * * *", "Australia/Lord_Howe");
    assert_eq!(shown(&half, "2026-10-03T12:00:00Z", 1), ["2026-10-03T15:30:00Z skips 2026-10-04 02:15:00"]);
    let two = ojs("30 2 * * *", "Antarctica/Troll");
    assert_eq!(shown(&two, "2026-03-28T12:00:00Z", 1), ["2026-03-29T01:00:00Z skips 2026-03-29 02:30:00"]);
    assert_eq!(shown(&two, "2026-10-24T12:00:00Z", 2), ["2026-10-25T00:30:00Z", "2026-10-26T02:30:00Z"]);
}

#[test]
fn a_date_that_never_comes_is_known_at_once() {
    let never = [ojs("0 0 30 2 *", "Europe/Berlin"), ojs("0 0 31W 4 *", "UTC"), quartz("0 0 0 29 2 ? 2025", "UTC")];
    let ((), took) = timed(|| {
        for schedule in never {
            assert!(schedule.never_fires());
            assert_eq!(schedule.next_after(at("2026-01-01T00:00:00Z")), None);
            assert_eq!(schedule.previous_before(at("2026-01-01T00:00:00Z")), None);
            assert_eq!(schedule.count_between(at("1970-01-01T00:00:00Z"), Timestamp::MAX), 0);
            assert_eq!(schedule.warnings(at("2026-01-01T00:00:00Z"))[0].code, "never_fires");
        }
    });
    assert!(took < BOUNDED, "{took:?}");
    assert!(!ojs("30 2 29 2 *", "UTC").never_fires());
}

#[test]
fn a_time_that_only_ever_falls_into_gaps_ends_in_bounded_time() {
    // The second Sunday of March is, from 2007 on, the day on which New York has no 02:30.
    let schedule = quartz("0 30 2 ? 3 1#2", "America/New_York");
    let ((), took) = timed(|| {
        assert_eq!(schedule.next_fire_after(at("2007-01-01T00:00:00Z")), None);
        assert!(matches!(schedule.next_after(at("2026-01-01T00:00:00Z")), Some(Occurrence::DstSkip { .. })));
        assert!(!schedule.never_fires(), "it fired in 2006");
        assert_eq!(schedule.warnings(at("2026-01-01T00:00:00Z"))[0].code, "no_more_fires");
    });
    assert!(took < BOUNDED, "{took:?}");
}

#[test]
fn years_of_every_second_are_counted_without_going_through_them() {
    let schedule = ojs("* * * * * *", "America/New_York");
    let ((), took) = timed(|| {
        assert_eq!(schedule.count_between(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")), 31_536_000);
        assert_eq!(schedule.count_between(at("1970-01-01T00:00:00Z"), at("9999-01-01T00:00:00Z")), 253_370_764_800);
    });
    assert!(took < BOUNDED, "{took:?}");
}

#[test]
fn every_is_counted_from_its_anchor_and_does_not_drift() {
    let anchor = at("2026-03-08T06:10:00Z");
    let every = |text| Schedule::parse(text, &ScheduleOptions { anchor, ..options("America/New_York") }).expect("fine");
    assert_eq!(
        shown(&every("@every 1h30m"), "2026-03-08T06:10:00Z", 2),
        ["2026-03-08T07:40:00Z", "2026-03-08T09:10:00Z"]
    );
    assert_eq!(shown(&every("@every 45s"), "2027-01-01T00:00:00Z", 1), ["2027-01-01T00:00:15Z"]);
    assert_eq!(every("@every 30m").interval(), Some(Duration::from_secs(1800)));
    assert_eq!(every("@every 90m").to_string(), "@every 1h30m");
    assert_eq!(every("@every 30m").count_between(anchor, anchor + Duration::from_secs(7200)), 4);
}

#[test]
fn an_entry_may_be_held_to_five_fields() {
    let five = ScheduleOptions { fields: Some(FieldCount::Five), ..ScheduleOptions::default() };
    assert!(Schedule::parse("0 9 * * *", &five).is_ok());
    assert!(Schedule::parse("@daily", &five).is_ok());
    let error = Schedule::parse("0 0 9 * * *", &five).expect_err("seconds");
    assert_eq!(error.suggestion(), Some("0 9 * * *"));
    assert!(error.to_string().contains("seconds"), "{error}");
}

#[test]
fn names_count_in_any_case_and_both_sundays_are_one() {
    let fires = |text| ojs(text, "UTC").fires_after(at("2026-01-01T00:00:00Z")).take(20).collect::<Vec<_>>();
    for (one, other) in [
        ("0 0 * jan,Feb mon-FRI", "0 0 * 1-2 1-5"),
        ("0 0 * * 0", "0 0 * * 7"),
        ("0 0 * * FRI-SUN", "0 0 * * 5-7"),
        ("0 0 * * 5-0", "0 0 * * 0,5,6"),
        ("5/15 * * * *", "5-59/15 * * * *"),
        ("0 0 1 */90 *", "0 0 1 1 *"),
        ("0 0 * * 5#3", "0 0 * * fri#3"),
        (" 0\t0  * * *\n", "@daily"),
        ("@WEEKLY", "0 0 * * 0"),
    ] {
        assert_eq!(fires(one), fires(other), "{one} and {other}");
    }
}

#[test]
fn quartz_reads_as_quartz_documents_it() {
    let fires = |text| shown(&quartz(text, "UTC"), "2026-01-01T00:00:00Z", 3);
    for (text, expected) in [
        ("0 15 3 1 * ?", ["2026-01-01T03:15:00Z", "2026-02-01T03:15:00Z", "2026-03-01T03:15:00Z"]),
        ("0 0-15 14 * * ?", ["2026-01-01T14:00:00Z", "2026-01-01T14:01:00Z", "2026-01-01T14:02:00Z"]),
        ("0 15 3 ? * MON-FRI/2", ["2026-01-02T03:15:00Z", "2026-01-05T03:15:00Z", "2026-01-07T03:15:00Z"]),
        ("0 15 3 1/5 * ?", ["2026-01-01T03:15:00Z", "2026-01-06T03:15:00Z", "2026-01-11T03:15:00Z"]),
        ("0 0 22-2/2 ? NOV-FEB 1", ["2026-01-04T00:00:00Z", "2026-01-04T02:00:00Z", "2026-01-04T22:00:00Z"]),
        ("0 0 0 L-3 * ?", ["2026-01-28T00:00:00Z", "2026-02-25T00:00:00Z", "2026-03-28T00:00:00Z"]),
        ("0 0 0 LW * ?", ["2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z", "2026-03-31T00:00:00Z"]),
        ("0 0 0 ? * 6#3", ["2026-01-16T00:00:00Z", "2026-02-20T00:00:00Z", "2026-03-20T00:00:00Z"]),
        ("0 0 0 ? * 6L", ["2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z", "2026-03-27T00:00:00Z"]),
        ("0 0 0 1 1 ? 2030/10", ["2030-01-01T00:00:00Z", "2040-01-01T00:00:00Z", "2050-01-01T00:00:00Z"]),
    ] {
        assert_eq!(fires(text), expected, "{text}");
    }
}

#[test]
fn the_calendar_ends_with_the_year_9999_and_begins_with_1970() {
    let yearly = ojs("@yearly", "UTC");
    assert_eq!(yearly.next_after(at("9999-01-01T00:00:00Z")), None);
    assert_eq!(yearly.next_fire_after(Timestamp::MIN), Some(at("1970-01-01T00:00:00Z")));
    assert_eq!(yearly.previous_before(at("1970-01-01T00:00:00Z")), None);
    assert_eq!(yearly.previous_before(Timestamp::MAX).map(Occurrence::at), Some(at("9999-01-01T00:00:00Z")));
}
