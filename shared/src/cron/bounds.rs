//! Between which instants an entry fires, and how often at most.

use crate::clock::Timestamp;

/// The bounds of an entry; without any it fires for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Instants before this one are not its own.
    pub starts_at: Option<Timestamp>,
    /// Nor are this one and those after it.
    pub ends_at: Option<Timestamp>,
    /// After so many jobs made by its schedule it has ended.
    pub max_runs: Option<u64>,
}

impl Bounds {
    /// Whether an instant lies within.
    #[must_use]
    pub fn admit(&self, at: Timestamp) -> bool {
        self.starts_at.is_none_or(|starts_at| at >= starts_at) && self.ends_at.is_none_or(|ends_at| at < ends_at)
    }

    /// Whether an entry that has made so many jobs by its schedule has ended.
    #[must_use]
    pub fn are_reached(&self, scheduled_runs: u64) -> bool {
        self.max_runs.is_some_and(|max_runs| scheduled_runs >= max_runs)
    }

    /// Whether both say the same of instants, whatever they say of their number.
    #[must_use]
    pub fn admit_the_same(&self, other: &Self) -> bool {
        (self.starts_at, self.ends_at) == (other.starts_at, other.ends_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_within_and_the_end_is_not() {
        let at = Timestamp::from_secs;
        let bounds = Bounds { starts_at: Some(at(10)), ends_at: Some(at(20)), max_runs: Some(2) };
        let admitted: Vec<bool> = [9, 10, 19, 20].map(|secs| bounds.admit(at(secs))).to_vec();
        assert_eq!(admitted, [false, true, true, false]);
        assert_eq!([1, 2, 3].map(|runs| bounds.are_reached(runs)), [false, true, true]);
        assert!(Bounds::default().admit(at(0)) && !Bounds::default().are_reached(u64::MAX));
    }
}
