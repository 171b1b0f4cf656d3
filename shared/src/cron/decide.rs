//! What becomes of an instant that has come: decided here from what was read, carried out by the store.

use std::time::Duration;

use super::entry::OverlapPolicy;
use super::{Occurrence, Schedule};
use crate::clock::Timestamp;

/// What becomes of an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A job.
    Fire,
    /// No job, and why.
    Skip(SkipReason),
    /// The live runs are cancelled, then a job.
    CancelAndFire,
    /// A job that waits behind the live run.
    FireBehind,
}

/// Why an instant leads to no job. The words are those of the event `cron.skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// A run is live, and the entry says `skip`.
    Overlap,
    /// The entry is disabled.
    Disabled,
    /// The local time does not exist: the clocks were set forward over it.
    DstSkip,
    /// The entry says `enqueue`, and as many runs wait already as may.
    Backlog,
}

impl SkipReason {
    /// The reason as events and the ledger write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overlap => "overlap_skip",
            Self::Disabled => "disabled",
            Self::DstSkip => "dst_skip",
            Self::Backlog => "backlog_full",
        }
    }
}

/// An entry whose instant has come, as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// Its schedule.
    pub schedule: &'a Schedule,
    /// Its policy.
    pub overlap_policy: OverlapPolicy,
    /// Whether it fires at all.
    pub enabled: bool,
    /// Whether a run of it is live.
    pub has_live_run: bool,
    /// How many runs of it wait for their predecessor.
    pub waiting: u64,
    /// The instant that has come, as the store keeps it.
    pub seen: Timestamp,
    /// Redis's time when it was read.
    pub now: Timestamp,
}

/// The decision on an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// What becomes of it.
    pub decision: Decision,
    /// The instant.
    pub scheduled: Timestamp,
    /// How many instants this decision stands for: more than one after nobody was there to decide.
    pub instants: u64,
    /// The instant after it, as the store will keep it; `None` when there is none.
    pub next: Option<Timestamp>,
}

/// A disabled entry tells at most once in so long that it did not fire.
const DISABLED_TOLD_EVERY: Duration = Duration::from_millis(59_999);

/// Decides on the instant that has come, and on all that were missed since: they are one.
#[must_use]
pub fn decide(due: &Due<'_>) -> Decided {
    let Due { schedule, seen, now, .. } = *due;
    if is_skip_mark(seen) {
        let decision = Decision::Skip(if due.enabled { SkipReason::DstSkip } else { SkipReason::Disabled });
        return Decided {
            decision,
            scheduled: skipped_instant(schedule, seen),
            instants: 1,
            next: next_mark(schedule, seen),
        };
    }
    let instants = schedule.count_between(seen - ONE_MS, now).max(1);
    if !due.enabled {
        let next = next_mark(schedule, now.max(seen + DISABLED_TOLD_EVERY));
        return Decided { decision: Decision::Skip(SkipReason::Disabled), scheduled: seen, instants, next };
    }
    Decided { decision: overlap(due), scheduled: seen, instants, next: next_mark(schedule, now.max(seen)) }
}

/// What the policy says of an instant that comes while a run may be live.
fn overlap(due: &Due<'_>) -> Decision {
    if !due.has_live_run {
        return Decision::Fire;
    }
    match due.overlap_policy {
        OverlapPolicy::Skip => Decision::Skip(SkipReason::Overlap),
        OverlapPolicy::Allow => Decision::Fire,
        OverlapPolicy::CancelPrevious => Decision::CancelAndFire,
        OverlapPolicy::Enqueue if due.waiting >= WAITING_MAX => Decision::Skip(SkipReason::Backlog),
        OverlapPolicy::Enqueue => Decision::FireBehind,
    }
}

/// More runs than this never wait: nobody is there to run them.
const WAITING_MAX: u64 = 1000;

/// What becomes of a run that somebody asked for.
///
/// It runs at once, so `skip` does not hold it up; but runs of an entry that says `enqueue` are never concurrent.
#[must_use]
pub fn decide_asked(policy: OverlapPolicy, has_live_run: bool) -> Decision {
    match policy {
        OverlapPolicy::CancelPrevious if has_live_run => Decision::CancelAndFire,
        OverlapPolicy::Enqueue if has_live_run => Decision::FireBehind,
        _ => Decision::Fire,
    }
}

const ONE_MS: Duration = Duration::from_millis(1);

/// The first instant after `after` that the store must decide on, as it keeps it.
///
/// Fires are kept as they are: whole seconds. A local time that does not exist is kept as the last millisecond before the
/// clocks change, since a fire may fall on the very instant of the change: the two must not be mistaken for each other.
#[must_use]
pub fn next_mark(schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    let mut cursor = after;
    loop {
        match schedule.next_after(cursor)? {
            Occurrence::Fire { at } => return Some(at),
            Occurrence::DstSkip { at, .. } if skip_mark(at) > after => return Some(skip_mark(at)),
            // This gap has been decided on.
            Occurrence::DstSkip { at, .. } => cursor = at,
        }
    }
}

/// The mark of a gap whose skip the calendar places at `at`: the change of the clocks, or just before it.
fn skip_mark(at: Timestamp) -> Timestamp {
    Timestamp::from_secs((at + Duration::from_millis(999)).as_secs()) - ONE_MS
}

