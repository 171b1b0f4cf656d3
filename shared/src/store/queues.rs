//! Queues and their counters.

use redis::Value;

use super::fields::{Fields, Named as _};
use super::{Reply, Store, StoreError, script};
use crate::clock::Timestamp;
use crate::id::Partition;
use crate::job::{JobState, RateLimit};
use crate::name::QueueName;

/// The counters of a queue, exact at the moment they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStats {
    /// Which queue.
    pub name: QueueName,
    /// Whether claims are held back.
    pub paused: bool,
    /// Since when claims are held back.
    pub paused_at: Option<Timestamp>,
    /// When it was first used.
    pub created_at: Option<Timestamp>,
    /// How many of its jobs may run at once.
    pub concurrency: Option<u32>,
    /// How many of its jobs may start within a span: `<starts>:<milliseconds>`.
    pub rate: Option<String>,
    /// How many of its jobs are dead letters now.
    pub dead: u64,
    /// Jobs by state; those of terminal states count all that ever were, for as long as the queue is known.
    pub counts: Vec<(JobState, u64)>,
}

/// Something that is made to hold for a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueChange {
    /// Claims are held back.
    Pause,
    /// Claims go on.
    Resume,
    /// So many jobs at once, or any number.
    Concurrency(Option<u32>),
    /// So many starts within a span, or any number.
    Rate(Option<RateLimit>),
}

impl QueueStats {
    /// How many jobs are in a state.
    #[must_use]
    pub fn count(&self, state: JobState) -> u64 {
        self.counts.iter().find(|(other, _)| *other == state).map_or(0, |(_, count)| *count)
    }
}

impl Store {
    /// Lists every queue that is known, by name, with its counters.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn queues(&self) -> Result<Vec<QueueStats>, StoreError> {
        let mut stats = Vec::new();
        for partition in self.partitions() {
            for name in self.queue_names(partition).await? {
                stats.push(self.queue_in(partition, name).await?);
            }
        }
        stats.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(stats)
    }

    pub(super) async fn queue_names(&self, partition: Partition) -> Result<Vec<QueueName>, StoreError> {
        let names = match self.send(redis::cmd("SMEMBERS").arg(self.key(partition).queues())).await? {
            Value::Set(items) => Value::Array(items),
            other => other,
        };
        Ok(Reply::new("queues", names)?.texts(0)?.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Reads the counters of a queue; zeros when it was never used.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn queue(&self, name: QueueName) -> Result<QueueStats, StoreError> {
        self.queue_in(self.keys().partition_of(&name), name).await
    }

    /// Changes what holds for a queue; claims obey from now on.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn change_queue(&self, name: &QueueName, change: &QueueChange) -> Result<(), StoreError> {
        let keys = self.key(self.keys().partition_of(name));
        let (field, value) = match change {
            QueueChange::Pause => ("paused", self.clock().now().as_ms().to_string()),
            QueueChange::Resume => ("paused", String::new()),
            QueueChange::Concurrency(most) => ("concurrency", most.map(|most| most.to_string()).unwrap_or_default()),
            QueueChange::Rate(limit) => ("rate", limit.map(|limit| limit.to_string()).unwrap_or_default()),
        };
        let names = vec![keys.queue(name), keys.queues(), keys.bell(name), keys.ready(name)];
        let args = vec![name.as_str().into(), field.into(), value.into()];
        self.run(&script::queue_set, &keys, names, args).await?;
        Ok(())
    }

    async fn queue_in(&self, partition: Partition, name: QueueName) -> Result<QueueStats, StoreError> {
        let keys = self.key(partition);
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("HGETALL").arg(keys.queue(&name)).cmd("ZCARD").arg(keys.dead(&name));
        let reply = Reply::new("queue", self.0.connection.transaction(&pipe).await?)?;
        let hash = Fields::new(keys.queue(&name), &reply.list(0)?)?;
        let count = |state: JobState| Ok((state, hash.parsed::<u64>(state.as_str())?.unwrap_or(0)));
        let counts = JobState::ALL.into_iter().map(count).collect::<Result<_, StoreError>>()?;
        Ok(QueueStats {
            name,
            paused: hash.flag("paused"),
            paused_at: hash.time("paused")?,
            created_at: hash.time("created")?,
            concurrency: hash.parsed("concurrency")?,
            rate: hash.text("rate").map(str::to_owned),
            dead: u64::try_from(reply.int(1)?).unwrap_or(0),
            counts,
        })
    }
}
