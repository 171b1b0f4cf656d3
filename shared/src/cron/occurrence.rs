//! One occurrence of a schedule: an instant at which it fires, or a gap in local time that swallowed it.

use chrono::NaiveDateTime;

use crate::clock::Timestamp;

/// What comes next, or came last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// The schedule fires.
    Fire {
        /// When.
        at: Timestamp,
    },
    /// Clocks jump over at least one time that the schedule names. There is one of these for each gap.
    DstSkip {
        /// The instant of the jump; a millisecond earlier where the schedule also fires at that very instant, so that no
        /// two occurrences share one and none is lost to whoever asks for what comes after the last.
        at: Timestamp,
        /// The first local time that the schedule names and that does not exist.
        local: NaiveDateTime,
    },
}

impl Occurrence {
    /// The instant that orders it among the others.
    #[must_use]
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Fire { at } | Self::DstSkip { at, .. } => at,
        }
    }

    /// Whether a job comes of it.
    #[must_use]
    pub const fn is_fire(self) -> bool {
        matches!(self, Self::Fire { .. })
    }
}
