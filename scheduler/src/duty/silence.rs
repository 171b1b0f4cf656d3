//! The duty that takes back the jobs of workers that speak OJS and fell silent, whatever their leases still allow them.

use std::time::Duration;

use carillon_shared::id::Partition;
use carillon_shared::job::{Failure, Job, JobState};
use carillon_shared::name::WorkerId;
use carillon_shared::store::{FallenSilent, Reclaim, ReclaimReply, Store, StoreError};
use carillon_shared::telemetry::metric;
use serde_json::json;
use tracing::warn;

use super::Duty;
use super::reclaim::taken_back;

/// What could not be concluded yet is looked at again after so long.
const AGAIN: Duration = Duration::from_secs(1);
/// Heartbeats are due every five seconds (OJS worker protocol).
const SILENT_FOR: Duration = Duration::from_secs(30);
const RECLAIMED_AT_ONCE: usize = 100;

/// Looks after silent workers.
pub(crate) struct Silence {
    store: Store,
}

impl Silence {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Takes back everything that a worker holds; false when Redis was away, so that nothing is to be concluded yet.
    async fn reclaim_all(&self, worker: &WorkerId) -> Result<bool, StoreError> {
        let ids = self.store.held_by(worker).await?;
        let jobs: Vec<Job> = self.store.jobs(&ids).await?.into_iter().flatten().collect();
        for partition in self.store.partitions() {
            let here: Vec<Reclaim> = jobs.iter().filter(|job| self.home(job) == partition).filter_map(plan).collect();
            for some in here.chunks(RECLAIMED_AT_ONCE) {
                let replies = self.store.reclaim_from(worker, partition, some).await?;
                if replies.contains(&ReclaimReply::HeldOff) {
                    return Ok(false);
                }
                let reclaimed = replies.iter().filter(|reply| **reply == ReclaimReply::Reclaimed).count();
                metrics::counter!(metric::JOBS_RECLAIMED_TOTAL).increment(u64::try_from(reclaimed).unwrap_or(0));
            }
        }
        Ok(true)
    }

    /// Until the next may have fallen silent: whoever is heard of meanwhile cannot before that.
    fn until_next(&self, silent: &FallenSilent) -> Duration {
        if !silent.workers.is_empty() {
            return AGAIN;
        }
        silent.next_at.map_or(SILENT_FOR, |at| self.store.clock().until(at).clamp(AGAIN, SILENT_FOR))
    }

    fn home(&self, job: &Job) -> Partition {
        self.store.keys().partition_of(&job.record.queue)
    }
}

impl Duty for Silence {
    const NAME: &'static str = "silence";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let silent = self.store.fallen_silent(SILENT_FOR).await?;
        for worker in &silent.workers {
            if !self.reclaim_all(worker).await? {
                continue;
            }
            warn!(worker.id = %worker, "a worker fell silent: its jobs were taken back");
            self.store.expect_no_more(worker).await?;
            let said = json!({"worker_id": worker, "reason": "error"});
            self.store.tell("worker.stopped", "workers", worker.as_str(), &said).await?;
        }
        Ok(self.until_next(&silent))
    }
}

fn plan(job: &Job) -> Option<Reclaim> {
    let lease = job.record.lease.as_ref().filter(|_| job.record.state == JobState::Active)?;
    let worker = job.record.worker.as_deref().unwrap_or("unknown");
    let message = format!("worker {worker} sent no heartbeat for {} s", SILENT_FOR.as_secs());
    Some(taken_back(job, lease, Failure::new("worker_death", message)))
}
