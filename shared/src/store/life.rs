//! What time does to jobs, carried out by the leader's duties: promoted when due, reclaimed when their lease has ended.

use super::attempts::summary;
use super::connection::Arg;
use super::fields::Named as _;
use super::job_lines::JobLines;
use super::record::{envelope, record};
use super::{PartitionKeys, Reply, Store, StoreError, script};
use crate::clock::{BootInstant, Timestamp};
use crate::id::{JobId, Partition};
use crate::job::{Failure, Job, Lease, Verdict};
use crate::name::WorkerId;

/// What a promotion did.
#[derive(Debug, Clone, Copy)]
pub struct Promoted {
    /// How many jobs became available.
    pub promoted: u64,
    /// When the next is due.
    pub next_due_at: Option<Timestamp>,
}

/// The leases of a partition that have ended.
#[derive(Debug)]
pub struct Overdue {
    /// Redis was away, so that nothing is to be concluded yet.
    pub held_off: bool,
    /// The jobs, with the lease that each had.
    pub jobs: Vec<(Job, Lease)>,
}

/// A job to be taken back.
#[derive(Debug)]
pub struct Reclaim {
    /// Which job.
    pub id: JobId,
    /// The lease that has ended.
    pub lease: Lease,
    /// The number of the attempt that was cut short.
    pub attempt: u32,
    /// What is written into its history.
    pub failure: Failure,
    /// Whether it is tried again, and if not, what becomes of it.
    pub outcome: Reclaimed,
}

/// What becomes of a job whose worker fell silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reclaimed {
    /// Available again, at its old place.
    Available,
    /// No more.
    Discarded,
    /// No more; kept among the dead letters.
    DeadLetter,
}

impl From<Verdict> for Reclaimed {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Retry(_) => Self::Available,
            Verdict::Discard => Self::Discarded,
            Verdict::DeadLetter => Self::DeadLetter,
        }
    }
}

/// What became of a reclaim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReclaimReply {
    /// The job was taken back.
    Reclaimed,
    /// Its holder was heard of in the meantime.
    Stale,
    /// Redis was away in the meantime.
    HeldOff,
    /// There is no such job.
    Gone,
}

/// Two ticks further apart than this mean that Redis, or everybody, was away.
const GAP_MS: i64 = 2000;
/// For so long nobody is robbed afterwards: a healthy worker sends several heartbeats in the meantime.
const HOLD_OFF_MS: i64 = 15_000;

