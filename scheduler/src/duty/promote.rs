//! The duty that makes available what is due.

use std::time::Duration;

use carillon_shared::id::Partition;
use carillon_shared::store::{Store, StoreError};
use carillon_shared::telemetry::metric;

use super::Duty;

/// A job that was scheduled for sooner than the next known one is noticed within so long.
const REST_MAX: Duration = Duration::from_millis(100);

/// Promotes the jobs of one partition.
pub(crate) struct Promote {
    store: Store,
    partition: Partition,
}

impl Promote {
    pub(crate) fn new(store: Store, partition: Partition) -> Self {
        Self { store, partition }
    }
}

impl Duty for Promote {
    const NAME: &'static str = "promote";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let promoted = self.store.promote(self.partition).await?;
        metrics::counter!(metric::JOBS_PROMOTED_TOTAL).increment(promoted.promoted);
        if promoted.promoted >= 100 {
            return Ok(Duration::ZERO);
        }
        Ok(promoted.next_due_at.map_or(REST_MAX, |at| self.store.clock().until(at).min(REST_MAX)))
    }
}
