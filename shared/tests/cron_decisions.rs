//! What becomes of instants, as tables of cases.

use std::time::Duration;

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{
    Bounds, Decided, Decision, Due, FireKind, Lateness, LiveRuns, MISSED_EACH_MAX, Misfire, OverlapPolicy, Pause,
    Schedule, ScheduleOptions, SkipReason, Timetable, decide, decide_asked, is_skip_mark, next_mark,
};

fn at(text: &str) -> Timestamp {
    let text = if text.len() == 8 { format!("2026-01-01T{text}Z") } else { text.to_owned() };
    text.parse().expect("a time")
}

fn schedule(expression: &str, zone: &str) -> Schedule {
    let options = ScheduleOptions { zone: zone.parse().expect("a zone"), ..ScheduleOptions::default() };
    Schedule::parse(expression, &options).expect("an expression")
}

fn table(expression: &str) -> Timetable {
    Timetable::new(schedule(expression, "UTC"), Bounds::default(), None, "uid")
}

fn due<'a>(timetable: &'a Timetable, seen: &str, now: &str) -> Due<'a> {
    Due {
        timetable,
        overlap_policy: OverlapPolicy::Skip,
        lateness: Lateness::default(),
        enabled: true,
        pause: None,
        live: LiveRuns::default(),
        scheduled_runs: 0,
        seen: at(seen),
        now: at(now),
    }
}

/// Decides until no instant is left that has come; the decisions in order.
fn decide_all(due: Due<'_>) -> Vec<Decided> {
    let mut decided = vec![decide(&due)];
    while let Some(last) = decided.last().filter(|last| last.look_at.is_some_and(|at| at <= due.now)) {
        let seen = last.next.expect("it is looked at");
        let scheduled_runs = decided.iter().filter(|one| one.decision.fires()).count() as u64;
        decided.push(decide(&Due { seen, scheduled_runs: due.scheduled_runs + scheduled_runs, ..due }));
    }
    decided
}

/// Decision, first instant and number of instants of each decision.
fn told(decided: &[Decided]) -> Vec<(Decision, Timestamp, u64)> {
    decided.iter().map(|one| (one.decision, one.scheduled, one.instants)).collect()
}

const FIRE: Decision = Decision::Fire;
const MISFIRE: Decision = Decision::Skip(SkipReason::Misfire);
const DEADLINE: Decision = Decision::Skip(SkipReason::Deadline);
const PAUSED: Decision = Decision::Skip(SkipReason::Paused);
const OVERLAP: Decision = Decision::Skip(SkipReason::Overlap);
const BACKLOG: Decision = Decision::Skip(SkipReason::Backlog);

#[test]
fn every_policy_has_its_answer_to_live_runs() {
    let minutely = table("* * * * *");
    let (free, running, line, full) = ((0, 0), (1, 0), (3, 2), (1001, 1000));
    for (policy, (count, waiting), expected, asked) in [
        (OverlapPolicy::Skip, free, FIRE, FIRE),
        (OverlapPolicy::Skip, running, OVERLAP, FIRE),
        (OverlapPolicy::Skip, line, OVERLAP, FIRE),
        (OverlapPolicy::Allow, free, FIRE, FIRE),
        (OverlapPolicy::Allow, running, FIRE, FIRE),
        (OverlapPolicy::Allow, line, FIRE, FIRE),
        (OverlapPolicy::CancelPrevious, free, FIRE, FIRE),
        (OverlapPolicy::CancelPrevious, running, Decision::CancelAndFire, Decision::CancelAndFire),
        (OverlapPolicy::CancelPrevious, line, Decision::CancelAndFire, Decision::CancelAndFire),
        (OverlapPolicy::Enqueue, free, FIRE, FIRE),
        (OverlapPolicy::Enqueue, running, Decision::FireBehind, Decision::FireBehind),
        (OverlapPolicy::Enqueue, line, Decision::FireBehind, Decision::FireBehind),
        (OverlapPolicy::Enqueue, full, BACKLOG, Decision::FireBehind),
    ] {
        let live = LiveRuns { count, waiting };
        let due = Due { overlap_policy: policy, live, ..due(&minutely, "00:00:00", "2026-01-01T00:00:00.050Z") };
        let decided = decide(&due);
        assert_eq!(decided.decision, expected, "{policy:?} {live:?}");
        assert_eq!(decide_asked(policy, live), asked, "{policy:?} {live:?}");
        assert_eq!((decided.instants, decided.next, decided.kind), (1, Some(at("00:01:00")), FireKind::Scheduled));
    }
}

