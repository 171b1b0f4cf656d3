//! When an entry is decided on: its schedule, within its bounds, with its jitter.

use std::time::Duration;

use super::bounds::Bounds;
use super::jitter::Jitter;
use super::mark::{ONE_MS, is_skip_mark, next_mark, skipped_instant};
use super::schedule::Schedule;
use crate::clock::Timestamp;

/// The instants of an entry, and when each is decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    schedule: Schedule,
    bounds: Bounds,
    jitter: Option<Jitter>,
}

impl Timetable {
    /// The instants of `schedule` within `bounds`, each decided on up to `jitter` later, by what `uid` draws.
    #[must_use]
    pub fn new(schedule: Schedule, bounds: Bounds, jitter: Option<Duration>, uid: &str) -> Self {
        let jitter = jitter.map(|most| Jitter { most, uid: uid.into() });
        Self { schedule, bounds, jitter }
    }

    /// The schedule, which knows of no bounds.
    #[must_use]
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The bounds.
    #[must_use]
    pub const fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The first instant after `after` that must be decided on, as the store keeps it: its mark.
    #[must_use]
    pub fn next_mark(&self, after: Timestamp) -> Option<Timestamp> {
        next_mark(&self.schedule, self.not_before_start(after)).filter(|mark| self.bounds.admit(*mark))
    }

    /// The first fire after `after`.
    #[must_use]
    pub fn next_fire_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.schedule.next_fire_after(self.not_before_start(after)).filter(|at| self.bounds.admit(*at))
    }

    /// The time at which the entry fires next, as the wire shows it, when `mark` is the next to be decided on.
    #[must_use]
    pub fn next_run_at(&self, mark: Timestamp) -> Option<Timestamp> {
        if is_skip_mark(mark) { self.next_fire_after(mark) } else { Some(mark) }
    }

    /// When a mark is decided on: not before its instant, and before the one after it.
    #[must_use]
    pub fn decided_at(&self, mark: Timestamp) -> Timestamp {
        match &self.jitter {
            Some(jitter) if !is_skip_mark(mark) => mark + jitter.of(mark, self.gap_after(mark)),
            _ => mark,
        }
    }

    /// How many fires there are from one instant to another, both included.
    #[must_use]
    pub fn count(&self, from: Timestamp, to: Timestamp) -> u64 {
        let to = self.bounds.ends_at.map_or(to, |ends_at| to.min(ends_at - ONE_MS));
        let after = self.not_before_start(from - ONE_MS);
        if after >= to { 0 } else { self.schedule.count_between(after, to) }
    }

    /// The instant at which a local time that does not exist would have come.
    pub(super) fn skipped_instant(&self, mark: Timestamp) -> Timestamp {
        skipped_instant(&self.schedule, mark)
    }

    /// Up to where instants have come by `now`, the last of them included: an instant whose jitter is not over has not.
    pub(super) fn come_by(&self, now: Timestamp) -> Timestamp {
        if self.jitter.is_none() {
            return now;
        }
        match self.last_by(now) {
            Some(last) if self.decided_at(last) > now => last - ONE_MS,
            _ => now,
        }
    }

    /// The last fire not after an instant.
    pub(super) fn last_by(&self, by: Timestamp) -> Option<Timestamp> {
        self.fires_by(by).next()
    }

    /// The fires not after an instant, the latest first.
    pub(super) fn fires_by(&self, by: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let by = self.bounds.ends_at.map_or(by, |ends_at| by.min(ends_at - ONE_MS));
        let fires = self.schedule.occurrences_before(by + ONE_MS).filter(|occurrence| occurrence.is_fire());
        fires.map(super::Occurrence::at).take_while(|at| self.bounds.admit(*at))
    }

    /// The longest that an instant of this entry may be decided on after it came, without being late.
    pub(super) fn jitter_max(&self) -> Duration {
        self.jitter.as_ref().map_or(Duration::ZERO, |jitter| jitter.most)
    }

    fn gap_after(&self, mark: Timestamp) -> Option<Duration> {
        self.next_mark(mark).map(|next| next.since(mark))
    }

    fn not_before_start(&self, after: Timestamp) -> Timestamp {
        self.bounds.starts_at.map_or(after, |starts_at| after.max(starts_at - ONE_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ScheduleOptions;
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn table(expression: &str, bounds: Bounds, jitter: Option<Duration>) -> Timetable {
        Timetable::new(Schedule::parse(expression, &ScheduleOptions::default()).expect("valid"), bounds, jitter, "uid")
    }

    #[test]
    fn instants_outside_the_bounds_are_not_the_entrys() {
        let bounds = Bounds {
            starts_at: Some(at("2026-01-01T00:00:30Z")),
            ends_at: Some(at("2026-01-01T00:05:00Z")),
            max_runs: None,
        };
        let table = table("* * * * *", bounds, None);
        let long_ago = at("2020-01-01T00:00:00Z");
        assert_eq!(table.next_mark(long_ago), Some(at("2026-01-01T00:01:00Z")));
        assert_eq!(table.next_fire_after(at("2026-01-01T00:03:30Z")), Some(at("2026-01-01T00:04:00Z")));
        assert_eq!(table.next_mark(at("2026-01-01T00:04:00Z")), None, "the end is not within");
        assert_eq!(table.count(long_ago, at("2027-01-01T00:00:00Z")), 4);
        assert_eq!(table.count(at("2026-01-01T00:02:00Z"), at("2026-01-01T00:03:00Z")), 2);
        assert_eq!(table.count(at("2026-01-01T00:06:00Z"), at("2026-01-01T00:07:00Z")), 0);
        let back: Vec<Timestamp> = table.fires_by(at("2030-01-01T00:00:00Z")).collect();
        assert_eq!((back.len(), back[0]), (4, at("2026-01-01T00:04:00Z")));
    }

    #[test]
    fn jitter_keeps_the_order_of_instants_however_long_it_is() {
        let table = table("*/2 * * * * *", Bounds::default(), Some(Duration::from_secs(3600)));
        let mut mark = at("2026-01-01T00:00:00Z");
        for _ in 0..500 {
            let next = table.next_mark(mark).expect("it goes on");
            assert!(table.decided_at(mark) >= mark && table.decided_at(mark) < next, "{mark}");
            mark = next;
        }
    }

    #[test]
    fn an_instant_whose_jitter_is_not_over_has_not_come() {
        let table = table("* * * * *", Bounds::default(), Some(Duration::from_secs(30)));
        let mark = at("2026-01-01T00:05:00Z");
        let decided_at = table.decided_at(mark);
        assert!(decided_at > mark, "this one was drawn to wait");
        assert_eq!(table.come_by(decided_at - ONE_MS), mark - ONE_MS);
        assert_eq!(table.come_by(decided_at), decided_at);
    }
}
