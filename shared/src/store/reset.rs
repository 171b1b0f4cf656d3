//! Forgetting everything, as test suites ask for between two cases.

use super::connection::Node;
use super::{Reply, Store, StoreError};

const SCANNED_AT_ONCE: usize = 1000;

impl Store {
    /// Deletes every key of the namespace. What others write meanwhile may stay.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached; part of the keys may be gone then.
    pub async fn reset(&self) -> Result<(), StoreError> {
        for node in self.0.connection.masters().await? {
            for pattern in self.keys().pattern() {
                self.delete(&node, &pattern).await?;
            }
        }
        self.settle().await
    }

    /// Deletes what one server has under names of this pattern.
    async fn delete(&self, node: &Node, pattern: &str) -> Result<(), StoreError> {
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(&cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCANNED_AT_ONCE);
            let reply = Reply::new("SCAN", self.0.connection.ask(node, &scan).await?)?;
            // A command for each, because names of different slots may stand in no command together.
            let mut pipe = redis::pipe();
            for key in reply.list(1)?.texts(0)? {
                pipe.cmd("UNLINK").arg(key);
            }
            if !pipe.is_empty() {
                self.0.connection.ask_all(node, &pipe).await?;
            }
            cursor = reply.text(0)?;
            if cursor == "0" {
                return Ok(());
            }
        }
    }
}
