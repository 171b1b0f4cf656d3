//! Spreading entries that name the same instant, without a random number: the same entry and instant always wait as long.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::clock::Timestamp;

/// How long after an instant it is decided on, at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jitter {
    pub(super) most: Duration,
    pub(super) uid: Box<str>,
}

impl Jitter {
    /// How long after `at` it is decided on. `gap` is the time to the instant after it, which comes first never.
    pub(super) fn of(&self, at: Timestamp, gap: Option<Duration>) -> Duration {
        let below_ms = gap.map_or(self.most, |gap| self.most.min(gap)).as_millis();
        let mut hash = Sha256::new();
        hash.update(self.uid.as_bytes());
        hash.update(at.as_ms().to_be_bytes());
        let digest = hash.finalize();
        let drawn = u64::from_be_bytes(std::array::from_fn(|i| digest[i]));
        let below_ms = u64::try_from(below_ms).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(drawn % below_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_entry_and_instant_wait_as_long_and_others_do_not() {
        let jitter = |uid: &str| Jitter { most: Duration::from_secs(30), uid: uid.into() };
        let at = Timestamp::from_secs(1_772_947_800);
        assert_eq!(jitter("a").of(at, None), jitter("a").of(at, None));
        assert_ne!(jitter("a").of(at, None), jitter("b").of(at, None));
        assert_ne!(jitter("a").of(at, None), jitter("a").of(at + Duration::from_secs(60), None));
    }

    #[test]
    fn waits_are_spread_and_stay_below_the_gap() {
        let jitter = Jitter { most: Duration::from_secs(30), uid: "a".into() };
        let waits: Vec<u128> =
            (0..1000).map(|i| jitter.of(Timestamp::from_secs(i), Some(Duration::from_secs(10))).as_millis()).collect();
        assert!(waits.iter().all(|wait| *wait < 10_000));
        assert!(waits.iter().any(|wait| *wait < 1000) && waits.iter().any(|wait| *wait > 9000));
    }
}