#[test]
fn missed_instants_are_what_the_entry_says() {
    let minutely = table("* * * * *");
    for (misfire, deadline, now, expected) in [
        (Misfire::Once, None, "00:00:05", vec![(FIRE, "00:00:00", 1)]),
        (Misfire::Once, None, "00:05:10", vec![(FIRE, "00:00:00", 6)]),
        (Misfire::Once, Some(120), "00:05:10", vec![(DEADLINE, "00:00:00", 4), (FIRE, "00:04:00", 2)]),
        (Misfire::Once, Some(5), "00:05:10", vec![(DEADLINE, "00:00:00", 6)]),
        (Misfire::Skip, None, "00:00:59", vec![(FIRE, "00:00:00", 1)]),
        (Misfire::Skip, None, "00:05:10", vec![(MISFIRE, "00:00:00", 5), (FIRE, "00:05:00", 1)]),
        (Misfire::Skip, Some(5), "00:05:10", vec![(DEADLINE, "00:00:00", 6)]),
        (
            Misfire::Skip,
            Some(120),
            "00:05:10",
            vec![(DEADLINE, "00:00:00", 4), (MISFIRE, "00:04:00", 1), (FIRE, "00:05:00", 1)],
        ),
        (Misfire::All, None, "00:02:10", vec![(FIRE, "00:00:00", 1), (FIRE, "00:01:00", 1), (FIRE, "00:02:00", 1)]),
        (Misfire::All, Some(60), "00:02:10", vec![(DEADLINE, "00:00:00", 2), (FIRE, "00:02:00", 1)]),
    ] {
        let lateness = Lateness { misfire, deadline: deadline.map(Duration::from_secs) };
        let decided = decide_all(Due { lateness, ..due(&minutely, "00:00:00", now) });
        let expected: Vec<_> = expected.into_iter().map(|(decision, first, n)| (decision, at(first), n)).collect();
        assert_eq!(told(&decided), expected, "{misfire:?} {deadline:?} at {now}");
        let next = decided.last().and_then(|last| last.next).expect("it goes on");
        assert!(next > at(now), "{misfire:?} {deadline:?}: the next instant lies ahead");
    }
}

#[test]
fn an_instant_that_was_missed_long_ago_is_caught_up_with_even_if_it_is_the_only_one() {
    let daily = table("0 9 * * *");
    for (now, misfire, decision, kind) in [
        ("2026-01-01T09:01:00Z", Misfire::Once, FIRE, FireKind::Scheduled),
        ("2026-01-01T11:00:00Z", Misfire::Once, FIRE, FireKind::CatchUp),
        ("2026-01-01T09:01:00Z", Misfire::Skip, FIRE, FireKind::Scheduled),
        ("2026-01-01T11:00:00Z", Misfire::Skip, MISFIRE, FireKind::CatchUp),
    ] {
        let lateness = Lateness { misfire, deadline: None };
        let decided = decide(&Due { lateness, ..due(&daily, "2026-01-01T09:00:00Z", now) });
        assert_eq!((decided.decision, decided.kind, decided.instants), (decision, kind, 1), "{now} {misfire:?}");
    }
}

#[test]
fn of_very_many_missed_instants_only_the_latest_are_decisions_of_their_own() {
    let secondly = table("* * * * * *");
    let lateness = Lateness { misfire: Misfire::All, deadline: None };
    let decided = decide_all(Due { lateness, ..due(&secondly, "00:00:00", "00:59:59") });
    assert_eq!(decided.len() as u64, 1 + MISSED_EACH_MAX);
    assert_eq!((decided[0].decision, decided[0].instants), (FIRE, 3600 - MISSED_EACH_MAX));
    assert!(decided[1..].iter().all(|one| one.instants == 1 && one.kind != FireKind::Manual));
    assert_eq!(decided.iter().map(|one| one.instants).sum::<u64>(), 3600);
}

#[test]
fn a_pause_covers_its_instants_and_no_others() {
    let minutely = table("* * * * *");
    let pause = Pause { since: at("00:02:30"), until: Some(at("00:05:00")), note: None, by: None };
    let paused = |seen, now| decide_all(Due { pause: Some(&pause), ..due(&minutely, seen, now) });
    // Nobody was there from before the pause until after it.
    let through = paused("00:01:00", "00:07:10");
    let expected = [(FIRE, at("00:01:00"), 2), (PAUSED, at("00:03:00"), 2), (FIRE, at("00:05:00"), 3)];
    assert_eq!(told(&through), expected);
    // While it lasts, it is looked at again after a minute, and at its end.
    let within = paused("00:03:00", "00:03:00");
    assert_eq!(told(&within), [(PAUSED, at("00:03:00"), 1)]);
    assert_eq!((within[0].next, within[0].look_at), (Some(at("00:04:00")), Some(at("00:04:00"))));
    let at_its_end = paused("00:04:00", "00:04:00");
    assert_eq!((at_its_end[0].next, at_its_end[0].look_at), (Some(at("00:05:00")), Some(at("00:05:00"))));
    // Without an end, rows become fewer.
    let endless = Pause { until: None, ..pause };
    let later = decide(&Due { pause: Some(&endless), ..due(&minutely, "00:20:00", "00:32:30") });
    assert_eq!((later.instants, later.next, later.look_at), (13, Some(at("00:33:00")), Some(at("01:02:30"))));
}

