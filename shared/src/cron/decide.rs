//! What becomes of an instant that has come: decided here from what was read, carried out by the store.
//!
//! A decision stands for a *stretch* of instants: usually one, more where several had come before anybody decided. Each is
//! followed by the mark of the instant after the stretch; where that has come too, the next decision is made at once.

use std::time::Duration;

use super::mark::{ONE_MS, is_skip_mark};
use super::pause::Pause;
use super::policy::{Lateness, Misfire, OverlapPolicy};
use super::timetable::Timetable;
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

impl Decision {
    /// Whether a job comes of it.
    #[must_use]
    pub const fn fires(self) -> bool {
        !matches!(self, Self::Skip(_))
    }
}

/// Why an instant leads to no job. The words are those of the event `cron.skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// A run is live, and the entry says `skip`.
    Overlap,
    /// The entry is disabled.
    Disabled,
    /// The entry is paused.
    Paused,
    /// The local time does not exist: the clocks were set forward over it.
    DstSkip,
    /// The entry says `enqueue`, and as many runs wait already as may.
    Backlog,
    /// It was missed, and the entry says that missed instants are skipped.
    Misfire,
    /// It was decided on later than the deadline of the entry allows.
    Deadline,
}

impl SkipReason {
    /// The reason as events and the ledger write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overlap => "overlap_skip",
            Self::Disabled => "disabled",
            Self::Paused => "paused",
            Self::DstSkip => "dst_skip",
            Self::Backlog => "backlog_full",
            Self::Misfire => "misfire_skip",
            Self::Deadline => "misfire_deadline",
        }
    }
}

/// What a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FireKind {
    /// The instant that came.
    Scheduled,
    /// An instant that was missed, or several.
    CatchUp,
    /// No instant: somebody asked.
    Manual,
    /// An instant of the past that somebody asked for.
    Backfill,
}

impl FireKind {
    /// The kind as events and the ledger write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::CatchUp => "catch_up",
            Self::Manual => "manual",
            Self::Backfill => "backfill",
        }
    }
}

/// The runs of an entry that are live: queued, running, between two attempts, or waiting for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveRuns {
    /// How many there are; those that wait are among them.
    pub count: u64,
    /// How many wait for their predecessor.
    pub waiting: u64,
}

/// An entry whose instant has come, as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// Its instants.
    pub timetable: &'a Timetable,
    /// What it says about overlaps.
    pub overlap_policy: OverlapPolicy,
    /// What it says about late instants.
    pub lateness: Lateness,
    /// Whether it fires at all.
    pub enabled: bool,
    /// Its last pause, over or not.
    pub pause: Option<&'a Pause>,
    /// Its live runs.
    pub live: LiveRuns,
    /// How many jobs its schedule has made.
    pub scheduled_runs: u64,
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
    /// What the decision is about.
    pub kind: FireKind,
    /// The instant.
    pub scheduled: Timestamp,
    /// How many instants this decision stands for, the first of them `scheduled`.
    pub instants: u64,
    /// The instant after them, as the store will keep it; `None` when there is none.
    pub next: Option<Timestamp>,
    /// When that is to be decided on.
    pub look_at: Option<Timestamp>,
}

/// A disabled entry tells at most once in so long that it did not fire.
const DISABLED_TOLD_EVERY: Duration = Duration::from_millis(59_999);
/// So many missed instants, the latest, are decisions of their own where an entry says `all`; those before are one.
pub const MISSED_EACH_MAX: u64 = 100;

/// Decides on the instant that has come, and on those after it that are one with it.
#[must_use]
pub fn decide(due: &Due<'_>) -> Decided {
    let Due { timetable, seen, now, .. } = *due;
    if is_skip_mark(seen) {
        let reason = if due.enabled { SkipReason::DstSkip } else { SkipReason::Disabled };
        let decided = due.stretch(Decision::Skip(reason), seen);
        return Decided { scheduled: timetable.skipped_instant(seen), ..decided };
    }
    let come = timetable.come_by(now).max(seen);
    if !due.enabled {
        let instants = due.stretch(Decision::Skip(SkipReason::Disabled), come).instants;
        let told_again = due.stretch(Decision::Skip(SkipReason::Disabled), come.max(seen + DISABLED_TOLD_EVERY));
        return Decided { instants, ..told_again };
    }
    if let Some(pause) = due.pause.filter(|pause| pause.covers(seen)) {
        return paused(due, pause, come);
    }
    // What falls into a pause is no part of what came before it.
    let come = match due.pause {
        Some(pause) if pause.since > seen => come.min(pause.since - ONE_MS),
        _ => come,
    };
    let (decision, last) = late(due, come).unwrap_or_else(|| missed(due, come));
    due.stretch(decision, last)
}

