//! Who was heard of, and who fell silent, among the workers that send heartbeats of OJS.
//!
//! Their leases may last for half an hour, because clients may ask for that. Whoever has once sent a heartbeat is expected
//! to go on with it, so that silence says more, and sooner, than a lease. Workers of our own crate are not among them:
//! their leases are short.

use std::time::Duration;

use super::{Reply, Store, StoreError};
use crate::name::WorkerId;

impl Store {
    /// Notes that a worker sent a heartbeat.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn heard_of(&self, worker: &WorkerId) -> Result<(), StoreError> {
        let at = self.clock().now().as_ms();
        self.send(redis::cmd("ZADD").arg(self.keys().heard()).arg(at).arg(worker.as_str())).await?;
        Ok(())
    }

    /// Lists workers that sent heartbeats and have not for so long, at most 100.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn fallen_silent(&self, silent_for: Duration) -> Result<Vec<WorkerId>, StoreError> {
        let until = (self.clock().now() - silent_for).as_ms();
        let mut range = redis::cmd("ZRANGE");
        range.arg(self.keys().heard()).arg("-inf").arg(until).arg("BYSCORE").arg("LIMIT").arg(0).arg(100);
        let ids = Reply::new("silence", self.send(&range).await?)?.texts(0)?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Expects no more heartbeats of a worker, until it sends one. What it was told to do still holds then.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn expect_no_more(&self, worker: &WorkerId) -> Result<(), StoreError> {
        self.send(redis::cmd("ZREM").arg(self.keys().heard()).arg(worker.as_str())).await?;
        Ok(())
    }
}
