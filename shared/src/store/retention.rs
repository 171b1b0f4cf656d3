//! What has ended is kept for a while, and only so much of it.

use std::time::Duration;

use super::connection::Arg;
use super::{Reply, Store, StoreError, script};
use crate::id::Partition;
use crate::name::QueueName;

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

/// A set of few queues is scanned whole, whatever was asked for.
const QUEUES_AT_ONCE: usize = 100;

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

    /// Looks at some queues, from where the call before ended (0: from the first), and forgets those that have been seen
    /// idle for so long: no job, no dead letter, nothing that was made to hold for them. Says where to go on (0: that were
    /// all) and how many were forgotten.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn forget_idle_queues(
        &self,
        partition: Partition,
        cursor: u64,
        idle_for: Duration,
    ) -> Result<(u64, u64), StoreError> {
        let keys = self.key(partition);
        let scan = redis::cmd("SSCAN").arg(keys.queues()).arg(cursor).arg("COUNT").arg(QUEUES_AT_ONCE).to_owned();
        let scanned = Reply::new("queues", self.send(&scan).await?)?;
        let next = scanned.text(0)?.parse().map_err(|_| StoreError::corrupt(keys.queues(), "no cursor"))?;
        let queues: Vec<QueueName> = scanned.list(1)?.texts(0)?.iter().filter_map(|name| name.parse().ok()).collect();
        let mut forgotten = 0;
        for some in queues.chunks(QUEUES_AT_ONCE) {
            let mut names = vec![keys.queues()];
            let mut args: Vec<Arg<'_>> = vec![i64::try_from(idle_for.as_millis()).unwrap_or(i64::MAX).into()];
            for queue in some {
                names.extend([
                    keys.queue(queue),
                    keys.ready(queue),
                    keys.bell(queue),
                    keys.rate(queue),
                    keys.dead(queue),
                ]);
                args.push(queue.as_str().into());
            }
            forgotten += self.run(&script::queue_tidy, &keys, names, args).await?.int(1)?.unsigned_abs();
        }
        Ok((next, forgotten))
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
