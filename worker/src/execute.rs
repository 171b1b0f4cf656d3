//! One attempt, from the claim to the report of its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_shared::id::chance;
use carillon_shared::job::{Envelope, Failure, Job};
use carillon_shared::store::{Claimed, Ending};
use carillon_shared::telemetry::metric::{self, label};
use carillon_shared::telemetry::{queue_label, type_label};
use tracing::{Instrument, info_span};

use crate::args::INVALID_ARGS;
use crate::context::Context;
use crate::crew::Task;
use crate::handler::Handler;
use crate::leases::HeldLease;
use crate::outcome::Outcome;
use crate::report::Report;
use crate::slots::Slot;
use crate::supervise::supervise;
use crate::tally::Ended;
use crate::workshop::Workshop;

/// An attempt to be made: the job, what was said of it, the right to end it, and the slot it runs in.
pub(crate) struct Attempt {
    job: Arc<Job>,
    envelope: Result<Arc<Envelope>, Failure>,
    lease: HeldLease,
    /// None when a handler that would not stop keeps it.
    slot: Option<Slot>,
}

impl Attempt {
    /// Takes a claimed job in hand.
    pub(crate) fn new(workshop: &Workshop, claimed: Claimed, slot: Slot) -> Self {
        let Claimed { job, held, since } = claimed;
        let envelope = read_envelope(&job);
        let wish = envelope.as_ref().ok().and_then(|envelope| envelope.visibility);
        let lease = workshop.leases.hold(held, since, wish);
        Self { job: Arc::new(job), envelope: envelope.map(Arc::new), lease, slot: Some(slot) }
    }

    /// Gives the job back without having made the attempt.
    pub(crate) async fn give_back(self, workshop: &Workshop) {
        self.ended(Outcome::GivenBack).report(workshop).await;
    }

    /// Makes the attempt: finds the handler, has it watched over, its end judged and reported. Returns the run of the handler,
    /// which is to be started; none when there is nothing to run.
    pub(crate) fn begin(self, workshop: &Arc<Workshop>) -> Option<impl Future<Output = ()> + Send + 'static + use<>> {
        let record = &self.job.record;
        let span = info_span!("job", job.id = %record.id, job.type = %record.job_type, queue.name = %record.queue, attempt = record.attempt);
        span.in_scope(|| waited(&self.job));
        let shared = workshop.clone();
        let (envelope, handler) = match self.found(workshop) {
            Ok(found) => found,
            Err(outcome) => {
                let end = async move { self.ended(outcome).report(&shared).await };
                workshop.attempts.spawn(end.instrument(span));
                return None;
            }
        };
        // The shorter of two limits wins.
        let limit = envelope.timeout.into_iter().chain(handler.timeout()).min();
        let worker = workshop.settings.worker.clone();
        let context = Context::new(self.job.clone(), envelope, worker, self.lease.stop().clone());
        let run = async move { handler.start(context).await }.instrument(span.clone());
        let (task, run) = workshop.crew.task(run);
        // Boxed, because it is large, and moved several times before it rests.
        let watch = Box::pin(self.watch(shared, task, limit, Instant::now()));
        workshop.attempts.spawn(watch.instrument(span));
        Some(run)
    }

    /// What the attempt needs; without it, how it ends.
    fn found(&self, workshop: &Workshop) -> Result<(Arc<Envelope>, Handler), Outcome> {
        let envelope = self.envelope.clone().map_err(Outcome::Unreadable)?;
        let handler = workshop.registry.find(&self.job.record.job_type).ok_or(Outcome::Unhandled)?;
        Ok((envelope, handler.clone()))
    }

    async fn watch(mut self, workshop: Arc<Workshop>, task: Task, limit: Option<Duration>, started: Instant) {
        let stop_grace = workshop.settings.stop_grace;
        let (outcome, straggler) = supervise(task, self.lease.stop(), limit, stop_grace, &workshop.give_back).await;
        ran(&self.job, started);
        if let Some((straggler, slot)) = straggler.zip(self.slot.take()) {
            straggler.keep(&workshop, slot);
        }
        self.ended(outcome).report(&workshop).await;
    }

    fn ended(self, outcome: Outcome) -> End {
        let Self { job, envelope, lease, slot } = self;
        End { job, envelope: envelope.ok(), lease, slot, outcome }
    }
}

/// An attempt that has ended, and is to be reported.
struct End {
    job: Arc<Job>,
    envelope: Option<Arc<Envelope>>,
    lease: HeldLease,
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
    job.envelope.envelope(job.record.created_at).map_err(|refusal| Failure {
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
