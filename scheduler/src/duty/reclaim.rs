//! The duty that takes back jobs whose worker fell silent.
//!
//! A lease is dead if and only if its deadline has passed by Redis's time, and Redis was not away around it: a healthy worker
//! must not be robbed because it could not be heard. A job that has outlived three workers goes to the dead letters: it is
//! what kills them.

use std::time::Duration;

use carillon_shared::id::Partition;
use carillon_shared::job::{Failure, Job, Lease, Verdict, decide};
use carillon_shared::store::{Coming, Reclaim, ReclaimReply, Reclaimed, Store, StoreError};
use carillon_shared::telemetry::metric;
use tracing::warn;

use super::awaiting::Awaits;
use super::{Duty, policy_of};

const WORKERS_OUTLIVED_MAX: u32 = 3;

/// Reclaims the jobs of one partition.
pub(crate) struct Reclaiming {
    store: Store,
    partition: Partition,
}

impl Reclaiming {
    pub(crate) fn new(store: Store, partition: Partition) -> Self {
        Self { store, partition }
    }
}

impl Awaits for Reclaiming {
    const COMING: Coming = Coming::LeaseEnd;
    // Redis counts as away when nobody has looked for two seconds.
    const REST_MAX: Duration = Duration::from_millis(500);
}

impl Duty for Reclaiming {
    const NAME: &'static str = "reclaim";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let overdue = self.store.overdue(self.partition).await?;
        if overdue.jobs.is_empty() {
            return Ok(Self::REST_MAX);
        }
        let jobs: Vec<Reclaim> = overdue.jobs.iter().map(|(job, lease)| plan(job, lease)).collect();
        let replies = self.store.reclaim(self.partition, &jobs).await?;
        for (job, _) in jobs.iter().zip(&replies).filter(|(_, reply)| **reply == ReclaimReply::Reclaimed) {
            metrics::counter!(metric::JOBS_RECLAIMED_TOTAL).increment(1);
            warn!(job.id = %job.id, outcome = ?job.outcome, "a worker fell silent: its job was taken back");
        }
        Ok(if overdue.jobs.len() >= 100 { Duration::ZERO } else { Self::REST_MAX })
    }
}

/// Decides what becomes of a job whose lease has ended.
fn plan(job: &Job, lease: &Lease) -> Reclaim {
    let worker = job.record.worker.as_deref().unwrap_or("unknown");
    let message = format!("the lease of worker {worker} ended without a heartbeat");
    taken_back(job, lease, Failure::new("visibility_timeout", message))
}

/// A job is tried again after its worker fell silent, unless it has outlived too many of them.
pub(super) fn taken_back(job: &Job, lease: &Lease, failure: Failure) -> Reclaim {
    let record = &job.record;
    let reclaim =
        |failure, outcome| Reclaim { id: record.id, lease: lease.clone(), attempt: record.attempt, failure, outcome };
    if record.crashes + 1 >= WORKERS_OUTLIVED_MAX {
        let worker = record.worker.as_deref().unwrap_or("unknown");
        let message =
            format!("{} workers fell silent while they ran this job, the last was {worker}", record.crashes + 1);
        return reclaim(Failure::new("worker_lost", message), Reclaimed::DeadLetter);
    }
    let verdict = policy_of(job).map_or(Verdict::DeadLetter, |policy| decide(&policy, record.attempt, &failure, 0.0));
    reclaim(failure, verdict.into())
}