impl Store {
    /// Makes available what is due, at most 100 jobs.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn promote(&self, partition: Partition) -> Result<Promoted, StoreError> {
        let keys = self.key(partition);
        let sent = BootInstant::now();
        let reply = self.run(&script::promote, &keys, vec![keys.due()], vec![100.into()]).await?;
        self.heard(&reply, 1, sent)?;
        let next = reply.text(3)?;
        #[expect(clippy::cast_possible_truncation, reason = "a score in milliseconds, far below 2^53")]
        let next_due_at = next.parse::<f64>().ok().map(|ms| Timestamp::from_ms(ms as i64));
        Ok(Promoted { promoted: reply.int(2)?.unsigned_abs(), next_due_at })
    }

    /// Lists at most 100 leases that have ended, and notes that somebody looked.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn overdue(&self, partition: Partition) -> Result<Overdue, StoreError> {
        let keys = self.key(partition);
        let args = vec![100.into(), GAP_MS.into(), HOLD_OFF_MS.into()];
        let reply = self.run(&script::overdue, &keys, vec![keys.reaper(), keys.leases()], args).await?;
        let jobs = listed(&keys, &reply, 2)?;
        Ok(Overdue { held_off: reply.int(1)? == 1, jobs })
    }

    /// Takes jobs back, as was decided on what [`Store::overdue`] listed. The answers come in the same order.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn reclaim(&self, partition: Partition, jobs: &[Reclaim]) -> Result<Vec<ReclaimReply>, StoreError> {
        self.take_back(partition, "", jobs).await
    }

    /// Takes back jobs of a worker that fell silent, although their leases have not ended. The answers come in the same
    /// order.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn reclaim_from(
        &self,
        worker: &WorkerId,
        partition: Partition,
        jobs: &[Reclaim],
    ) -> Result<Vec<ReclaimReply>, StoreError> {
        self.take_back(partition, worker.as_str(), jobs).await
    }

    async fn take_back(
        &self,
        partition: Partition,
        silent: &str,
        jobs: &[Reclaim],
    ) -> Result<Vec<ReclaimReply>, StoreError> {
        let keys = self.key(partition);
        let mut names = vec![keys.leases(), keys.reaper(), keys.ended("discarded"), keys.ended("dead")];
        let mut args: Vec<Arg<'_>> = vec![GAP_MS.into(), silent.into()];
        for job in jobs {
            names.extend([keys.job(job.id), keys.errors(job.id)]);
            let outcome = match job.outcome {
                Reclaimed::Available => "available",
                Reclaimed::Discarded => "discarded",
                Reclaimed::DeadLetter => "dead",
            };
            args.extend([job.id.to_string().into(), Arg::from(job.lease.as_ref()), outcome.into()]);
            args.push(job.failure.to_json(job.attempt, self.clock().now()).to_string().into());
            args.extend([summary(&job.failure).into(), job.failure.to_event_json().to_string().into()]);
            args.push(i64::from(self.0.options.errors_kept).into());
        }
        let reply = self.run(&script::reclaim, &keys, names, args).await?;
        reply.texts(1)?.iter().map(|code| reclaim_reply(code)).collect()
    }

    /// Discards at most 100 jobs that were not claimed in time. Says how many were looked at.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn expire(&self, partition: Partition) -> Result<u64, StoreError> {
        let keys = self.key(partition);
        let names = vec![keys.expires(), keys.due(), keys.parked(), keys.ended("discarded")];
        Ok(self.run(&script::expire, &keys, names, vec![100.into()]).await?.int(1)?.unsigned_abs())
    }

    /// Lists at most 100 attempts that take longer than they may, with the lease of each.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn overtime(&self, partition: Partition) -> Result<Vec<(Job, Lease)>, StoreError> {
        let keys = self.key(partition);
        let reply = self.run(&script::overtime, &keys, vec![keys.timeouts()], vec![100.into()]).await?;
        listed(&keys, &reply, 1)
    }
}

/// Reads `{id, envelope, record}`…, the jobs that are still there.
fn listed(keys: &PartitionKeys, reply: &Reply, from: usize) -> Result<Vec<(Job, Lease)>, StoreError> {
    let mut jobs = Vec::new();
    for item in reply.lists(from)? {
        let text = item.text(0)?;
        let id: JobId = text.parse().map_err(|_| StoreError::corrupt(keys.leases(), text))?;
        let record_text = item.read(2)?;
        let hash = JobLines::new(keys, id, &record_text);
        if hash.is_empty() {
            continue;
        }
        let read = record(id, &hash).and_then(|record| Ok((record, hash.required("lease")?)));
        match read {
            Ok((record, lease)) => {
                let envelope = envelope(&keys.envelope(id), &item.text(1)?);
                let job = Job { envelope, record, result: None, errors: Vec::new(), parent_results: Vec::new() };
                jobs.push((job, lease));
            }
            // One broken job must not keep the others from being taken back.
            Err(error) => tracing::error!(job.id = %id, error = %error, "an active job cannot be read"),
        }
    }
    Ok(jobs)
}

fn reclaim_reply(code: &str) -> Result<ReclaimReply, StoreError> {
    match code {
        "ok" => Ok(ReclaimReply::Reclaimed),
        "stale" => Ok(ReclaimReply::Stale),
        "held" => Ok(ReclaimReply::HeldOff),
        "gone" => Ok(ReclaimReply::Gone),
        other => Err(StoreError::corrupt("reclaim", other)),
    }
}
