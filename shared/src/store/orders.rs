//! Orders to workers: what an operator wants one of them to do. It hears of it with its next heartbeat; a worker of our own
//! crate is nudged to send it at once.

use std::fmt;
use std::time::Duration;

use redis::Value;
use serde::Serialize;

use super::{Store, StoreError};
use crate::name::WorkerId;

/// What a worker is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerOrder {
    /// To take no more jobs, and to finish those it has.
    Quiet,
    /// To stop.
    Terminate,
}

/// An order to a worker that is never heard of again is forgotten after so long.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

impl WorkerOrder {
    /// The order as the wire and the store write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Terminate => "terminate",
        }
    }

    /// The order of this name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        match text {
            "quiet" => Some(Self::Quiet),
            "terminate" => Some(Self::Terminate),
            _ => None,
        }
    }
}

impl fmt::Display for WorkerOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Store {
    /// Tells a worker what to do, or takes the order back. Once this is done no job is claimed for a worker that was told something.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn order(&self, worker: &WorkerId, order: Option<WorkerOrder>) -> Result<(), StoreError> {
        let key = self.keys().order(worker);
        // What is not taken back now goes with the next claim.
        let notes = if order.is_some() { Vec::new() } else { self.quiet_notes(worker).await.unwrap_or_default() };
        match order {
            Some(order) => {
                self.send(redis::cmd("SET").arg(key).arg(order.as_str()).arg("EX").arg(KEPT_FOR.as_secs())).await?
            }
            None => self.send(redis::cmd("DEL").arg(key)).await?,
        };
        let noted = match order {
            Some(_) => self.note_quiet(worker, order).await,
            None => {
                self.forget_quiet(&notes).await;
                Ok(())
            }
        };
        let channel = self.keys().worker_channel(worker.as_str());
        self.send(redis::cmd("PUBLISH").arg(channel).arg(order.map_or("", WorkerOrder::as_str))).await?;
        noted
    }

    /// What a worker was told to do. Asking for it on its behalf keeps the order for another day.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn order_of(&self, worker: &WorkerId) -> Result<Option<WorkerOrder>, StoreError> {
        let key = self.keys().order(worker);
        match self.send(redis::cmd("GETEX").arg(key).arg("EX").arg(KEPT_FOR.as_secs())).await? {
            Value::BulkString(bytes) => Ok(WorkerOrder::named(&String::from_utf8_lossy(&bytes))),
            _ => Ok(None),
        }
    }
}
