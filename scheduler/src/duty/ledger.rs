//! The duty that cuts the ledgers of cron entries by number and age.

use std::time::Duration;

use carillon_shared::id::Partition;
use carillon_shared::store::{Store, StoreError};

use super::Duty;

const PERIOD: Duration = Duration::from_secs(60);
/// Between two slices: a million entries are gone through in a quarter of an hour, at a thousandth of Redis's time.
const BETWEEN_SLICES: Duration = Duration::from_millis(80);

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
            return Ok(BETWEEN_SLICES);
        }
        self.passed = 0;
        Ok(PERIOD)
    }
}
