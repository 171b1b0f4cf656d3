//! What a worker has done since it started.

use std::sync::atomic::{AtomicU64, Ordering};

use carillon_shared::job::Verdict;
use carillon_shared::name::QueueName;
use carillon_shared::store::Ending;
use carillon_shared::telemetry::metric::{self, label};
use carillon_shared::telemetry::queue_label;

/// What a worker did, as [`Worker::run`](crate::Worker::run) returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Jobs that were claimed.
    pub claimed: u64,
    /// Attempts that ended with a result.
    pub completed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Jobs that were given back.
    pub returned: u64,
    /// Attempts that ended without a report: cancelled, or another worker's by then.
    pub dropped: u64,
    /// Handlers that would not stop.
    pub abandoned: u64,
}

/// How an attempt ended, as metrics count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Completed,
    Retried,
    Discarded,
    Dead,
    Returned,
    Cancelled,
    Lost,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    claimed: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    returned: AtomicU64,
    dropped: AtomicU64,
}

impl Tally {
    pub(crate) fn claimed(&self, queue: &QueueName, jobs: usize) {
        let jobs = jobs as u64;
        self.claimed.fetch_add(jobs, Ordering::Relaxed);
        metrics::counter!(metric::JOBS_CLAIMED_TOTAL, label::QUEUE => queue_label(queue.as_str())).increment(jobs);
    }

    pub(crate) fn ended(&self, queue: &QueueName, ended: Ended) {
        self.ended_alike(queue, ended, 1);
    }

    /// Counts so many attempts at jobs of a queue that ended in the same way.
    pub(crate) fn ended_alike(&self, queue: &QueueName, ended: Ended, attempts: usize) {
        let attempts = attempts as u64;
        let counter = match ended {
            Ended::Completed => &self.completed,
            Ended::Retried | Ended::Discarded | Ended::Dead => &self.failed,
            Ended::Returned => &self.returned,
            Ended::Cancelled | Ended::Lost => &self.dropped,
        };
        counter.fetch_add(attempts, Ordering::Relaxed);
        let queue = queue_label(queue.as_str());
        metrics::counter!(metric::JOBS_ENDED_TOTAL, label::QUEUE => queue, label::OUTCOME => ended.as_str())
            .increment(attempts);
    }

    pub(crate) fn summary(&self, abandoned: usize) -> Summary {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Summary {
            claimed: read(&self.claimed),
            completed: read(&self.completed),
            failed: read(&self.failed),
            returned: read(&self.returned),
            dropped: read(&self.dropped),
            abandoned: u64::try_from(abandoned).unwrap_or(u64::MAX),
        }
    }
}

impl Ended {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Retried => "retried",
            Self::Discarded => "discarded",
            Self::Dead => "dead",
            Self::Returned => "returned",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

impl From<&Ending> for Ended {
    fn from(ending: &Ending) -> Self {
        match ending {
            Ending::Completed { .. } => Self::Completed,
            Ending::Failed { verdict: Verdict::Retry(_), .. } => Self::Retried,
            Ending::Failed { verdict: Verdict::Discard, .. } => Self::Discarded,
            Ending::Failed { verdict: Verdict::DeadLetter, .. } => Self::Dead,
            Ending::Returned { .. } => Self::Returned,
        }
    }
}
