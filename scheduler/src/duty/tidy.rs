//! The duty that forgets queues that have not been used for long: whoever names queues after customers or days would
//! otherwise fill Redis with them.

use std::time::Duration;

use carillon_shared::id::Partition;
use carillon_shared::store::{Store, StoreError};
use tracing::info;

use super::Duty;

const PERIOD_MIN: Duration = Duration::from_secs(1);
const PERIOD_MAX: Duration = Duration::from_secs(60);
/// Between two calls of a round.
const BETWEEN_SLICES: Duration = Duration::from_millis(50);

/// Looks after the queues of one partition.
pub(crate) struct Tidy {
    store: Store,
    partition: Partition,
    idle_for: Duration,
    cursor: u64,
}

impl Tidy {
    pub(crate) fn new(store: Store, partition: Partition, idle_for: Duration) -> Self {
        Self { store, partition, idle_for, cursor: 0 }
    }
}

impl Duty for Tidy {
    const NAME: &'static str = "tidy";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let (next, forgotten) = self.store.forget_idle_queues(self.partition, self.cursor, self.idle_for).await?;
        self.cursor = next;
        if forgotten > 0 {
            info!(queues = forgotten, "queues that were not used for long are forgotten");
        }
        Ok(if next == 0 { (self.idle_for / 4).clamp(PERIOD_MIN, PERIOD_MAX) } else { BETWEEN_SLICES })
    }
}
