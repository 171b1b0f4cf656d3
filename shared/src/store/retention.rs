//! What has ended is kept for a while, and only so much of it.

use std::time::Duration;

use super::connection::Arg;
use super::{Store, StoreError, script};
use crate::id::Partition;

/// Something that has ended, by how it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Completed jobs.
    Completed,
    /// Cancelled jobs.
    Cancelled,
    /// Discarded jobs that are no dead letters.
    Discarded,
    /// Dead letters.
    DeadLetter,
    /// Workflows; their jobs are kept as other jobs are.
    Workflow,
}

/// How long, and how many, are kept after their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Of what.
    pub of: Ended,
    /// For how long.
    pub kept_for: Duration,
    /// How many at most, in each partition.
    pub kept: u64,
}

impl Store {
    /// No call of [`Store::trim`] forgets more than this, so that nobody waits long for Redis.
    pub const TRIMMED_AT_ONCE: u64 = 100;

    /// Forgets what ended as long ago as it is kept, or is too much, the oldest first: at most
    /// [`TRIMMED_AT_ONCE`](Self::TRIMMED_AT_ONCE). Says how many.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn trim(&self, partition: Partition, retention: Retention) -> Result<u64, StoreError> {
        let keys = self.key(partition);
        let kept_ms = i64::try_from(retention.kept_for.as_millis()).unwrap_or(i64::MAX);
        let kept = i64::try_from(retention.kept).unwrap_or(i64::MAX);
        let most = i64::try_from(Self::TRIMMED_AT_ONCE).unwrap_or(i64::MAX);
        let limits: [Arg<'_>; 3] = [kept_ms.into(), kept.into(), most.into()];
        let reply = match retention.of.index() {
            None => self.run(&script::flow_trim, &keys, vec![keys.flows()], limits.into()).await?,
            Some(how) => {
                let args = std::iter::once(how.into()).chain(limits).collect();
                self.run(&script::trim, &keys, vec![keys.ended(how)], args).await?
            }
        };
        Ok(reply.int(1)?.unsigned_abs())
    }
}

impl Ended {
    /// The index of jobs that ended so.
    const fn index(self) -> Option<&'static str> {
        match self {
            Self::Completed => Some("completed"),
            Self::Cancelled => Some("cancelled"),
            Self::Discarded => Some("discarded"),
            Self::DeadLetter => Some("dead"),
            Self::Workflow => None,
        }
    }
}
