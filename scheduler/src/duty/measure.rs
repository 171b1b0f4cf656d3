//! The duty that measures what stands in Redis.

use std::time::Duration;

use carillon_shared::job::JobState;
use carillon_shared::store::{Store, StoreError};
use carillon_shared::telemetry::metric::{self, label};
use carillon_shared::telemetry::queue_label;

use super::Duty;

const PERIOD: Duration = Duration::from_secs(5);

/// Measures all partitions.
pub(crate) struct Measure {
    store: Store,
}

impl Measure {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Duty for Measure {
    const NAME: &'static str = "measure";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
        metrics::gauge!(metric::CRON_ENTRIES).set(self.store.count_entries().await? as f64);
        for queue in self.store.queues().await? {
            for (state, count) in queue.counts.iter().filter(|(state, _)| !state.is_terminal()) {
                depth(queue.name.as_str(), *state, *count);
            }
        }
        Ok(PERIOD)
    }
}

fn depth(queue: &str, state: JobState, count: u64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
    metrics::gauge!(metric::QUEUE_DEPTH, label::QUEUE => queue_label(queue), label::STATE => state.as_str())
        .set(count as f64);
}
