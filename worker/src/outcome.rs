//! How an attempt ends, and what is reported of it: decided here, from arguments alone.

use std::time::Duration;

use carillon_shared::job::{Envelope, Failure, Job, Verdict, decide};
use carillon_shared::store::Ending;
use serde_json::Value;

use crate::backoff;
use crate::stop::StopReason;

/// The largest result that is kept, in bytes of JSON.
pub(crate) const RESULT_BYTES_MAX: usize = 1024 * 1024;

/// No handler puts a job off for longer than this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
const RETURN_FIRST: Duration = Duration::from_secs(1);
const RETURN_MAX: Duration = Duration::from_secs(60);

/// How an attempt ended. There is no other way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The handler returned a result.
    Completed(Value),
    /// The handler failed, panicked, or took too long; another attempt may be made no sooner than after the time.
    Failed(Failure, Option<Duration>),
    /// What is stored is not a job that can be run.
    Unreadable(Failure),
    /// There is no handler for the type.
    Unhandled,
    /// The worker ends: the attempt does not count.
    GivenBack,
    /// The job was cancelled.
    Cancelled,
    /// The job is another worker's now, or may be.
    LeaseLost,
}

impl Outcome {
    /// A result, unless it is larger than what is kept.
    pub(crate) fn completed(result: Value) -> Self {
        let bytes = bytes_of(&result);
        if bytes > RESULT_BYTES_MAX {
            return Self::Failed(result_too_large(&format!("the result has {bytes} bytes of JSON")), None);
        }
        Self::Completed(result)
    }

    /// An attempt that took longer than `timeout`.
    pub(crate) fn timed_out(timeout: Duration) -> Self {
        let message = format!("the attempt took longer than its timeout of {}", humantime::format_duration(timeout));
        Self::Failed(Failure { retryable: Some(true), ..Failure::new("timeout", message) }, None)
    }

    /// A handler that panicked.
    pub(crate) fn panicked(message: &str) -> Self {
        let failure = Failure::new("panic", format!("the handler panicked: {message}"));
        Self::Failed(Failure { kind: Some("panic".to_owned()), ..failure }, None)
    }

    /// What became of an attempt that was told to stop and did not come to an end by itself.
    pub(crate) fn stopped(reason: StopReason, timeout: Option<Duration>) -> Self {
        match reason {
            StopReason::Cancelled => Self::Cancelled,
            StopReason::LeaseLost => Self::LeaseLost,
            StopReason::Timeout => Self::timed_out(timeout.unwrap_or_default()),
            StopReason::Shutdown => Self::GivenBack,
        }
    }

    /// The word for logs and metrics.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Completed(_) => "completed",
            Self::Failed(..) | Self::Unreadable(_) => "failed",
            Self::Unhandled => "unhandled",
            Self::GivenBack => "returned",
            Self::Cancelled => "cancelled",
            Self::LeaseLost => "lost",
        }
    }

    /// What is reported; nothing when the attempt is not ours to end. `chance` in `[0, 1)` is the jitter's.
    pub(crate) fn ending(
        self,
        job: &Job,
        envelope: Option<&Envelope>,
        unhandled_max: u32,
        chance: f64,
    ) -> Option<Ending> {
        let attempt = job.record.attempt;
        match self {
            Self::Completed(result) => {
                Some(Ending::Completed { result: Some(result).filter(|result| !result.is_null()) })
            }
            Self::Failed(failure, retry_after) => {
                let policy = envelope.map(|envelope| envelope.retry.clone()).unwrap_or_default();
                let verdict = match decide(&policy, attempt, &failure, chance) {
                    Verdict::Retry(delay) => {
                        Verdict::Retry(delay.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX)))
                    }
                    end => end,
                };
                Some(Ending::Failed { failure, attempt, verdict })
            }
            Self::Unreadable(failure) => Some(Ending::Failed { failure, attempt, verdict: Verdict::DeadLetter }),
            Self::Unhandled => Some(unhandled(job, unhandled_max, chance)),
            Self::GivenBack => {
                let failure = Failure::new("worker_shutdown", "the worker ended before the job did");
                Some(Ending::Returned { delay: Duration::ZERO, failure })
            }
            Self::Cancelled | Self::LeaseLost => None,
        }
    }
}

/// The failure of a handler that returned too much.
pub(crate) fn result_too_large(what: &str) -> Failure {
    let message =
        format!("{what}, more than the {RESULT_BYTES_MAX} that are kept: keep it elsewhere and return where it is");
    Failure { retryable: Some(false), ..Failure::new("result_too_large", message) }
}

