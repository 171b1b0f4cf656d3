//! One attempt, from the claim to the report of its end.

use std::sync::Arc;
use std::time::Instant;

use carillon_shared::job::{Envelope, Failure, Job};
use carillon_shared::store::{Claimed, Ending};
use carillon_shared::telemetry::metric::{self, label};
use carillon_shared::telemetry::{queue_label, type_label};
use serde_json::Value;
use tracing::{Instrument, Span, info_span};

use crate::args::INVALID_ARGS;
use crate::backoff::chance;
use crate::context::Context;
use crate::leases::HeldLease;
use crate::outcome::Outcome;
use crate::report::Report;
use crate::slots::Slot;
use crate::supervise::{Supervised, supervise};
use crate::tally::Ended;
use crate::workshop::Workshop;

/// An attempt to be made: the job, the right to end it, and the slot it runs in.
pub(crate) struct Attempt {
    pub(crate) job: Arc<Job>,
    pub(crate) lease: HeldLease,
    pub(crate) slot: Slot,
}

impl Attempt {
    /// Takes a claimed job in hand.
    pub(crate) fn new(workshop: &Workshop, claimed: Claimed, slot: Slot) -> Self {
        let Claimed { job, held, since } = claimed;
        let wish =
            job.envelope.get("visibility_timeout_ms").and_then(Value::as_u64).map(std::time::Duration::from_millis);
        Self { job: Arc::new(job), lease: workshop.leases.hold(held, since, wish), slot }
    }

    /// Makes the attempt: read the envelope, find the handler, run it, judge its end, report it.
    pub(crate) async fn make(self, workshop: Arc<Workshop>) {
        let record = &self.job.record;
        let span = info_span!("job", job.id = %record.id, job.type = %record.job_type, queue.name = %record.queue, attempt = record.attempt);
        self.pass_through(&workshop).instrument(span).await;
    }

    /// Gives the job back without having looked at it.
    pub(crate) async fn give_back(self, workshop: &Workshop) {
        let Self { job, lease, slot } = self;
        End { job, envelope: None, lease, slot: Some(slot), outcome: Outcome::GivenBack }.report(workshop).await;
    }

    async fn pass_through(self, workshop: &Arc<Workshop>) {
        waited(&self.job);
        let envelope = match read_envelope(&self.job) {
            Ok(envelope) => Arc::new(envelope),
            Err(failure) => {
                let Self { job, lease, slot } = self;
                let end = End { job, envelope: None, lease, slot: Some(slot), outcome: Outcome::Unreadable(failure) };
                return end.report(workshop).await;
            }
        };
        let started = Instant::now();
        let (outcome, straggler) = self.run(workshop, &envelope).await;
        ran(&self.job, started);
        let slot = match straggler {
            None => Some(self.slot),
            Some(straggler) => {
                straggler.keep(workshop, self.slot);
                None
            }
        };
        End { job: self.job, envelope: Some(envelope), lease: self.lease, slot, outcome }.report(workshop).await;
    }

    async fn run(&self, workshop: &Workshop, envelope: &Arc<Envelope>) -> Supervised {
        let Some(handler) = workshop.registry.find(&self.job.record.job_type) else {
            return (Outcome::Unhandled, None);
        };
        let stop = self.lease.stop();
        let context = Context::new(self.job.clone(), envelope.clone(), workshop.settings.worker.clone(), stop.clone());
        // The shorter of two limits wins.
        let timeout = envelope.timeout.into_iter().chain(handler.timeout()).min();
        let handler = handler.clone();
        // In a task of its own, so that its panic ends nothing else and it can be aborted.
        let run = async move { handler.start(context).await }.instrument(Span::current());
        let task = workshop.handlers.spawn(run);
        supervise(task, stop, timeout, workshop.settings.stop_grace, &workshop.give_back).await
    }
}

/// An attempt that has ended, and is to be reported.
struct End {
    job: Arc<Job>,
    envelope: Option<Arc<Envelope>>,
    lease: HeldLease,
    /// None when a handler that would not stop keeps it.
    slot: Option<Slot>,
    outcome: Outcome,
}

impl End {
    async fn report(self, workshop: &Workshop) {
        let queue = self.job.record.queue.clone();
        if matches!(self.outcome, Outcome::Unhandled) {
            let job_type = type_label(self.job.record.job_type.as_str());
            metrics::counter!(metric::JOBS_UNHANDLED_TOTAL, label::TYPE => job_type).increment(1);
        }
        let word = self.outcome.as_str();
        let ending =
            self.outcome.ending(&self.job, self.envelope.as_deref(), workshop.settings.unhandled_max, chance());
        // The lease is asked last, because only what happens after that is our own affair.
        match ending.filter(|_| self.lease.start_ending()) {
            Some(ending) => {
                told(&ending);
                workshop.reports.send(Report { lease: self.lease, queue, ending, slot: self.slot }).await;
            }
            None => {
                tracing::info!(
                    outcome = word,
                    "the attempt is over and nothing is reported: the job is not ours any more"
                );
                let ended = if word == "cancelled" { Ended::Cancelled } else { Ended::Lost };
                workshop.tally.ended(&queue, ended);
            }
        }
    }
}

/// Reads the stored envelope. Its times are absolute, so that the time at which it is read does not matter.
fn read_envelope(job: &Job) -> Result<Envelope, Failure> {
    Envelope::read_map(&job.envelope, job.record.created_at).map_err(|refusal| Failure {
        retryable: Some(false),
        ..Failure::new("invalid_envelope", format!("the stored envelope cannot be read: {}", refusal.message))
    })
}

fn waited(job: &Job) {
    let record = &job.record;
    let Some(started_at) = record.started_at else { return };
    let waited = started_at.since(record.enqueued_at).as_secs_f64();
    metrics::histogram!(metric::JOB_WAIT_SECONDS, label::QUEUE => queue_label(record.queue.as_str())).record(waited);
    tracing::debug!("the attempt starts");
}

fn ran(job: &Job, started: Instant) {
    let (queue, job_type) = (queue_label(job.record.queue.as_str()), type_label(job.record.job_type.as_str()));
    let ran = started.elapsed();
    metrics::histogram!(metric::JOB_RUN_SECONDS, label::QUEUE => queue, label::TYPE => job_type)
        .record(ran.as_secs_f64());
    let duration_ms = u64::try_from(ran.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(duration_ms, "the attempt has ended");
}

/// Tells of what did not go well. Arguments are never logged, hence not the message that quotes them.
fn told(ending: &Ending) {
    let message = |failure: &Failure| {
        let quotes = failure.code == INVALID_ARGS;
        if quotes {
            "args do not fit; the job's history says why".to_owned()
        } else {
            failure.message.chars().take(300).collect()
        }
    };
    match ending {
        Ending::Completed { .. } => {}
        Ending::Failed { failure, verdict, .. } => {
            let error = message(failure);
            tracing::warn!(
                error,
                error.code = failure.code,
                verdict = Ended::from(ending).as_str(),
                "the attempt failed ({verdict:?})"
            );
        }
        Ending::Returned { delay, failure } => {
            let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(reason = failure.code, delay_ms, "the job is given back: {}", failure.message);
        }
    }
}
