//! The registry of workers: what each last said of itself. A hint for people; of all that is done, only whether a worker is
//! handed jobs by the API is decided by it (quiet.rs).

use std::time::Duration;

use redis::Value;
use serde::{Deserialize, Serialize};

use super::connection::Arg;
use super::{Reply, Store, StoreError, WorkerOrder, orders, script};
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
    /// `running`, `quiet` or `terminate` (OJS worker protocol): what it does, which may lag behind what it was told.
    pub state: String,
    /// When it started.
    pub started_at: Timestamp,
    /// When it said so.
    pub last_heartbeat_at: Timestamp,
}

/// A worker in the registry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KnownWorker {
    /// What it says of itself.
    #[serde(flatten)]
    pub info: WorkerInfo,
    /// What it was told to do, if anything.
    pub order: Option<WorkerOrder>,
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

    /// Whether it says that it takes no more jobs.
    #[must_use]
    pub fn is_winding_up(&self) -> bool {
        let words = ["quiet", "drain", "draining", "terminate", "terminating", "shutting_down", "stopping"];
        words.contains(&self.state.as_str())
    }
}

/// A worker that was silent for so long is not listed.
pub(super) const REMEMBERED_FOR: Duration = Duration::from_secs(60);
const LISTED_AT_ONCE: usize = 500;

impl Store {
    /// Notes what a worker says of itself, and says what it was told to do. The order is kept for another day.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn note_worker(&self, info: &WorkerInfo) -> Result<Option<WorkerOrder>, StoreError> {
        let json = serde_json::to_string(info).map_err(|error| StoreError::corrupt("worker", error.to_string()))?;
        let worker = &info.worker_id;
        let keys = [self.keys().workers(), self.keys().worker(worker), self.keys().order(worker)];
        let args = [worker.as_str().into(), json.into(), ms(REMEMBERED_FOR), ms(orders::KEPT_FOR)];
        let reply = self.run_bare(&script::worker_note, &keys, &args).await?;
        Ok(WorkerOrder::named(&reply.text(1)?))
    }

    /// Strikes a worker off that has stopped.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn forget_worker(&self, worker: &WorkerId) -> Result<(), StoreError> {
        let notes = match self.order_of(worker).await? {
            Some(_) => self.quiet_notes(worker).await.unwrap_or_default(),
            None => Vec::new(),
        };
        self.send(redis::cmd("DEL").arg(self.keys().worker(worker))).await?;
        self.send(redis::cmd("DEL").arg(self.keys().order(worker))).await?;
        self.send(redis::cmd("ZREM").arg(self.keys().workers()).arg(worker.as_str())).await?;
        self.send(redis::cmd("ZREM").arg(self.keys().heard()).arg(worker.as_str())).await?;
        self.forget_quiet(&notes).await;
        Ok(())
    }

    /// Lists the workers that were heard of within a minute, by name, with what each was told to do.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn workers(&self) -> Result<Vec<KnownWorker>, StoreError> {
        let since = (self.clock().now() - REMEMBERED_FOR).as_ms();
        let range = redis::cmd("ZRANGE").arg(self.keys().workers()).arg(since).arg("+inf").arg("BYSCORE").to_owned();
        let ids = Reply::new("workers", self.send(&range).await?)?.texts(0)?;
        let ids: Vec<WorkerId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let mut workers = Vec::new();
        for some in ids.chunks(LISTED_AT_ONCE) {
            let mut get = redis::cmd("MGET");
            for id in some {
                get.arg(self.keys().worker(id)).arg(self.keys().order(id));
            }
            let texts = Reply::new("workers", self.send(&get).await?)?.texts(0)?;
            let known = |pair: &[String]| {
                let info = serde_json::from_str(&pair[0]).ok()?;
                Some(KnownWorker { info, order: WorkerOrder::named(&pair[1]) })
            };
            workers.extend(texts.chunks_exact(2).filter_map(known));
        }
        workers.sort_by(|a, b| a.info.worker_id.as_str().cmp(b.info.worker_id.as_str()));
        Ok(workers)
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

fn ms(duration: Duration) -> Arg<'static> {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).into()
}
