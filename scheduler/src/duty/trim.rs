//! The duty that forgets jobs that ended long ago.

use std::time::Duration;

use carillon_shared::id::Partition;
use carillon_shared::store::{Retention, Store, StoreError};
use carillon_shared::telemetry::metric;

use super::Duty;

const PERIOD: Duration = Duration::from_secs(5);
/// Between two slices, so that forgetting a million jobs does not hold up one that runs.
const BETWEEN_SLICES: Duration = Duration::from_millis(5);

/// Trims one partition.
pub(crate) struct Trim {
    store: Store,
    partition: Partition,
    retention: Vec<Retention>,
}

impl Trim {
    pub(crate) fn new(store: Store, partition: Partition, retention: Vec<Retention>) -> Self {
        Self { store, partition, retention }
    }
}

impl Duty for Trim {
    const NAME: &'static str = "trim";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let mut forgotten = 0;
        for kept in &self.retention {
            forgotten += self.store.trim(self.partition, *kept).await?;
        }
        metrics::counter!(metric::JOBS_TRIMMED_TOTAL).increment(forgotten);
        Ok(if forgotten > 0 { BETWEEN_SLICES } else { PERIOD })
    }
}
