//! Bells: how somebody who waits is woken, each on a connection of its own.
//!
//! A bell is a hint that may be lost: whoever waits also looks by itself from time to time. What is taken off a list while
//! waiting is a token, never a job, because the answer to a blocking call can be lost on its way.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value};

use super::{Store, StoreError};
use crate::name::QueueName;

/// Something to wait for.
pub struct Bell {
    store: Store,
    /// Where it hangs.
    key: String,
    connection: MultiplexedConnection,
    wait: Cmd,
}

impl Bell {
    /// Waits until the bell rings; false when it did not for as long as was agreed.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached: get another bell.
    pub async fn wait(&mut self) -> Result<bool, StoreError> {
        match self.wait.query_async::<Value>(&mut self.connection).await {
            Ok(token) => Ok(token != Value::Nil),
            Err(error) => {
                self.store.0.connection.learn(&self.key, &error).await;
                Err(error.into())
            }
        }
    }
}

impl std::fmt::Debug for Bell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bell")
    }
}

impl Store {
    /// The bells of queues, which ring when a job becomes available: one per partition that the queues live in.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn bells(&self, queues: &[QueueName], longest: Duration) -> Result<Vec<Bell>, StoreError> {
        let mut bells = Vec::new();
        for (partition, queues) in self.by_partition(queues) {
            let keys = self.key(partition);
            let names: Vec<String> = queues.into_iter().map(|queue| keys.bell(queue)).collect();
            let mut wait = redis::cmd("BLPOP");
            wait.arg(&names).arg(longest.as_secs_f64());
            bells.push(self.bell(keys.events(), wait, longest).await?);
        }
        Ok(bells)
    }

    /// The bell of the inbox, which rings while something is in it.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn inbox_bell(&self, longest: Duration) -> Result<Bell, StoreError> {
        let inbox = self.keys().inbox();
        // The last item is moved to where it is: that waits for an item and takes none.
        let mut wait = redis::cmd("BLMOVE");
        wait.arg(&inbox).arg(&inbox).arg("RIGHT").arg("RIGHT").arg(longest.as_secs_f64());
        self.bell(inbox, wait, longest).await
    }

    /// The bell of the leadership, which rings for one standby when a leader steps down.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn leader_bell(&self, longest: Duration) -> Result<Bell, StoreError> {
        let bell = self.keys().leader_bell();
        let mut wait = redis::cmd("BLPOP");
        wait.arg(&bell).arg(longest.as_secs_f64());
        self.bell(bell, wait, longest).await
    }

    async fn bell(&self, key: String, wait: Cmd, longest: Duration) -> Result<Bell, StoreError> {
        let connection = self.0.connection.blocking(&key, longest).await?;
        Ok(Bell { store: self.clone(), key, connection, wait })
    }
}