/// Given back for another worker of the fleet that knows the type, ever later; in the end somebody has to look at it.
fn unhandled(job: &Job, unhandled_max: u32, chance: f64) -> Ending {
    let record = &job.record;
    let message = format!(
        "no worker of queue `{}` has a handler for the type `{}`: start one that has, then retry the job",
        record.queue, record.job_type
    );
    let failure = Failure::new("no_handler", message);
    if record.returns >= unhandled_max {
        return Ending::Failed { failure, attempt: record.attempt, verdict: Verdict::DeadLetter };
    }
    Ending::Returned { delay: backoff::delay(RETURN_FIRST, RETURN_MAX, record.returns, chance), failure }
}

/// The length of the JSON text, without writing it anywhere.
fn bytes_of(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail, and a value is always JSON.
    let _infallible = serde_json::to_writer(&mut count, value);
    count.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample::claimed;

    fn job(returns: u32) -> Job {
        let mut job = claimed(&json!({"type": "a.b", "args": []})).job;
        job.record.returns = returns;
        job
    }

    fn ending(outcome: Outcome, job: &Job) -> Option<Ending> {
        let envelope = job.envelope.envelope(job.record.created_at).expect("an envelope");
        outcome.ending(job, Some(&envelope), 20, 0.5)
    }

    #[test]
    fn a_result_is_kept_and_nothing_is_kept_of_null() {
        let kept = |value: Value| match ending(Outcome::completed(value), &job(0)) {
            Some(Ending::Completed { result }) => result,
            other => panic!("{other:?}"),
        };
        assert_eq!(kept(json!({"rows": 3})), Some(json!({"rows": 3})));
        assert_eq!(kept(Value::Null), None);
    }

    #[test]
    fn a_result_that_is_too_large_fails_for_good() {
        let Outcome::Failed(failure, _) = Outcome::completed(json!("x".repeat(RESULT_BYTES_MAX))) else {
            panic!("too large")
        };
        assert_eq!((failure.code.as_str(), failure.retryable), ("result_too_large", Some(false)));
        assert!(matches!(Outcome::completed(json!("x".repeat(RESULT_BYTES_MAX - 2))), Outcome::Completed(_)));
    }

    #[test]
    fn what_is_not_ours_to_end_is_not_reported() {
        for reason in [StopReason::Cancelled, StopReason::LeaseLost] {
            assert!(ending(Outcome::stopped(reason, None), &job(0)).is_none(), "{reason:?}");
        }
    }

    #[test]
    fn a_timeout_is_tried_again() {
        let outcome = Outcome::stopped(StopReason::Timeout, Some(Duration::from_secs(90)));
        let Some(Ending::Failed { failure, verdict: Verdict::Retry(_), .. }) = ending(outcome, &job(0)) else {
            panic!("no retry")
        };
        assert_eq!(failure.message, "the attempt took longer than its timeout of 1m 30s");
    }

    #[test]
    fn a_handler_may_put_the_next_attempt_off_but_not_for_ever() {
        for (after_s, delay_s) in [(0, 1), (90, 90), (1_000_000, 3600)] {
            let outcome = Outcome::Failed(Failure::new("busy", "later"), Some(Duration::from_secs(after_s)));
            let Some(Ending::Failed { verdict, .. }) = ending(outcome, &job(0)) else { panic!("it failed") };
            assert_eq!(verdict, Verdict::Retry(Duration::from_secs(delay_s)), "{after_s}");
        }
    }

    #[test]
    fn a_shutdown_gives_back_at_once() {
        let outcome = Outcome::stopped(StopReason::Shutdown, None);
        assert!(matches!(ending(outcome, &job(0)), Some(Ending::Returned { delay: Duration::ZERO, .. })));
    }

    #[test]
    fn a_job_without_handler_is_given_back_ever_later_and_ends_among_the_dead_letters() {
        for (returns, delay_s) in [(0, 1), (1, 2), (5, 32), (6, 60), (19, 60)] {
            let Some(Ending::Returned { delay, .. }) = ending(Outcome::Unhandled, &job(returns)) else {
                panic!("{returns}")
            };
            assert_eq!(delay.as_secs(), delay_s, "after {returns} returns");
        }
        let Some(Ending::Failed { failure, verdict, .. }) = ending(Outcome::Unhandled, &job(20)) else {
            panic!("no end")
        };
        assert_eq!((failure.code.as_str(), verdict), ("no_handler", Verdict::DeadLetter));
        assert!(failure.message.contains("`a.b`") && failure.message.contains("`default`"), "{}", failure.message);
    }

    #[test]
    fn what_cannot_be_read_goes_to_the_dead_letters_whatever_the_policy_says() {
        let outcome = Outcome::Unreadable(Failure::new("invalid_envelope", "no"));
        assert!(matches!(
            outcome.ending(&job(0), None, 20, 0.5),
            Some(Ending::Failed { verdict: Verdict::DeadLetter, .. })
        ));
    }
}
