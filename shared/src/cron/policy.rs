//! What an entry says about runs that overlap, and about instants that nobody decided on in time.

use std::time::Duration;

/// What becomes of an instant that comes while a run of the entry is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverlapPolicy {
    /// No job; the instant is skipped, and says so.
    #[default]
    Skip,
    /// A job all the same.
    Allow,
    /// The live runs are cancelled, then a job.
    CancelPrevious,
    /// A job that waits until the live run has ended.
    Enqueue,
}

impl OverlapPolicy {
    /// The policy as the wire writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Allow => "allow",
            Self::CancelPrevious => "cancel_previous",
            Self::Enqueue => "enqueue",
        }
    }

    /// The policy that the wire writes so.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Some(match text {
            "skip" => Self::Skip,
            "allow" => Self::Allow,
            "cancel_previous" | "cancel" => Self::CancelPrevious,
            "enqueue" => Self::Enqueue,
            _ => return None,
        })
    }
}

/// What becomes of instants that were missed: because a later one has come too, or because nobody was there to decide for
/// longer than a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Misfire {
    /// They are one decision: one run catches up for all of them.
    #[default]
    Once,
    /// They are skipped, and say so.
    Skip,
    /// Each is a decision of its own.
    All,
}

impl Misfire {
    /// The policy as the wire writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Skip => "skip",
            Self::All => "all",
        }
    }
}

/// What an entry says about instants that are decided on late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lateness {
    /// What becomes of instants that were missed.
    pub misfire: Misfire,
    /// An instant decided on later than this is skipped.
    pub deadline: Option<Duration>,
}

impl Lateness {
    /// An instant that is decided on no later than this was not missed.
    pub const MISSED_AFTER: Duration = Duration::from_secs(60);

    /// How late an instant may be and still count as on time where missed ones are skipped.
    pub(super) fn grace(self) -> Duration {
        self.deadline.unwrap_or(Self::MISSED_AFTER)
    }
}
