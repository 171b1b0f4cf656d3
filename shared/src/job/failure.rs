//! How an attempt fails, and what follows (OJS retry §6): decided here, from arguments alone.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::retry::{OnExhaustion, RetryPolicy};
use crate::clock::Timestamp;

/// The error of one attempt.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Failure {
    /// A machine-readable word: `handler_error`, `timeout`, `worker_lost`, …
    pub code: String,
    /// The class of the error in its own language, against which `non_retryable_errors` is held.
    pub kind: Option<String>,
    /// For people.
    pub message: String,
    /// Whether another attempt may help; `None` leaves it to the policy.
    pub retryable: Option<bool>,
    /// Anything structured that the handler added.
    pub details: Option<Value>,
    /// Lines of a stack trace.
    pub backtrace: Vec<String>,
}

/// What becomes of a job whose attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Another attempt, after a delay.
    Retry(Duration),
    /// No more; forgotten after its retention.
    Discard,
    /// No more; kept among the dead letters.
    DeadLetter,
}

/// Decides what follows a failed attempt. `chance` in `[0, 1)` is the jitter's.
#[must_use]
pub fn decide(policy: &RetryPolicy, attempt: u32, failure: &Failure, chance: f64) -> Verdict {
    let names: Vec<&str> = failure.names().collect();
    let spent = attempt >= policy.max_attempts.max(1);
    if failure.retryable == Some(false) || policy.is_non_retryable(&names) || spent {
        return exhausted(policy);
    }
    Verdict::Retry(policy.delay(attempt, chance))
}

/// The end that the policy has for a job that is not tried again.
#[must_use]
pub fn exhausted(policy: &RetryPolicy) -> Verdict {
    match policy.on_exhaustion {
        OnExhaustion::Discard => Verdict::Discard,
        OnExhaustion::DeadLetter => Verdict::DeadLetter,
    }
}

impl Failure {
    /// A failure with a code and a message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), ..Self::default() }
    }

    /// Everything by which a policy may name this failure.
    fn names(&self) -> impl Iterator<Item = &str> {
        let class = self.details.as_ref().and_then(|details| details.get("error_class")).and_then(Value::as_str);
        [self.kind.as_deref(), class, Some(self.code.as_str())].into_iter().flatten()
    }

    /// The class shown as `type`: what the sender named, else the code.
    #[must_use]
    pub fn class(&self) -> &str {
        self.names().next().unwrap_or("error")
    }

    /// The entry in the job's history of errors.
    #[must_use]
    pub fn to_json(&self, attempt: u32, occurred_at: Timestamp) -> Value {
        let mut entry = Map::new();
        entry.insert("type".to_owned(), self.class().into());
        entry.insert("code".to_owned(), self.code.as_str().into());
        entry.insert("message".to_owned(), self.message.as_str().into());
        entry.insert("retryable".to_owned(), self.retryable.unwrap_or(true).into());
        if let Some(details) = &self.details {
            entry.insert("details".to_owned(), details.clone());
        }
        if !self.backtrace.is_empty() {
            entry.insert("backtrace".to_owned(), self.backtrace.clone().into());
        }
        entry.insert("attempt".to_owned(), attempt.into());
        entry.insert("occurred_at".to_owned(), occurred_at.to_string().into());
        Value::Object(entry)
    }

    /// What events say of it.
    #[must_use]
    pub fn to_event_json(&self) -> Value {
        let message: String = self.message.chars().take(1000).collect();
        json!({"code": self.code, "type": self.class(), "message": message, "retryable": self.retryable.unwrap_or(true)})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_follows_the_policy() {
        let policy =
            RetryPolicy { jitter: false, non_retryable_errors: vec!["Fatal".to_owned()], ..RetryPolicy::default() };
        let dead = RetryPolicy { on_exhaustion: OnExhaustion::DeadLetter, ..policy.clone() };
        let plain = Failure::new("handler_error", "no");
        let fatal = Failure { kind: Some("Fatal".to_owned()), ..plain.clone() };
        let hopeless = Failure { retryable: Some(false), ..plain.clone() };
        for (policy, attempt, failure, expected) in [
            (&policy, 1, &plain, Verdict::Retry(Duration::from_secs(1))),
            (&policy, 2, &plain, Verdict::Retry(Duration::from_secs(2))),
            (&policy, 3, &plain, Verdict::Discard),
            (&policy, 1, &fatal, Verdict::Discard),
            (&policy, 1, &hopeless, Verdict::Discard),
            (&dead, 3, &plain, Verdict::DeadLetter),
            (&dead, 1, &hopeless, Verdict::DeadLetter),
        ] {
            assert_eq!(decide(policy, attempt, failure, 0.0), expected, "attempt {attempt}, {failure:?}");
        }
    }

    #[test]
    fn a_policy_without_attempts_means_one_run() {
        let policy = RetryPolicy { max_attempts: 0, ..RetryPolicy::default() };
        assert_eq!(decide(&policy, 1, &Failure::new("x", "y"), 0.0), Verdict::Discard);
    }
}
