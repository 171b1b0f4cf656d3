//! Attempts of workers that speak OJS rather than Rust: kept, and ended otherwise than well.
//!
//! Such a worker may identify itself by its id, by the number of the attempt, or by the lease it was given. Whatever it
//! presents must be right; one that presents nothing is believed as long as the job is active.

use std::time::Duration;

use super::acks::{alone, ended};
use super::fetches::ANONYMOUS;
use super::{Client, ClientError};
use crate::clock::Timestamp;
use crate::id::{JobId, nonce};
use crate::job::{Failure, Job, JobState, Lease, Verdict, decide};
use crate::name::WorkerId;
use crate::store::{AskedEnd, Ending, Held, LeaseState, Presented, Right};

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

const EXTENDED_AT_ONCE: usize = 100;

impl Client {
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
        let Held { id, lease, partition } = held;
        let end = AskedEnd { id, right: Right::Held(lease), ending };
        let answer = alone(&self.store, partition, &nonce(), &end).await?;
        ended(presented, &end, answer)
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
    let envelope = job.envelope.envelope(Timestamp::from_ms(0));
    // What was taken in can be read again; if not, the job is kept where somebody will look.
    envelope.map_or(Verdict::DeadLetter, |envelope| {
        decide(&envelope.retry, job.record.attempt, &nack.failure, crate::id::chance())
    })
}
