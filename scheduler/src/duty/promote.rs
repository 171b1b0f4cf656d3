//! The duty that makes available what is due.

use std::time::Duration;

use carillon_shared::id::Partition;
use carillon_shared::store::{Coming, Store, StoreError};
use carillon_shared::telemetry::metric;

use super::Duty;
use super::awaiting::Awaits;

/// A job that is due before this is waited for, and no sooner one noticed meanwhile.
const NEAR: Duration = Duration::from_millis(100);

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

impl Awaits for Promote {
    const COMING: Coming = Coming::DueJob;
    // Redis says then exactly how far away it is.
    const AHEAD: Duration = Duration::from_millis(50);
}

impl Duty for Promote {
    const NAME: &'static str = "promote";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let promoted = self.store.promote(self.partition).await?;
        metrics::counter!(metric::JOBS_PROMOTED_TOTAL).increment(promoted.promoted);
        if promoted.promoted >= 100 {
            return Ok(Duration::ZERO);
        }
        let away = promoted.next_due_at.map(|at| self.store.clock().until(at));
        Ok(away.filter(|away| *away <= NEAR).unwrap_or(Self::REST_MAX))
    }
}
