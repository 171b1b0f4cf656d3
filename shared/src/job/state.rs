//! The eight states of a job (OJS core §5) and which of them are ends.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Waits for its time.
    Scheduled,
    /// May be claimed.
    Available,
    /// Waits to be activated from outside.
    Pending,
    /// Claimed, under a lease.
    Active,
    /// Ended well.
    Completed,
    /// Failed, and waits for its next attempt.
    Retryable,
    /// Ended because somebody said so.
    Cancelled,
    /// Ended without success.
    Discarded,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Scheduled,
        Self::Available,
        Self::Pending,
        Self::Active,
        Self::Completed,
        Self::Retryable,
        Self::Cancelled,
        Self::Discarded,
    ];

    /// The state as the wire and the store write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Retryable => "retryable",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
        }
    }

    /// Whether nothing more will happen to a job in this state by itself.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Discarded)
    }
}

/// The text was not one of the eight states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a job state")]
pub struct JobStateError(String);

impl FromStr for JobState {
    type Err = JobStateError;
    fn from_str(text: &str) -> Result<Self, JobStateError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| JobStateError(text.to_owned()))
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_can_be_read_back() {
        for state in JobState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
    }

    #[test]
    fn three_states_are_ends() {
        assert_eq!(JobState::ALL.iter().filter(|state| state.is_terminal()).count(), 3);
    }
}
