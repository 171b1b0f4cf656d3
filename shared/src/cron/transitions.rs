//! The changes of one zone's offset, from 1970 on and without end.
//!
//! `chrono-tz` knows a zone up to the end of 2099. From then on a zone that still changes repeats what it did in a late year
//! whose first of March is on the same weekday. All rules in force lie between March and November and depend on nothing
//! else; the months of fasting that some zones follow are predicted until 2087 only, and so are not repeated. From 2100 on
//! all is periodic in 400 years: a table up to 2500 and a shift answer for every later year. Built on first use.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::civil::{CYCLE_DAYS, DAY_SECS, first_of, weekday_of};

/// One stretch of constant offset, in seconds. The first has no beginning, the last no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The first instant in it.
    pub(super) start: i64,
    /// The first instant after it.
    pub(super) end: i64,
    /// What is added to UTC.
    pub(super) offset: i64,
    /// What was added before `start`.
    pub(super) offset_before: i64,
}

/// All stretches of a zone.
#[derive(Debug)]
pub(super) struct Transitions {
    starts: Vec<i64>,
    offsets: Vec<i32>,
    /// For each block of some 194 days, the stretch at its beginning: a lookup then looks at two or three starts.
    blocks: Vec<u16>,
}

const BLOCK_BITS: u32 = 24;
const CYCLE_SECS: i64 = CYCLE_DAYS * DAY_SECS;
/// Beyond every instant that is asked for, and far from overflow.
const END_OF_TIME: i64 = i64::MAX / 4;
const YEAR_KNOWN_LAST: i32 = 2099;
const YEAR_TABLED_LAST: i32 = 2500;
/// In the tables no zone changes twice within a week without a lasting effect; half a week leaves room.
const PROBE_DAYS: i64 = 3;

impl Transitions {
    pub(super) fn of(zone: Tz) -> Self {
        let mut table = Self { starts: vec![-END_OF_TIME], offsets: vec![offset_at(zone, 0)], blocks: Vec::new() };
        table.probe(zone);
        table.extend();
        table.index();
        table
    }

    /// The stretch that an instant is in.
    pub(super) fn at(&self, instant: i64) -> Stretch {
        let end = year_start(YEAR_TABLED_LAST);
        if instant < end {
            return self.stretch(self.position(instant));
        }
        let shift = (instant - end) / CYCLE_SECS * CYCLE_SECS + CYCLE_SECS;
        let stretch = self.stretch(self.position(instant - shift));
        // The first and the last stretch of a zone that has stopped to change have no ends that could move.
        let moved = |instant: i64| if instant.abs() >= END_OF_TIME { instant } else { instant + shift };
        let start = if stretch.end == END_OF_TIME { stretch.start } else { moved(stretch.start) };
        Stretch { start, end: moved(stretch.end), ..stretch }
    }

    fn position(&self, instant: i64) -> usize {
        let block = usize::try_from(instant >> BLOCK_BITS).unwrap_or(0).min(self.blocks.len() - 1);
        let mut position = usize::from(self.blocks[block]);
        while self.starts.get(position + 1).is_some_and(|start| *start <= instant) {
            position += 1;
        }
        position
    }

    fn stretch(&self, position: usize) -> Stretch {
        Stretch {
            start: self.starts[position],
            end: self.starts.get(position + 1).copied().unwrap_or(END_OF_TIME),
            offset: self.offsets[position].into(),
            offset_before: self.offsets[position.saturating_sub(1)].into(),
        }
    }

    fn push(&mut self, start: i64, offset: i32) {
        self.starts.push(start);
        self.offsets.push(offset);
    }

    /// Finds the changes that `chrono-tz` knows; it does not list them.
    fn probe(&mut self, zone: Tz) {
        let (mut before, mut offset) = (0, self.offsets[0]);
        let last = year_start(YEAR_KNOWN_LAST + 1) - 1;
        while before < last {
            let after = (before + PROBE_DAYS * DAY_SECS).min(last);
            if offset_at(zone, after) == offset {
                before = after;
            } else {
                before = first_change(zone, before, after);
                offset = offset_at(zone, before);
                self.push(before, offset);
            }
        }
    }

    /// Repeats the last years for a zone that still changed in them.
    fn extend(&mut self) {
        let alive = year_start(YEAR_KNOWN_LAST - 1);
        if self.starts.last().is_none_or(|start| *start < alive) {
            return;
        }
        for year in YEAR_KNOWN_LAST + 1..=YEAR_TABLED_LAST {
            let model = year_like(year);
            let shift = march_start(year) - march_start(model);
            let from = self.starts.partition_point(|start| *start < march_start(model));
            let before = self.starts.partition_point(|start| *start < march_start(model + 1));
            for position in from..before {
                self.push(self.starts[position] + shift, self.offsets[position]);
            }
        }
    }

    fn index(&mut self) {
        let blocks = self.starts.last().map_or(0, |start| (start >> BLOCK_BITS).max(0)) + 2;
        self.blocks = (0..blocks)
            .map(|block| self.starts.partition_point(|start| *start <= block << BLOCK_BITS) - 1)
            .map(|position| u16::try_from(position).unwrap_or(u16::MAX))
            .collect();
    }
}

/// A late year with the same weekdays from March on; any eleven years without a missing leap day have them all.
fn year_like(year: i32) -> i32 {
    let shape = |year| weekday_of(first_of(year, 3));
    (YEAR_KNOWN_LAST - 10..=YEAR_KNOWN_LAST).find(|known| shape(*known) == shape(year)).unwrap_or(YEAR_KNOWN_LAST)
}

const fn march_start(year: i32) -> i64 {
    first_of(year, 3) as i64 * DAY_SECS
}

const fn year_start(year: i32) -> i64 {
    first_of(year, 1) as i64 * DAY_SECS
}

/// The first second with another offset than `before` has, which `after` has not.
fn first_change(zone: Tz, mut before: i64, mut after: i64) -> i64 {
    let offset = offset_at(zone, before);
    while before + 1 < after {
        let middle = before.midpoint(after);
        if offset_at(zone, middle) == offset {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}

fn offset_at(zone: Tz, instant: i64) -> i32 {
    let utc = DateTime::from_timestamp(instant, 0).unwrap_or_default().naive_utc();
    zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()
}
