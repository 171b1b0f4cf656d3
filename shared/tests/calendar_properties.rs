//! What holds for every schedule.

mod calendar_model;

use calendar_model::{Model, at, model, near_a_change, nightly, zone};
use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{Dialect, DstFold, Schedule, ScheduleOptions};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::sample::Index;

const YEAR_SECS: i64 = 31_556_952;

fn schedule(text: &str, zone: &str, dst_fold: DstFold) -> Schedule {
    let zone = zone.parse().expect("a zone");
    Schedule::parse(text, &ScheduleOptions { zone, dst_fold, ..ScheduleOptions::default() }).expect("an expression")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn occurrences_strictly_increase_and_backwards_they_are_the_same(
        model in model(), zone in zone(), start in 0..230 * YEAR_SECS, fraction in 0..1000_i64,
        fold in prop_oneof![Just(DstFold::Auto), Just(DstFold::Once), Just(DstFold::Both)],
    ) {
        let schedule = schedule(&model.text(), zone, fold);
        let start = Timestamp::from_ms(start * 1000 + fraction);
        let forwards: Vec<_> = schedule.occurrences_after(start).take(60).collect();
        prop_assert!(forwards.first().is_none_or(|first| first.at() > start));
        prop_assert!(forwards.windows(2).all(|pair| pair[0].at() < pair[1].at()), "{forwards:?}");
        let Some(last) = forwards.last().filter(|last| last.is_fire()) else { return Ok(()) };
        let end = Timestamp::from_ms(last.at().as_ms() + 1);
        let mut backwards: Vec<_> = schedule.occurrences_before(end).take(forwards.len()).collect();
        backwards.reverse();
        prop_assert_eq!(forwards, backwards);
    }

    #[test]
    fn the_next_after_the_previous_of_a_fire_is_the_fire(model in model(), zone in zone(), start in 0..230 * YEAR_SECS) {
        let schedule = schedule(&model.text(), zone, DstFold::Auto);
        let Some(fire) = schedule.next_fire_after(Timestamp::from_secs(start)) else { return Ok(()) };
        prop_assert!(schedule.is_due_at(fire));
        let previous = schedule.occurrences_before(fire).find(|occurrence| occurrence.is_fire());
        prop_assert_eq!(previous.and_then(|previous| schedule.next_fire_after(previous.at())), Some(fire).filter(|_| previous.is_some()));
    }

    #[test]
    fn what_is_written_reads_as_the_same(model in model(), zone in zone()) {
        let parsed = schedule(&model.text().to_lowercase(), zone, DstFold::Auto);
        let written = parsed.to_string();
        let again = schedule(&written, zone, DstFold::Auto);
        prop_assert_eq!(&again.to_string(), &written);
        prop_assert_eq!(again.describe(), parsed.describe());
        let from = Timestamp::from_secs(1_700_000_000);
        prop_assert!(parsed.fires_after(from).take(20).eq(again.fires_after(from).take(20)));
    }

    #[test]
    fn counting_agrees_with_going_through(
        model in model(), zone in zone(), start in 0..130 * YEAR_SECS, days in 0..40_i64, index in any::<Index>(),
    ) {
        let schedule = schedule(&model.text(), zone, DstFold::Auto);
        let tz: Tz = zone.parse().expect("a zone");
        for start in [start, near_a_change(tz, index) - days * 40_000] {
            let (after, until) = (Timestamp::from_secs(start), Timestamp::from_ms((start + days * 86_000) * 1000 + 999));
            let walked = schedule.fires_after(after).take_while(|fire| *fire <= until).take(3000).count() as u64;
            if walked < 3000 {
                prop_assert_eq!(schedule.count_between(after, until), walked, "{} in {}", schedule, zone);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_agrees_with_a_walk_over_every_minute_of_a_week_with_a_clock_change(
        model in prop_oneof![model(), nightly()], zone in zone(), index in any::<Index>(), before in 0..6_i64,
    ) {
        let tz: Tz = zone.parse().expect("a zone");
        let start = at(near_a_change(tz, index)) - TimeDelta::days(before);
        let (found, walked) = (found(&model, zone, start), walked(&model, tz, start));
        prop_assert_eq!(&found.0, &walked, "{} in {} after {}", model.text(), zone, start);
        prop_assert_eq!(&found.1, &walked, "backwards, {} in {} after {}", model.text(), zone, start);
    }

    #[test]
    fn no_text_panics(text in any::<String>(), quartz in any::<bool>()) {
        let dialect = if quartz { Dialect::Quartz } else { Dialect::Ojs };
        let _ = Schedule::parse(&text, &ScheduleOptions { dialect, ..ScheduleOptions::default() });
    }
}

const WEEK_MINUTES: i64 = 7 * 1440;

/// The fires of a week, minute by minute, without the calendar.
fn walked(model: &Model, zone: Tz, start: DateTime<Utc>) -> Vec<i64> {
    let minutes = (1..WEEK_MINUTES).map(|minute| start + TimeDelta::minutes(minute));
    minutes.filter(|instant| model.fires(zone, *instant)).map(|instant| instant.timestamp()).collect()
}

/// The fires of the same week as the calendar has them, forwards and backwards.
fn found(model: &Model, zone: &str, start: DateTime<Utc>) -> (Vec<i64>, Vec<i64>) {
    let schedule = schedule(&model.text(), zone, DstFold::Auto);
    let (start, end) = (start.timestamp(), start.timestamp() + 60 * WEEK_MINUTES);
    let forwards = schedule.fires_after(Timestamp::from_secs(start)).map(Timestamp::as_secs);
    let fires = schedule.occurrences_before(Timestamp::from_secs(end)).filter(|occurrence| occurrence.is_fire());
    let mut backwards: Vec<_> = fires.map(|fire| fire.at().as_secs()).take_while(|fire| *fire > start).collect();
    backwards.reverse();
    (forwards.take_while(|fire| *fire < end).collect(), backwards)
}
