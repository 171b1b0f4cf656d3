//! The instants of `@every`: an anchor and whole multiples of an interval after it, without drift.

use crate::clock::Timestamp;

/// An anchor that does not fire itself, and an interval of at least one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    anchor_secs: i64,
    pub(super) secs: u64,
}

impl Interval {
    /// The anchor counts in whole seconds, as all occurrences do.
    pub(super) const fn new(anchor: Timestamp, secs: u64) -> Self {
        Self { anchor_secs: anchor.as_secs(), secs }
    }

    pub(super) const fn anchor(self) -> Timestamp {
        Timestamp::from_secs(self.anchor_secs)
    }

    pub(super) fn after(self, after: Timestamp) -> Option<Timestamp> {
        self.instant(self.passed(after.as_secs()) + 1)
    }

    pub(super) fn before(self, before: Timestamp) -> Option<Timestamp> {
        let last = before.as_ms().saturating_sub(1).div_euclid(1000);
        match self.passed(last) {
            0 => None,
            count => self.instant(count),
        }
    }

    pub(super) fn count(self, after: Timestamp, until: Timestamp) -> u64 {
        self.passed(until.as_secs()).saturating_sub(self.passed(after.as_secs()))
    }

    /// How many instants are not after one.
    fn passed(self, instant_secs: i64) -> u64 {
        u64::try_from(instant_secs - self.anchor_secs).unwrap_or(0) / self.secs
    }

    fn instant(self, count: u64) -> Option<Timestamp> {
        let ahead = i64::try_from(count.checked_mul(self.secs)?).ok()?;
        let secs = self.anchor_secs.checked_add(ahead)?;
        (secs <= Timestamp::MAX.as_secs()).then(|| Timestamp::from_secs(secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_multiples_after_the_anchor() {
        let every = Interval::new(Timestamp::from_ms(10_700), 30);
        let at = Timestamp::from_secs;
        assert_eq!(every.after(at(-500)), Some(at(40)));
        assert_eq!(every.after(at(40)), Some(at(70)));
        assert_eq!(every.after(Timestamp::from_ms(40_001)), Some(at(70)));
        assert_eq!(every.before(at(40)), None);
        assert_eq!(every.before(Timestamp::from_ms(40_001)), Some(at(40)));
        assert_eq!(every.count(at(10), at(100)), 3);
        assert_eq!(every.after(Timestamp::MAX), None);
    }
}