/// The instant at which a local time that does not exist would have come, had the clocks not been changed.
fn skipped_instant(schedule: &Schedule, mark: Timestamp) -> Timestamp {
    match schedule.next_after(mark - ONE_MS) {
        Some(Occurrence::DstSkip { local, .. }) => {
            let offset_s = i64::from(schedule.zone().to_local(mark).offset().local_minus_utc());
            Timestamp::from_secs(local.and_utc().timestamp() - offset_s)
        }
        _ => mark + ONE_MS,
    }
}

/// Whether what the store keeps is a local time that does not exist.
#[must_use]
pub fn is_skip_mark(mark: Timestamp) -> bool {
    mark.as_ms().rem_euclid(1000) == 999
}

/// The next time at which an entry fires, as the wire shows it.
#[must_use]
pub fn next_run_at(schedule: &Schedule, mark: Timestamp) -> Option<Timestamp> {
    if is_skip_mark(mark) { schedule.next_fire_after(mark) } else { Some(mark) }
}

#[cfg(test)]
mod tests {
    use super::super::{ScheduleOptions, Zone};
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn schedule(expression: &str, zone: &str) -> Schedule {
        let zone: Zone = zone.parse().expect("a zone");
        Schedule::parse(expression, &ScheduleOptions { zone, ..ScheduleOptions::default() }).expect("an expression")
    }

    fn due<'a>(schedule: &'a Schedule, seen: &str, now: &str) -> Due<'a> {
        Due {
            schedule,
            overlap_policy: OverlapPolicy::Skip,
            enabled: true,
            has_live_run: false,
            waiting: 0,
            seen: at(seen),
            now: at(now),
        }
    }

    #[test]
    fn every_policy_has_its_answer_to_a_live_run() {
        let every_minute = schedule("* * * * *", "UTC");
        for (policy, live, expected, asked) in [
            (OverlapPolicy::Skip, false, Decision::Fire, Decision::Fire),
            (OverlapPolicy::Skip, true, Decision::Skip(SkipReason::Overlap), Decision::Fire),
            (OverlapPolicy::Allow, true, Decision::Fire, Decision::Fire),
            (OverlapPolicy::CancelPrevious, false, Decision::Fire, Decision::Fire),
            (OverlapPolicy::CancelPrevious, true, Decision::CancelAndFire, Decision::CancelAndFire),
            (OverlapPolicy::Enqueue, false, Decision::Fire, Decision::Fire),
            (OverlapPolicy::Enqueue, true, Decision::FireBehind, Decision::FireBehind),
        ] {
            let due = due(&every_minute, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.050Z");
            let decided = decide(&Due { overlap_policy: policy, has_live_run: live, ..due });
            assert_eq!(decided.decision, expected, "{policy:?}, live: {live}");
            assert_eq!(decide_asked(policy, live), asked, "{policy:?}, live: {live}");
            assert_eq!((decided.instants, decided.next), (1, Some(at("2026-01-01T00:01:00Z"))));
        }
    }

    #[test]
    fn runs_do_not_pile_up_without_end() {
        let every_minute = schedule("* * * * *", "UTC");
        let due = due(&every_minute, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.050Z");
        let enqueue = Due { overlap_policy: OverlapPolicy::Enqueue, has_live_run: true, ..due };
        assert_eq!(decide(&Due { waiting: WAITING_MAX - 1, ..enqueue }).decision, Decision::FireBehind);
        assert_eq!(decide(&Due { waiting: WAITING_MAX, ..enqueue }).decision, Decision::Skip(SkipReason::Backlog));
    }

    #[test]
    fn instants_that_nobody_decided_on_are_one_decision() {
        let every_minute = schedule("* * * * *", "UTC");
        let decided = decide(&due(&every_minute, "2026-01-01T00:00:00Z", "2026-01-01T01:30:10Z"));
        assert_eq!(decided.scheduled, at("2026-01-01T00:00:00Z"));
        assert_eq!((decided.instants, decided.next), (91, Some(at("2026-01-01T01:31:00Z"))));
    }

    #[test]
    fn a_disabled_entry_tells_at_most_once_a_minute() {
        let every_second = schedule("* * * * * *", "UTC");
        let due = due(&every_second, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.010Z");
        let decided = decide(&Due { enabled: false, ..due });
        assert_eq!(decided.decision, Decision::Skip(SkipReason::Disabled));
        assert_eq!(decided.next, Some(at("2026-01-01T00:01:00Z")));
    }

    #[test]
    fn a_local_time_that_does_not_exist_is_told_once_and_only_then_passed() {
        // Clocks jump from 02:00 to 03:00 at 07:00Z; the entry names 02:30 and 03:00.
        let named = schedule("0,30 2,3 * * *", "America/New_York");
        let mark = next_mark(&named, at("2026-03-08T06:00:00Z")).expect("the gap");
        assert!(is_skip_mark(mark), "{mark}");
        assert_eq!(next_run_at(&named, mark), Some(at("2026-03-08T07:00:00Z")));
        let decided = decide(&Due { seen: mark, ..due(&named, "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z") });
        assert_eq!(decided.decision, Decision::Skip(SkipReason::DstSkip));
        assert_eq!(decided.next, Some(at("2026-03-08T07:00:00Z")));
        assert_eq!(decided.scheduled, at("2026-03-08T07:00:00Z"), "02:00 EST");
        let after = next_mark(&named, at("2026-03-08T07:00:00Z"));
        assert_eq!(after, Some(at("2026-03-08T07:30:00Z")));
    }
}
