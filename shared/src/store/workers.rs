//! The registry of workers: what each last said of itself. A hint for people; nothing is decided by it.

use std::time::Duration;

use redis::Value;
use serde::{Deserialize, Serialize};

use super::connection::Arg;
use super::{Reply, Store, StoreError, script};
use crate::clock::Timestamp;
use crate::id::Partition;
use crate::name::{JobType, QueueName, WorkerId};

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// Its id.
    pub worker_id: WorkerId,
    /// The machine it runs on.
    pub hostname: String,
    /// Its process.
    pub pid: u32,
    /// The queues it takes from, in order.
    pub queues: Vec<QueueName>,
    /// The types it has handlers for.
    pub job_types: Vec<JobType>,
    /// How many jobs it runs at once.
    pub concurrency: usize,
    /// The jobs it runs now.
    pub active_job_ids: Vec<crate::id::JobId>,
    /// `running`, `quiet` or `terminate`.
    pub state: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it said so.
    pub last_heartbeat_at: Timestamp,
}

impl WorkerInfo {
    /// A worker that has said nothing of itself yet but that it lives.
    #[must_use]
    pub fn unknown(worker_id: WorkerId, now: Timestamp) -> Self {
        Self {
            worker_id,
            hostname: String::new(),
            pid: 0,
            queues: Vec::new(),
            job_types: Vec::new(),
            concurrency: 0,
            active_job_ids: Vec::new(),
            state: "running".to_owned(),
            started_at: now,
            last_heartbeat_at: now,
        }
    }
}

/// A worker that was silent for so long is not listed.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

impl Store {
    /// Notes what a worker says of itself.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn note_worker(&self, info: &WorkerInfo) -> Result<(), StoreError> {
        let json = serde_json::to_string(info).map_err(|error| StoreError::corrupt("worker", error.to_string()))?;
        let ms = u64::try_from(REMEMBERED_FOR.as_millis()).unwrap_or(u64::MAX);
        self.send(redis::cmd("SET").arg(self.keys().worker(&info.worker_id)).arg(json).arg("PX").arg(ms)).await?;
        let at = info.last_heartbeat_at.as_ms();
        let workers = self.keys().workers();
        self.send(redis::cmd("ZADD").arg(&workers).arg(at).arg(info.worker_id.as_str())).await?;
        // Those that were killed have nobody else to strike them off.
        let silent_since = (info.last_heartbeat_at - REMEMBERED_FOR).as_ms();
        self.send(redis::cmd("ZREMRANGEBYSCORE").arg(&workers).arg("-inf").arg(format!("({silent_since}"))).await?;
        Ok(())
    }

    /// Strikes a worker off that has stopped.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn forget_worker(&self, worker: &WorkerId) -> Result<(), StoreError> {
        self.send(redis::cmd("DEL").arg(self.keys().worker(worker))).await?;
        self.send(redis::cmd("DEL").arg(self.keys().order(worker))).await?;
        self.send(redis::cmd("ZREM").arg(self.keys().workers()).arg(worker.as_str())).await?;
        self.send(redis::cmd("ZREM").arg(self.keys().heard()).arg(worker.as_str())).await?;
        Ok(())
    }

    /// Lists the workers that were heard of within a minute.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn workers(&self) -> Result<Vec<WorkerInfo>, StoreError> {
        let since = (self.clock().now() - REMEMBERED_FOR).as_ms();
        let workers = self.keys().workers();
        self.send(redis::cmd("ZREMRANGEBYSCORE").arg(&workers).arg("-inf").arg(format!("({since}"))).await?;
        let ids =
            Reply::new("workers", self.send(redis::cmd("ZRANGE").arg(&workers).arg(0).arg(-1)).await?)?.texts(0)?;
        let mut infos = Vec::new();
        for id in ids.iter().filter_map(|id| id.parse().ok()) {
            if let Value::BulkString(json) = self.send(redis::cmd("GET").arg(self.keys().worker(&id))).await? {
                infos.extend(serde_json::from_slice::<WorkerInfo>(&json));
            }
        }
        Ok(infos)
    }

    /// What a worker last said of itself, if it was heard of within a minute.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn worker(&self, worker: &WorkerId) -> Result<Option<WorkerInfo>, StoreError> {
        match self.send(redis::cmd("GET").arg(self.keys().worker(worker))).await? {
            Value::BulkString(json) => Ok(serde_json::from_slice(&json).ok()),
            _ => Ok(None),
        }
    }

    /// Tells an event of something that is in no partition. `data` is a JSON object.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn tell(
        &self,
        kind: &str,
        source: &str,
        subject: &str,
        data: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let keys = self.key(Partition(0));
        let args: Vec<Arg<'_>> = vec![kind.into(), source.into(), subject.into(), data.to_string().into()];
        self.run(&script::tell, &keys, Vec::new(), args).await?;
        Ok(())
    }
}
