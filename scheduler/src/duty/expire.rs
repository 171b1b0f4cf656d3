//! The duty that discards what was not claimed in time.

use std::time::Duration;

use carillon_shared::id::Partition;
use carillon_shared::store::{Coming, Store, StoreError};

use super::Duty;
use super::awaiting::Awaits;

/// Expires the jobs of one partition.
pub(crate) struct Expire {
    store: Store,
    partition: Partition,
}

impl Expire {
    pub(crate) fn new(store: Store, partition: Partition) -> Self {
        Self { store, partition }
    }
}

impl Awaits for Expire {
    const COMING: Coming = Coming::Expiry;
}

impl Duty for Expire {
    const NAME: &'static str = "expire";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let looked_at = self.store.expire(self.partition).await?;
        Ok(if looked_at >= 100 { Duration::ZERO } else { Self::REST_MAX })
    }
}