fn paused(due: &Due<'_>, pause: &Pause, come: Timestamp) -> Decided {
    let last = pause.until.map_or(come, |until| come.min(until - ONE_MS));
    let decided = due.stretch(Decision::Skip(SkipReason::Paused), last);
    match decided.next {
        Some(next) if pause.covers(next) => {
            let look_at = decided.look_at.map(|at| at.max(pause.look_at(due.now)));
            Decided { look_at, ..decided }
        }
        _ => decided,
    }
}

/// Instants past the deadline, up to the last of them.
fn late(due: &Due<'_>, come: Timestamp) -> Option<(Decision, Timestamp)> {
    let earliest = due.now - due.lateness.deadline? - due.timetable.jitter_max();
    (due.seen < earliest).then(|| (Decision::Skip(SkipReason::Deadline), come.min(earliest - ONE_MS)))
}

/// What the entry says of instants that were missed; an instant that is on time is a stretch of its own.
fn missed(due: &Due<'_>, come: Timestamp) -> (Decision, Timestamp) {
    let fire = overlap(due.overlap_policy, due.live);
    match due.lateness.misfire {
        Misfire::Once => (fire, come),
        Misfire::Skip => match due.timetable.last_by(come) {
            Some(last) if last > due.seen => (Decision::Skip(SkipReason::Misfire), last - ONE_MS),
            _ if due.lateness_of_seen() > due.lateness.grace() => (Decision::Skip(SkipReason::Misfire), due.seen),
            _ => (fire, due.seen),
        },
        Misfire::All if due.timetable.count(due.seen, come) <= MISSED_EACH_MAX => (fire, due.seen),
        Misfire::All => {
            let each = usize::try_from(MISSED_EACH_MAX).unwrap_or(usize::MAX);
            let first_of_each = due.timetable.fires_by(come).take(each).last();
            (fire, first_of_each.map_or(come, |first| first - ONE_MS))
        }
    }
}

impl Due<'_> {
    /// The decision on all instants from the one that was seen to `last`.
    fn stretch(&self, decision: Decision, last: Timestamp) -> Decided {
        let Due { timetable, seen, .. } = *self;
        let runs = self.scheduled_runs + u64::from(decision.fires());
        let next = timetable.next_mark(last.max(seen)).filter(|_| !timetable.bounds().are_reached(runs));
        let instants = if is_skip_mark(seen) { 1 } else { timetable.count(seen, last).max(1) };
        Decided {
            decision,
            kind: self.kind(decision, instants),
            scheduled: seen,
            instants,
            next,
            look_at: next.map(|next| timetable.decided_at(next)),
        }
    }

    fn kind(&self, decision: Decision, instants: u64) -> FireKind {
        let by_intent =
            matches!(decision, Decision::Skip(SkipReason::Paused | SkipReason::Disabled | SkipReason::DstSkip));
        let is_missed = instants > 1 || self.lateness_of_seen() > Lateness::MISSED_AFTER;
        if is_missed && !by_intent { FireKind::CatchUp } else { FireKind::Scheduled }
    }

    fn lateness_of_seen(&self) -> Duration {
        self.now.since(self.timetable.decided_at(self.seen))
    }
}

/// What the policy says of an instant that comes while runs may be live.
#[must_use]
pub fn overlap(policy: OverlapPolicy, live: LiveRuns) -> Decision {
    if live.count == 0 {
        return Decision::Fire;
    }
    match policy {
        OverlapPolicy::Skip => Decision::Skip(SkipReason::Overlap),
        OverlapPolicy::Allow => Decision::Fire,
        OverlapPolicy::CancelPrevious => Decision::CancelAndFire,
        OverlapPolicy::Enqueue if live.waiting >= WAITING_MAX => Decision::Skip(SkipReason::Backlog),
        OverlapPolicy::Enqueue => Decision::FireBehind,
    }
}

/// More runs than this never wait: nobody is there to run them.
const WAITING_MAX: u64 = 1000;
/// More runs than this wait only if something is wrong.
pub const WAITING_TOLD: u64 = 2;

/// What becomes of a run that somebody asked for.
///
/// It runs at once, so `skip` does not hold it up; but runs of an entry that says `enqueue` are never concurrent.
#[must_use]
pub fn decide_asked(policy: OverlapPolicy, live: LiveRuns) -> Decision {
    match policy {
        OverlapPolicy::CancelPrevious if live.count > 0 => Decision::CancelAndFire,
        OverlapPolicy::Enqueue if live.count > 0 => Decision::FireBehind,
        _ => Decision::Fire,
    }
}
