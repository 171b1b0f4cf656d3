//! Forgetting everything, as test suites ask for between two cases.

use super::{Reply, Store, StoreError};

const SCANNED_AT_ONCE: usize = 1000;

impl Store {
    /// Deletes every key of the namespace. What others write meanwhile may stay.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached; part of the keys may be gone then.
    pub async fn reset(&self) -> Result<(), StoreError> {
        for pattern in self.keys().pattern() {
            let mut cursor = "0".to_owned();
            loop {
                let mut scan = redis::cmd("SCAN");
                scan.arg(&cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCANNED_AT_ONCE);
                let reply = Reply::new("SCAN", self.send(&scan).await?)?;
                let keys = reply.list(1)?.texts(0)?;
                if !keys.is_empty() {
                    self.send(redis::cmd("UNLINK").arg(keys)).await?;
                }
                cursor = reply.text(0)?;
                if cursor == "0" {
                    break;
                }
            }
        }
        self.settle_partitions().await
    }
}
