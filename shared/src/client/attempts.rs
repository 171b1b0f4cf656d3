//! Attempts of workers that speak OJS rather than Rust: fetched, kept, ended.
//!
//! Such a worker may identify itself by its id, by the number of the attempt, or by the lease it was given. Whatever it
//! presents must be right; one that presents nothing is believed as long as the job is active.

use std::time::Duration;

use serde_json::Value;

use super::{Client, ClientError};
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::job::{Envelope, Failure, Job, JobState, Lease, Verdict, decide};
use crate::name::{QueueName, WorkerId};
use crate::store::{AttemptEnd, Claim, EndReply, Ending, Held, LeaseState, StoreError};

/// A request for jobs.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// From which queues, in this order.
    pub queues: Vec<QueueName>,
    /// How many at most.
    pub count: usize,
    /// Who asks, if it says so.
    pub worker: Option<WorkerId>,
    /// For how long, unless a job has a wish of its own.
    pub visibility: Option<Duration>,
}

/// By what a caller identifies its attempt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Presented {
    /// Its id.
    pub worker: Option<String>,
    /// The number of the attempt.
    pub attempt: Option<u32>,
    /// The lease.
    pub lease: Option<Lease>,
}

/// A failed attempt, as its worker tells it.
#[derive(Debug, Clone)]
pub struct Nack {
    /// The failure.
    pub failure: Failure,
    /// The job is given back, and the attempt does not count.
    pub requeue: bool,
    /// What the handler itself decided.
    pub action: Option<Action>,
}

/// What a handler decides about its job (OJS retry, handler responses).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// As the policy says.
    Retry,
    /// No more, and not among the dead letters.
    Discard,
    /// Among the dead letters, whatever the policy says.
    DeadLetter,
}

impl Action {
    /// The action of this name: `RETRY`, `DISCARD`, `FAIL` or `DEAD_LETTER`.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        match text {
            "RETRY" => Some(Self::Retry),
            "DISCARD" | "FAIL" => Some(Self::Discard),
            "DEAD_LETTER" => Some(Self::DeadLetter),
            _ => None,
        }
    }
}

/// What a heartbeat found out.
#[derive(Debug, Clone, Default)]
pub struct Beat {
    /// Jobs whose lease was extended.
    pub extended: Vec<JobId>,
    /// Jobs that are the caller's no more.
    pub lost: Vec<JobId>,
    /// Jobs that were cancelled.
    pub cancelled: Vec<JobId>,
}

/// The worker of a claim that did not say who asked; the scripts know it by the same word.
const ANONYMOUS: &str = "anonymous";
/// How long a lease lasts when nobody has a wish (OJS core: 30 minutes).
const VISIBILITY_DEFAULT: Duration = Duration::from_secs(1800);
/// At most so many jobs are handed out at once.
const FETCH_MAX: usize = 100;
const EXTENDED_AT_ONCE: usize = 100;

