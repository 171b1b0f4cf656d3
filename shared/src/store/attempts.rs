//! Attempts: claimed, and ended by whoever holds the lease.

use std::time::Duration;

use serde_json::Value;

use super::connection::Arg;
use super::job_item::JobItem;
use super::{Held, Store, StoreError, script};
use crate::clock::BootInstant;
use crate::id::{JobId, Partition, nonce};
use crate::job::{Failure, Job, Verdict};
use crate::name::{QueueName, WorkerId};

/// A request for jobs. Made once and sent as often as needed: the same request is given the same jobs.
#[derive(Debug, Clone)]
pub struct Claim {
    request: String,
    /// Who asks, each for how many at most; who comes first is served first.
    pub askers: Vec<(WorkerId, usize)>,
    /// From which queues, in this order.
    pub queues: Vec<QueueName>,
    /// For how long, unless a job has a visibility timeout of its own.
    pub lease: Duration,
    /// For so long after its time limit an attempt is left to its worker, which minds the time itself.
    pub overtime: Duration,
}

/// A job that was claimed.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The job.
    pub job: Job,
    /// The right to end this attempt.
    pub held: Held,
    /// When it was claimed, on this process's clock: before the call was sent.
    pub since: BootInstant,
}

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

/// What one call hands out at most.
const CLAIMED_MAX: usize = 100;
const RESULT_SUMMARY_CHARS_MAX: usize = 200;
const ERRORS_KEPT_MAX: i64 = 50;
/// For so long at most a claim that is repeated is given the same jobs.
const REPLAY_MS_MAX: i64 = 60_000;

impl Claim {
    /// A new request of one worker.
    #[must_use]
    pub fn new(worker: WorkerId, queues: Vec<QueueName>, count: usize, lease: Duration) -> Self {
        Self::of(vec![(worker, count)], queues, lease)
    }

    /// A new request of several workers.
    #[must_use]
    pub fn of(askers: Vec<(WorkerId, usize)>, queues: Vec<QueueName>, lease: Duration) -> Self {
        Self { request: nonce(), askers, queues, lease, overtime: Duration::ZERO }
    }

    /// The same request by a worker that minds time limits itself, and needs so long to wind an attempt up.
    #[must_use]
    pub fn minding_time(mut self, overtime: Duration) -> Self {
        self.overtime = overtime;
        self
    }
}

impl Store {
    /// Hands out jobs: those that are due are promoted first, then as many as asked for are claimed, queue after queue.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached; the same claim may then be made again, and loses nothing.
    pub async fn claim(&self, claim: &Claim) -> Result<Vec<Claimed>, StoreError> {
        let mut claimed = Vec::new();
        for (partition, queues) in self.by_partition(&claim.queues) {
            let askers = unserved(&claim.askers, &claimed);
            if askers.is_empty() {
                break;
            }
            claimed.extend(self.claim_in(partition, &queues, &askers, claim).await?);
        }
        Ok(claimed)
    }

    async fn claim_in(
        &self,
        partition: Partition,
        queues: &[&QueueName],
        askers: &[(&WorkerId, usize)],
        claim: &Claim,
    ) -> Result<Vec<Claimed>, StoreError> {
        let keys = self.key(partition);
        let mut names =
            vec![keys.due(), keys.leases(), keys.timeouts(), keys.claim(&claim.request), keys.ended("discarded")];
        let lease_ms = i64::try_from(claim.lease.as_millis()).unwrap_or(i64::MAX);
        let mut args: Vec<Arg<'_>> = vec![
            claim.request.as_str().into(),
            lease_ms.into(),
            // Nobody repeats a request for longer; leases of half an hour would keep millions of these keys.
            lease_ms.min(REPLAY_MS_MAX).into(),
            i64::try_from(claim.overtime.as_millis()).unwrap_or(i64::MAX).into(),
            integer(askers.len()).into(),
        ];
        for (worker, wanted) in askers {
            args.extend([worker.as_str().into(), integer(*wanted).into()]);
        }
        for queue in queues {
            names.extend([keys.ready(queue), keys.queue(queue), keys.bell(queue), keys.rate(queue)]);
            args.push(queue.as_str().into());
        }
        let since = BootInstant::now();
        let reply = self.run(&script::claim, &keys, names, args).await?;
        self.heard(&reply, 1, since)?;
        let (mut items, mut claimed) = (reply.items(2), Vec::new());
        while !items.is_empty() {
            let text = items.text()?;
            let item = JobItem::read("claim", &text)?;
            let id: JobId = item.word.parse().map_err(|_| StoreError::corrupt("claim", item.word))?;
            let job = item.job(&keys, id, &mut items)?;
            let lease = job.record.lease.clone().ok_or_else(|| StoreError::corrupt(keys.job(id), "it has no lease"))?;
            let held = Held { id, lease, partition };
            claimed.push(Claimed { job, held, since });
        }
        Ok(claimed)
    }

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

    /// The queues by partition, each once; partitions in the order in which they first appear.
    pub(super) fn by_partition<'a>(&self, queues: &'a [QueueName]) -> Vec<(Partition, Vec<&'a QueueName>)> {
        let mut groups: Vec<(Partition, Vec<&QueueName>)> = Vec::new();
        for queue in queues {
            let partition = self.keys().partition_of(queue);
            match groups.iter_mut().find(|(other, _)| *other == partition) {
                // A queue that is named twice is asked once: its jobs would be handed out twice.
                Some((_, group)) if group.contains(&queue) => {}
                Some((_, group)) => group.push(queue),
                None => groups.push((partition, vec![queue])),
            }
        }
        groups
    }
}

/// Who wants how many yet, at most as many in all as one call hands out.
fn unserved<'a>(askers: &'a [(WorkerId, usize)], claimed: &[Claimed]) -> Vec<(&'a WorkerId, usize)> {
    let mut left: Vec<(&WorkerId, usize)> = askers.iter().map(|(worker, wanted)| (worker, *wanted)).collect();
    for claimed in claimed {
        let worker = claimed.job.record.worker.as_deref();
        let served = |(asker, wanted): &&mut (&WorkerId, usize)| *wanted > 0 && worker == Some(asker.as_str());
        if let Some((_, wanted)) = left.iter_mut().find(served) {
            *wanted -= 1;
        }
    }
    let mut room = CLAIMED_MAX;
    for (_, wanted) in &mut left {
        *wanted = (*wanted).min(room);
        room -= *wanted;
    }
    left.retain(|(_, wanted)| *wanted > 0);
    left
}

fn integer(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
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
