//! What a handler knows about the attempt it makes.

use std::sync::Arc;

use carillon_shared::clock::Timestamp;
use carillon_shared::id::JobId;
use carillon_shared::job::{Envelope, Job};
use carillon_shared::name::{JobType, QueueName, WorkerId};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::stop::{Stop, StopReason};

/// One attempt at one job, as its handler sees it. Cheap to clone.
///
/// A handler that takes long should watch for being told to stop, and end soon after:
///
/// ```
/// # use carillon_worker::{Context, HandlerError};
/// async fn count(context: Context, up_to: u64) -> Result<u64, HandlerError> {
///     for n in 0..up_to {
///         tokio::select! {
///             () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
///             reason = context.cancelled() => {
///                 return Err(HandlerError::retry(format!("stopped at {n}: {}", reason.as_str())));
///             }
///         }
///     }
///     Ok(up_to)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    job: Arc<Job>,
    envelope: Arc<Envelope>,
    worker: WorkerId,
    stop: Stop,
}

impl Context {
    pub(crate) fn new(job: Arc<Job>, envelope: Arc<Envelope>, worker: WorkerId, stop: Stop) -> Self {
        Self(Arc::new(Inner { job, envelope, worker, stop }))
    }

    /// The id of the job: the same for every attempt, so that it serves to do something only once.
    #[must_use]
    pub fn job_id(&self) -> JobId {
        self.0.job.record.id
    }

    /// The type of the job.
    #[must_use]
    pub fn job_type(&self) -> &JobType {
        &self.0.job.record.job_type
    }

    /// The queue it was taken from.
    #[must_use]
    pub fn queue(&self) -> &QueueName {
        &self.0.job.record.queue
    }

    /// The number of this attempt, 1 for the first.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.job.record.attempt
    }

    /// How many attempts there are in all.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.0.envelope.retry.max_attempts.max(1)
    }

    /// The arguments as they were sent.
    #[must_use]
    pub fn args(&self) -> &[Value] {
        &self.0.envelope.args
    }

    /// What travels with the job.
    #[must_use]
    pub fn meta(&self) -> &Map<String, Value> {
        &self.0.envelope.meta
    }

    /// The labels of the job.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.0.envelope.tags
    }

    /// The cron entry that this is a run of.
    #[must_use]
    pub fn cron_name(&self) -> Option<&str> {
        self.said("cron_name")
    }

    /// How the run of the cron entry came about, such as by schedule or by hand.
    #[must_use]
    pub fn cron_kind(&self) -> Option<&str> {
        self.said("cron_kind")
    }

    /// The identity under which to act: that of the cron entry this is a run of, if it names one.
    #[must_use]
    pub fn run_as(&self) -> Option<&str> {
        // Only what the scheduler made says so: a producer may write anything into the `meta` of its jobs.
        self.0.job.record.cron.as_ref().and_then(|_| self.said("run_as"))
    }

    /// The instant this job stands for: the one its cron entry was due at, or the one it was scheduled for. Attempts and
    /// delays do not move it.
    #[must_use]
    pub fn scheduled_at(&self) -> Option<Timestamp> {
        self.said("cron_triggered_at").and_then(|text| text.parse().ok()).or(self.0.envelope.scheduled_at)
    }

    /// The results of the steps before this one in a workflow, in order; `null` for one that left none.
    #[must_use]
    pub fn parent_results(&self) -> &[Value] {
        &self.0.job.parent_results
    }

    /// The worker that makes this attempt.
    #[must_use]
    pub fn worker_id(&self) -> &WorkerId {
        &self.0.worker
    }

    /// The job as the HTTP API shows it.
    #[must_use]
    pub fn job_json(&self) -> Map<String, Value> {
        let mut json = self.0.job.to_json();
        // The right to end this attempt stays here.
        json.remove("lease_token");
        json
    }

    /// Waits until this handler should stop, and says why.
    pub async fn cancelled(&self) -> StopReason {
        self.0.stop.told().await
    }

    /// Why this handler should stop, once it should.
    #[must_use]
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.0.stop.reason()
    }

    /// A token that is cancelled when this handler should stop, for libraries that take one.
    #[must_use]
    pub fn cancellation_token(&self) -> CancellationToken {
        self.0.stop.token()
    }

    fn said(&self, name: &str) -> Option<&str> {
        self.meta().get(name).and_then(Value::as_str)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample::claimed;

    /// The context of the first attempt at the job that `json` describes.
    pub(crate) fn context(json: &Value) -> (Context, Stop) {
        context_of(claimed(json))
    }

    pub(crate) fn context_of(claimed: carillon_shared::store::Claimed) -> (Context, Stop) {
        let stop = Stop::default();
        let envelope = claimed.job.envelope.envelope(claimed.job.record.created_at);
        let worker = "test-worker".parse().expect("a worker id");
        (Context::new(Arc::new(claimed.job), Arc::new(envelope.expect("an envelope")), worker, stop.clone()), stop)
    }

    #[test]
    fn a_run_of_a_cron_entry_knows_the_instant_it_stands_for() {
        let meta = json!({"cron_name": "nightly", "cron_triggered_at": "2026-03-08T02:30:00Z", "cron_kind": "manual"});
        let (context, _) = context(&json!({"type": "echo", "args": [1], "meta": meta}));
        assert_eq!((context.cron_name(), context.cron_kind()), (Some("nightly"), Some("manual")));
        assert_eq!(context.scheduled_at().map(|at| at.to_string()).as_deref(), Some("2026-03-08T02:30:00Z"));
        assert_eq!(context.run_as(), None);
        assert_eq!((context.attempt(), context.max_attempts(), context.args()), (1, 3, &[json!(1)][..]));
    }

    #[test]
    fn a_run_acts_under_the_identity_of_its_entry_and_no_other_job_does() {
        let job = json!({"type": "echo", "args": [], "meta": {"cron_name": "nightly", "run_as": "reports"}});
        let (forged, _) = context(&job);
        assert_eq!(forged.run_as(), None);
        let mut claimed = claimed(&job);
        claimed.job.record.cron = Some("nightly".parse().expect("a name"));
        assert_eq!(context_of(claimed).0.run_as(), Some("reports"));
    }

    #[test]
    fn the_job_that_leaves_the_process_does_not_carry_its_lease() {
        let (context, _) = context(&json!({"type": "echo", "args": []}));
        let job = context.job_json();
        assert_eq!((job["type"].as_str(), job.get("lease_token")), (Some("echo"), None));
    }

    #[tokio::test]
    async fn a_handler_is_told_why_it_should_stop() {
        let (context, stop) = context(&json!({"type": "echo", "args": []}));
        assert_eq!(context.stop_reason(), None);
        stop.tell(StopReason::Cancelled);
        assert_eq!(context.cancelled().await, StopReason::Cancelled);
        assert!(context.cancellation_token().is_cancelled());
    }
}