#[test]
fn an_entry_ends_with_its_last_run_and_with_its_last_instant() {
    let bounds = Bounds { ends_at: Some(at("00:03:00")), max_runs: Some(5), ..Bounds::default() };
    let bounded = Timetable::new(schedule("* * * * *", "UTC"), bounds, None, "uid");
    let last = decide(&due(&bounded, "00:02:00", "00:02:00"));
    assert_eq!((last.decision, last.next, last.look_at), (FIRE, None, None));
    let late = decide(&due(&bounded, "00:01:00", "00:09:00"));
    assert_eq!((late.instants, late.next), (2, None), "what lies behind the end was never due");
    let fifth = decide(&Due { scheduled_runs: 4, ..due(&bounded, "00:00:00", "00:00:00") });
    assert_eq!((fifth.decision, fifth.next), (FIRE, None));
    let skipped =
        Due { scheduled_runs: 4, live: LiveRuns { count: 1, waiting: 0 }, ..due(&bounded, "00:00:00", "00:00:00") };
    assert_eq!((decide(&skipped).decision, decide(&skipped).next), (OVERLAP, Some(at("00:01:00"))), "no run, no end");
}

#[test]
fn a_run_keeps_its_nominal_instant_however_long_its_jitter() {
    let jittered =
        Timetable::new(schedule("* * * * *", "UTC"), Bounds::default(), Some(Duration::from_secs(30)), "uid");
    let (seen, mut punctual) = (at("00:00:00"), 0);
    let wait = jittered.decided_at(seen);
    let decided = decide(&Due { now: wait, ..due(&jittered, "00:00:00", "00:00:00") });
    assert_eq!((decided.scheduled, decided.instants, decided.kind), (seen, 1, FireKind::Scheduled));
    // A catch-up does not take in the instant whose jitter is not over.
    for minute in 1..30 {
        let now = at("00:00:00") + Duration::from_secs(60 * minute + 1);
        let last = at("00:00:00") + Duration::from_secs(60 * minute);
        let decided = decide(&Due { now, ..due(&jittered, "00:00:00", "00:00:00") });
        let has_come = jittered.decided_at(last) <= now;
        punctual += u64::from(has_come);
        assert_eq!(decided.instants, minute + u64::from(has_come));
        assert_eq!(decided.next, Some(if has_come { last + Duration::from_secs(60) } else { last }));
    }
    assert!(punctual < 29, "some were drawn to wait");
}

#[test]
fn a_disabled_entry_tells_at_most_once_a_minute() {
    let secondly = table("* * * * * *");
    let decided = decide(&Due { enabled: false, ..due(&secondly, "00:00:00", "2026-01-01T00:00:00.010Z") });
    assert_eq!((decided.decision, decided.instants), (Decision::Skip(SkipReason::Disabled), 1));
    assert_eq!(decided.next, Some(at("00:01:00")));
}

#[test]
fn a_local_time_that_does_not_exist_is_told_once_and_only_then_passed() {
    // Clocks jump from 02:00 to 03:00 at 07:00Z; the entry names 02:30 and 03:00.
    let named = schedule("0,30 2,3 * * *", "America/New_York");
    let table = Timetable::new(named.clone(), Bounds::default(), None, "uid");
    let mark = next_mark(&named, at("2026-03-08T06:00:00Z")).expect("the gap");
    assert!(is_skip_mark(mark), "{mark}");
    assert_eq!(table.next_run_at(mark), Some(at("2026-03-08T07:00:00Z")));
    for pause in [None, Some(&Pause { since: at("2026-03-01T00:00:00Z"), until: None, note: None, by: None })] {
        let decided = decide(&Due { seen: mark, pause, ..due(&table, "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z") });
        assert_eq!(decided.decision, Decision::Skip(SkipReason::DstSkip));
        assert_eq!(decided.next, Some(at("2026-03-08T07:00:00Z")));
        assert_eq!(decided.scheduled, at("2026-03-08T07:00:00Z"), "02:00 EST");
    }
    assert_eq!(next_mark(&named, at("2026-03-08T07:00:00Z")), Some(at("2026-03-08T07:30:00Z")));
}
