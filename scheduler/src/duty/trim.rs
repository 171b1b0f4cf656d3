//! The duty that forgets what ended long ago, or is too much.

use std::time::{Duration, Instant};

use carillon_shared::id::Partition;
use carillon_shared::store::{Retention, Store, StoreError};
use carillon_shared::telemetry::metric;
use futures::future::try_join_all;

use super::Duty;

const PERIOD_MIN: Duration = Duration::from_millis(250);
const PERIOD_MAX: Duration = Duration::from_secs(5);

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

    /// Often enough that nothing is kept much longer than it should be.
    fn period(&self) -> Duration {
        let shortest = self.retention.iter().map(|kept| kept.kept_for).min().unwrap_or(PERIOD_MAX);
        (shortest / 4).clamp(PERIOD_MIN, PERIOD_MAX)
    }
}

impl Duty for Trim {
    const NAME: &'static str = "trim";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let started = Instant::now();
        // Together, because a leader with nothing to do is woken less often for it.
        let trims = self.retention.iter().map(|kept| self.store.trim(self.partition, *kept));
        let forgotten = try_join_all(trims).await?;
        metrics::counter!(metric::JOBS_TRIMMED_TOTAL).increment(forgotten.iter().sum());
        let is_behind = forgotten.contains(&Store::TRIMMED_AT_ONCE);
        // Forgetting a million jobs takes at most half of Redis, so that it does not hold up one that runs.
        Ok(if is_behind { started.elapsed() } else { self.period() })
    }
}
