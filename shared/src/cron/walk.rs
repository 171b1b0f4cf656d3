//! From civil time to instants: the walk over the stretches of a zone.
//!
//! Inside a stretch of constant offset, local order is the order of instants. At its end local time jumps ahead, and what
//! the schedule names in between is skipped; or it jumps back, and what lies in between comes a second time, which counts
//! only if the schedule takes both passes.

use chrono::DateTime;

use crate::clock::Timestamp;

use super::civil::{CYCLE_DAYS, DAY_SECS};
use super::occurrence::Occurrence;
use super::pattern::Pattern;
use super::transitions::{Stretch, Transitions};

/// Whether a local time that comes twice counts twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passes {
    First,
    Both,
}

/// Whether a gap is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gaps {
    Silent,
    Reported,
}

/// A pattern in a zone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) pattern: &'a Pattern,
    pub(super) zone: &'static Transitions,
    pub(super) passes: Passes,
    pub(super) gaps: Gaps,
}

/// The calendar begins in 1970.
const INSTANT_MIN: i64 = 0;
/// 9999-12-31T23:59:59Z
const INSTANT_MAX: i64 = Timestamp::MAX.as_secs();
/// What does not come in 400 years of constant rules does not come: dates, weekdays and changes have repeated by then.
/// 130 more years reach the constant rules from wherever the search begins.
const HORIZON_SECS: i64 = (CYCLE_DAYS + 130 * 366) * DAY_SECS;
/// No zone has changed its offset by more than a day.
const JUMP_MARGIN_SECS: i64 = 2 * DAY_SECS;

impl Walk<'_> {
    /// The first instant at or after one, in seconds, at which the pattern fires. Allocates nothing.
    pub(super) fn fire_from(&self, instant: i64) -> Option<i64> {
        let instant = instant.max(INSTANT_MIN);
        let mut stretch = self.zone.at(instant);
        let mut local = (instant + stretch.offset).max(self.entry(&stretch));
        let mut civil = self.pattern.from(local)?;
        while civil >= stretch.end + stretch.offset {
            stretch = self.zone.at(stretch.end);
            (local, civil) = self.enter(&stretch, local, civil)?;
            if civil - stretch.end > JUMP_MARGIN_SECS + stretch.offset {
                // Nothing matches before `civil`, so the stretches before it need not be looked at.
                stretch = self.zone.at((civil - stretch.offset - JUMP_MARGIN_SECS).min(INSTANT_MAX));
                (local, civil) = self.enter(&stretch, local, civil)?;
            }
            if civil - instant > HORIZON_SECS {
                return None;
            }
        }
        Some(civil - stretch.offset).filter(|instant| *instant <= INSTANT_MAX)
    }

    /// The occurrence that follows an instant, in milliseconds.
    pub(super) fn after(&self, after_ms: i64) -> Option<Occurrence> {
        let after = after_ms.div_euclid(1000).max(INSTANT_MIN - 1);
        let fire = self.fire_from(after + 1);
        if self.gaps == Gaps::Silent {
            return fire.map(fire_at);
        }
        let skip = self.skip_after(after, after_ms, fire.unwrap_or(INSTANT_MAX));
        skip.or_else(|| fire.map(fire_at))
    }

    /// The occurrence that precedes an instant, in milliseconds.
    pub(super) fn before(&self, before_ms: i64) -> Option<Occurrence> {
        let before = -(-before_ms).div_euclid(1000);
        let mut stretch = self.zone.at(before);
        let mut local = before - 1 + stretch.offset;
        let mut civil = self.pattern.until(local)?;
        loop {
            if civil >= self.entry(&stretch) {
                return Some(civil - stretch.offset).filter(|instant| *instant >= INSTANT_MIN).map(fire_at);
            }
            if stretch.start < INSTANT_MIN {
                return None;
            }
            if let Some(skip) = self.skip_at(&stretch).filter(|skip| skip.at().as_ms() < before_ms) {
                return Some(skip);
            }
            stretch = self.zone.at(stretch.start - 1);
            let upper = stretch.end - 1 + stretch.offset;
            if upper > local || civil > upper {
                civil = self.pattern.until(upper)?;
            }
            local = upper;
        }
    }

    /// How many instants from one on and before another fire; whole days at a time, so that years cost little.
    pub(super) fn count(&self, from: i64, before: i64) -> u64 {
        let mut instant = from.max(INSTANT_MIN);
        let mut count = 0;
        while instant < before {
            let stretch = self.zone.at(instant);
            let end = stretch.end.min(before);
            count += self.pattern.count((instant + stretch.offset).max(self.entry(&stretch)), end + stretch.offset);
            instant = end;
        }
        count
    }

    /// The first local second of a stretch that counts: what the stretch repeats is left out unless both passes count.
    fn entry(&self, stretch: &Stretch) -> i64 {
        match self.passes {
            Passes::First => stretch.start + stretch.offset.max(stretch.offset_before),
            Passes::Both => stretch.start + stretch.offset,
        }
    }

    /// Goes on in another stretch, knowing that nothing matches from `local` on and before `civil`.
    fn enter(&self, stretch: &Stretch, local: i64, civil: i64) -> Option<(i64, i64)> {
        let entry = self.entry(stretch);
        if (local..=civil).contains(&entry) {
            return Some((entry, civil));
        }
        self.pattern.from(entry).map(|civil| (entry, civil))
    }

    /// The first reported gap after an instant and not after a fire, or at it.
    fn skip_after(&self, after: i64, after_ms: i64, fire: i64) -> Option<Occurrence> {
        let mut stretch = self.zone.at(after);
        let mut civil = self.pattern.from(after + stretch.offset)?;
        while stretch.end <= fire {
            let next = self.zone.at(stretch.end);
            if civil < stretch.end + stretch.offset {
                civil = self.pattern.from(stretch.end + stretch.offset)?;
            }
            if civil < next.start + next.offset
                && let Some(skip) = self.skip_at(&next).filter(|skip| skip.at().as_ms() > after_ms)
            {
                return Some(skip);
            }
            stretch = next;
        }
        None
    }

    /// What the jump at the beginning of a stretch skips, if it is reported.
    fn skip_at(&self, stretch: &Stretch) -> Option<Occurrence> {
        if self.gaps == Gaps::Silent || stretch.offset <= stretch.offset_before {
            return None;
        }
        let gap_end = stretch.start + stretch.offset;
        let skipped = self.pattern.from(stretch.start + stretch.offset_before).filter(|civil| *civil < gap_end)?;
        let fires_too = self.pattern.from(gap_end) == Some(gap_end);
        let at = Timestamp::from_ms(stretch.start * 1000 - i64::from(fires_too));
        Some(Occurrence::DstSkip { at, local: DateTime::from_timestamp(skipped, 0)?.naive_utc() })
    }
}

const fn fire_at(instant: i64) -> Occurrence {
    Occurrence::Fire { at: Timestamp::from_secs(instant) }
}