impl Client {
    /// Hands out jobs.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn fetch(&self, fetch: Fetch) -> Result<Vec<Job>, ClientError> {
        let worker = match fetch.worker {
            Some(worker) => worker,
            None => ANONYMOUS.parse().map_err(|_| StoreError::corrupt("worker", "the name of nobody"))?,
        };
        let visibility = fetch.visibility.unwrap_or(VISIBILITY_DEFAULT);
        let claim = Claim::new(worker, fetch.queues, fetch.count.min(FETCH_MAX), visibility);
        let (broken, sound): (Vec<_>, Vec<_>) =
            self.store.claim(&claim).await?.into_iter().partition(|claimed| claimed.job.envelope.is_empty());
        let ends: Vec<AttemptEnd> = broken.into_iter().map(|claimed| unreadable(claimed.held)).collect();
        self.store.end(&ends).await?;
        Ok(sound.into_iter().map(|claimed| claimed.job).collect())
    }

    /// Ends an attempt well.
    ///
    /// # Errors
    ///
    /// When there is no such job, it is not active, it is not the caller's, or Redis cannot be reached.
    pub async fn ack(&self, id: JobId, presented: &Presented, result: Option<Value>) -> Result<Job, ClientError> {
        let (_, held) = self.held(id, presented).await?;
        self.finish(held, Ending::Completed { result }, presented).await
    }

    /// Ends an attempt with a failure, and decides what follows.
    ///
    /// # Errors
    ///
    /// When there is no such job, it is not active, it is not the caller's, or Redis cannot be reached.
    pub async fn nack(&self, id: JobId, presented: &Presented, nack: Nack) -> Result<Job, ClientError> {
        let (job, held) = self.held(id, presented).await?;
        let attempt = job.record.attempt;
        let ending = if nack.requeue {
            Ending::Returned { delay: Duration::ZERO, failure: nack.failure }
        } else {
            let verdict = verdict(&job, &nack);
            Ending::Failed { failure: nack.failure, attempt, verdict }
        };
        self.finish(held, ending, presented).await
    }

    /// Notes that a worker lives, and extends its leases: of the jobs it names, or of all it holds. Without `lease` each lasts as long as it was
    /// claimed for.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn beat(
        &self,
        worker: &WorkerId,
        named: Option<&[JobId]>,
        lease: Option<Duration>,
    ) -> Result<Beat, ClientError> {
        if worker.as_str() != ANONYMOUS {
            self.store.heard_of(worker).await?;
        }
        let ids = match named {
            Some(ids) => ids.to_vec(),
            None => self.store.held_by(worker).await?,
        };
        let mut beat = Beat::default();
        for some in ids.chunks(EXTENDED_AT_ONCE) {
            for (id, state) in some.iter().zip(self.store.heartbeat_as(worker, some, lease).await?) {
                match state {
                    LeaseState::Held => beat.extended.push(*id),
                    LeaseState::Cancelled => beat.cancelled.push(*id),
                    LeaseState::Lost => beat.lost.push(*id),
                }
            }
        }
        Ok(beat)
    }

    /// The job, and the right to end its attempt, if what was presented is right.
    async fn held(&self, id: JobId, presented: &Presented) -> Result<(Job, Held), ClientError> {
        for partition in self.store.partitions() {
            let Some(job) = self.store.job_in(partition, id).await? else { continue };
            let record = &job.record;
            let lease = match &record.lease {
                Some(lease) if record.state == JobState::Active => lease.clone(),
                // A lease that was presented may have been answered before, and the answer been lost.
                Some(lease) if presented.lease.as_ref() == Some(lease) => lease.clone(),
                _ => return Err(ClientError::Conflict { id, state: record.state, expected: "active" }),
            };
            if !is_right(presented, &job, &lease) {
                return Err(ClientError::Superseded(id));
            }
            return Ok((job, Held { id, lease, partition }));
        }
        Err(ClientError::NoJob(id))
    }

    async fn finish(&self, held: Held, ending: Ending, presented: &Presented) -> Result<Job, ClientError> {
        let id = held.id;
        let completes = matches!(ending, Ending::Completed { .. });
        let reply = self.store.end(&[AttemptEnd { held, ending }]).await?;
        let job = self.store.job(id).await?.ok_or(ClientError::NoJob(id))?;
        match reply.first() {
            Some(EndReply::Ended) => Ok(job),
            Some(EndReply::AlreadyEnded) if presented.lease.is_some() => Ok(job),
            // It was active when we looked, and the lease is the same: the call was repeated because its first answer was lost.
            Some(EndReply::AlreadyEnded) if completes == (job.record.state == JobState::Completed) => Ok(job),
            Some(EndReply::Stale) => Err(ClientError::Superseded(id)),
            _ => Err(ClientError::Conflict { id, state: job.record.state, expected: "active" }),
        }
    }
}

/// A job that nobody can run, because what it says cannot be read.
fn unreadable(held: Held) -> AttemptEnd {
    let failure = Failure::new("corrupt", "the envelope of this job cannot be read");
    AttemptEnd { held, ending: Ending::Failed { failure, attempt: 1, verdict: Verdict::DeadLetter } }
}

fn is_right(presented: &Presented, job: &Job, lease: &Lease) -> bool {
    let holder = job.record.worker.as_deref().filter(|holder| *holder != ANONYMOUS);
    let worker = presented.worker.as_deref().zip(holder).is_none_or(|(presented, holder)| presented == holder);
    let attempt = presented.attempt.is_none_or(|attempt| attempt == job.record.attempt);
    worker && attempt && presented.lease.as_ref().is_none_or(|presented| presented == lease)
}

/// What follows from a failure: what the handler decided, else what the policy says.
fn verdict(job: &Job, nack: &Nack) -> Verdict {
    match nack.action.or_else(|| Action::named(&nack.failure.code)) {
        Some(Action::Discard) => return Verdict::Discard,
        Some(Action::DeadLetter) => return Verdict::DeadLetter,
        Some(Action::Retry) | None => {}
    }
    let envelope = Envelope::read(&Value::Object(job.envelope.clone()), Timestamp::from_ms(0));
    // What was taken in can be read again; if not, the job is kept where somebody will look.
    envelope.map_or(Verdict::DeadLetter, |envelope| {
        decide(&envelope.retry, job.record.attempt, &nack.failure, crate::id::chance())
    })
}
