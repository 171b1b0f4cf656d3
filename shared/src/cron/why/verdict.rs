//! The words of a verdict: a closed vocabulary, which programs may rely on.

use std::fmt;

use serde::{Serialize, Serializer};

/// What became of an instant, or will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It ran, and ended well.
    Ran,
    /// It ran, and ended without success.
    Failed,
    /// Its run was cancelled.
    Cancelled,
    /// It runs.
    Running,
    /// An attempt failed, and another will come.
    Retrying,
    /// Its job waits to be handed out.
    Queued,
    /// It made a job, of which nothing more is known.
    Fired,
    /// It was missed, and a catch-up stands for it.
    CaughtUp,
    /// It made no job.
    Skipped,
    /// It has come, and nobody has decided on it yet.
    Undecided,
    /// It is not an instant of the schedule.
    NotScheduled,
    /// It was before the entry was registered.
    NotRegistered,
    /// The entry was removed.
    Removed,
    /// What was decided then is not kept any more.
    NotKept,
    /// The entry was changed since: it may have been no instant of its schedule then.
    Changed,
    /// There should be a row, and there is none.
    Unexplained,
    /// It will come, and make a job.
    WillRun,
    /// It will come, and make none.
    WillNotRun,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Why the instant was skipped, in the word of the ledger.
    Skip(String),
    /// The entry is disabled.
    Disabled,
    /// The entry is paused.
    Paused,
    /// It is before the entry starts, or after it ends.
    OutOfBounds,
    /// The local time does not exist.
    DstSkip,
    /// The schedule has no further instant.
    Ended,
    /// Nobody leads.
    NoLeader,
    /// A leader leads, but is late.
    LeaderLate,
    /// The instant has only just come.
    JustNow,
    /// The job waits behind the previous run.
    BehindPreviousRun,
    /// A run is live, and may still be then.
    LiveRun,
    /// The queue is paused.
    QueuePaused,
    /// There is no worker.
    NoWorker,
    /// There are workers, but none takes from the queue.
    NoWorkerOnQueue,
    /// There are workers on the queue, but none handles the type.
    NoHandler,
    /// As many jobs of the queue run as may.
    ConcurrencyLimit,
    /// As many jobs of the queue started as may.
    RateLimit,
    /// Every worker that could take it is busy.
    AllBusy,
}

impl Reason {
    /// The reason as answers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Skip(reason) => reason,
            Self::Disabled => "disabled",
            Self::Paused => "paused",
            Self::OutOfBounds => "out_of_bounds",
            Self::DstSkip => "dst_skip",
            Self::Ended => "ended",
            Self::NoLeader => "no_leader",
            Self::LeaderLate => "leader_late",
            Self::JustNow => "just_now",
            Self::BehindPreviousRun => "behind_previous_run",
            Self::LiveRun => "live_run",
            Self::QueuePaused => "queue_paused",
            Self::NoWorker => "no_worker",
            Self::NoWorkerOnQueue => "no_worker_on_queue",
            Self::NoHandler => "no_handler",
            Self::ConcurrencyLimit => "concurrency_limit",
            Self::RateLimit => "rate_limit",
            Self::AllBusy => "all_busy",
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Verdict {
    /// The verdict as answers write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Queued => "queued",
            Self::Fired => "fired",
            Self::CaughtUp => "caught_up",
            Self::Skipped => "skipped",
            Self::Undecided => "undecided",
            Self::NotScheduled => "not_scheduled",
            Self::NotRegistered => "not_registered",
            Self::Removed => "removed",
            Self::NotKept => "not_kept",
            Self::Changed => "changed",
            Self::Unexplained => "unexplained",
            Self::WillRun => "will_run",
            Self::WillNotRun => "will_not_run",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
