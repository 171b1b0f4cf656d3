//! Limits that jobs share by a key: how much of one is used.

use super::{Reply, Store, StoreError};

/// How much of the limit of a key is used. It holds within a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyUse {
    /// Jobs that run.
    pub active: u64,
    /// Jobs that started within the span of the job that started last.
    pub started: u64,
}

impl Store {
    /// Reads how much of the limit of a key is used, over all partitions; zeros when no job of it ever started.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn key_use(&self, limit: &str) -> Result<KeyUse, StoreError> {
        let mut used = KeyUse::default();
        for partition in self.partitions() {
            let keys = self.key(partition);
            let mut pipe = redis::pipe();
            pipe.cmd("SCARD").arg(keys.running(limit)).cmd("ZCARD").arg(keys.limit(limit));
            let reply = Reply::new("limits", self.0.connection.transaction(&pipe).await?)?;
            used.active += reply.int(0)?.unsigned_abs();
            used.started += reply.int(1)?.unsigned_abs();
        }
        Ok(used)
    }
}
