//! Attempts, ended by whoever holds the lease.

use std::time::Duration;

use serde_json::Value;

use super::connection::Arg;
use super::{Held, Store, StoreError, script};
use crate::id::Partition;
use crate::job::{Failure, Verdict};

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct AttemptEnd {
    /// The right to it.
    pub held: Held,
    /// How it ended.
    pub ending: Ending,
}

/// How an attempt ends.
#[derive(Debug, Clone)]
pub enum Ending {
    /// With a result.
    Completed {
        /// What the handler returned; `None` when nothing is kept.
        result: Option<Value>,
    },
    /// With a failure, and what follows from it.
    Failed {
        /// The failure.
        failure: Failure,
        /// The number of the attempt, for the history.
        attempt: u32,
        /// What becomes of the job.
        verdict: Verdict,
    },
    /// Not at all: the job is given back, and the attempt does not count.
    Returned {
        /// Not to be handed out before this has passed.
        delay: Duration,
        /// Why.
        failure: Failure,
    },
}

/// What became of the end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReply {
    /// It was the end.
    Ended,
    /// It had been reported before.
    AlreadyEnded,
    /// The lease is not the job's any more: it was taken back. Nothing changed.
    Stale,
    /// The job was cancelled while it ran. Nothing changed.
    Cancelled,
    /// There is no such job.
    Gone,
}

const RESULT_SUMMARY_CHARS_MAX: usize = 200;
const ERRORS_KEPT_MAX: i64 = 50;

impl Store {
    /// Ends attempts, each by the right of its lease. The answers come in the same order.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached; the same ends may then be reported again.
    pub async fn end(&self, ends: &[AttemptEnd]) -> Result<Vec<EndReply>, StoreError> {
        let mut replies = vec![EndReply::Gone; ends.len()];
        for partition in self.partitions() {
            let here: Vec<usize> = (0..ends.len()).filter(|&i| ends[i].held.partition == partition).collect();
            for some in here.chunks(100) {
                let batch: Vec<&AttemptEnd> = some.iter().map(|&i| &ends[i]).collect();
                for (&i, reply) in some.iter().zip(self.end_in(partition, &batch).await?) {
                    replies[i] = reply;
                }
            }
        }
        Ok(replies)
    }

    async fn end_in(&self, partition: Partition, ends: &[&AttemptEnd]) -> Result<Vec<EndReply>, StoreError> {
        let keys = self.key(partition);
        let mut names = vec![keys.leases(), keys.due()];
        names.extend(["completed", "discarded", "dead"].map(|how| keys.ended(how)));
        let mut args: Vec<Arg<'_>> = vec![self.errors_kept().into()];
        for end in ends {
            names.push(keys.job(end.held.id));
            match &end.ending {
                Ending::Completed { result: None } => {}
                Ending::Completed { .. } => names.push(keys.out(end.held.id)),
                _ => names.push(keys.errors(end.held.id)),
            }
            args.extend([end.held.id.to_string().into(), Arg::from(end.held.lease.as_ref())]);
            args.extend(self.ending_args(&end.ending));
        }
        let reply = self.run(&script::finish, &keys, names, args).await?;
        reply.texts(1)?.iter().map(|code| end_reply(code)).collect()
    }

    /// How many errors of a job are kept.
    pub(super) fn errors_kept(&self) -> i64 {
        i64::from(self.0.options.errors_kept).min(ERRORS_KEPT_MAX)
    }

    /// outcome, and unless that says all delay, result or error, summary, event data.
    pub(super) fn ending_args(&self, ending: &Ending) -> Vec<Arg<'static>> {
        let ms = |delay: Duration| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        let (outcome, delay_ms, json, summary, event) = match ending {
            Ending::Completed { result: None } => return vec!["".into()],
            Ending::Completed { result: Some(result) } => {
                let json = result.to_string();
                let summary = json.chars().take(RESULT_SUMMARY_CHARS_MAX).collect();
                ("completed", 0, json, summary, String::new())
            }
            Ending::Failed { failure, attempt, verdict } => {
                let (outcome, delay_ms) = match verdict {
                    Verdict::Retry(delay) => ("retryable", ms(*delay)),
                    Verdict::Discard => ("discarded", 0),
                    Verdict::DeadLetter => ("dead", 0),
                };
                let json = failure.to_json(*attempt, self.clock().now()).to_string();
                (outcome, delay_ms, json, summary(failure), failure.to_event_json().to_string())
            }
            Ending::Returned { delay, failure } => {
                ("returned", ms(*delay), String::new(), String::new(), failure.to_event_json().to_string())
            }
        };
        vec![outcome.into(), delay_ms.into(), json.into(), summary.into(), event.into()]
    }
}

/// What the ledger keeps of a failure.
pub(super) fn summary(failure: &Failure) -> String {
    format!("{}: {}", failure.code, failure.message).chars().take(RESULT_SUMMARY_CHARS_MAX).collect()
}

pub(super) fn end_reply(code: &str) -> Result<EndReply, StoreError> {
    match code {
        "ok" => Ok(EndReply::Ended),
        "done" => Ok(EndReply::AlreadyEnded),
        "stale" => Ok(EndReply::Stale),
        "cancelled" => Ok(EndReply::Cancelled),
        "gone" => Ok(EndReply::Gone),
        other => Err(StoreError::corrupt("finish", other)),
    }
}
