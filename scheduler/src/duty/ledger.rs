//! The duty that cuts the ledgers of cron entries by number and age.
//!
//! It is in no hurry: a fire cuts its own ledger by number, about, and no row is shown that is too old. So it goes at a pace at
//! which even a million entries cost next to nothing, as long as rows are kept long enough.

use std::time::Duration;

use carillon_shared::id::Partition;
use carillon_shared::store::{Store, StoreError};

use super::Duty;

/// Between two rounds through all entries.
const PERIOD: Duration = Duration::from_secs(60);
/// Slices of a million entries.
const SLICES_MANY: u32 = 10_000;
/// A round through a million entries takes this share of the time that rows are kept for, ...
const ROUND_SHARE: u32 = 4;
/// ... but slices follow no closer than at a thousandth of Redis's time, ...
const BETWEEN_SLICES_MIN: Duration = Duration::from_millis(80);
/// ... and no further apart than this.
const BETWEEN_SLICES_MAX: Duration = Duration::from_secs(5);

/// Cuts the ledgers of one partition, slice by slice.
pub(crate) struct Ledgers {
    store: Store,
    partition: Partition,
    /// How many entries this round through all of them has passed.
    passed: usize,
}

impl Ledgers {
    pub(crate) fn new(store: Store, partition: Partition) -> Self {
        Self { store, partition, passed: 0 }
    }
}

impl Duty for Ledgers {
    const NAME: &'static str = "ledger";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let looked_at = self.store.trim_ledgers(self.partition, self.passed).await?;
        self.passed += looked_at;
        if looked_at > 0 {
            return Ok(between_slices(self.store.ledger_age()));
        }
        self.passed = 0;
        Ok(PERIOD)
    }
}

/// The pace for rows that are kept for `age`.
fn between_slices(age: Duration) -> Duration {
    (age / ROUND_SHARE / SLICES_MANY).clamp(BETWEEN_SLICES_MIN, BETWEEN_SLICES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_kept_for_long_are_cut_at_leisure() {
        let hour = Duration::from_secs(3600);
        for (age, between_ms) in [(hour / 60, 80), (hour, 90), (24 * hour, 2160), (90 * 24 * hour, 5000)] {
            assert_eq!(between_slices(age), Duration::from_millis(between_ms));
        }
    }
}
