//! Marks: the next instant of an entry as the store keeps it.
//!
//! Fires are kept as they are: whole seconds. A local time that does not exist is kept as the last millisecond before the
//! clocks change, since a fire may fall on the very instant of the change: the two must not be mistaken for each other.

use std::time::Duration;

use super::{Occurrence, Schedule};
use crate::clock::Timestamp;

pub(super) const ONE_MS: Duration = Duration::from_millis(1);

/// The first instant after `after` that must be decided on.
#[must_use]
pub fn next_mark(schedule: &Schedule, after: Timestamp) -> Option<Timestamp> {
    let mut cursor = after;
    loop {
        match schedule.next_after(cursor)? {
            Occurrence::Fire { at } => return Some(at),
            Occurrence::DstSkip { at, .. } if skip_mark(at) > after => return Some(skip_mark(at)),
            // This gap has been decided on.
            Occurrence::DstSkip { at, .. } => cursor = at,
        }
    }
}

/// The mark of a gap whose skip the calendar places at `at`: the change of the clocks, or just before it.
fn skip_mark(at: Timestamp) -> Timestamp {
    Timestamp::from_secs((at + Duration::from_millis(999)).as_secs()) - ONE_MS
}

/// The instant at which a local time that does not exist would have come, had the clocks not been changed.
pub(super) fn skipped_instant(schedule: &Schedule, mark: Timestamp) -> Timestamp {
    match schedule.next_after(mark - ONE_MS) {
        Some(Occurrence::DstSkip { local, .. }) => {
            let offset_s = i64::from(schedule.zone().to_local(mark).offset().local_minus_utc());
            Timestamp::from_secs(local.and_utc().timestamp() - offset_s)
        }
        _ => mark + ONE_MS,
    }
}

/// Whether what the store keeps is a local time that does not exist.
#[must_use]
pub fn is_skip_mark(mark: Timestamp) -> bool {
    mark.as_ms().rem_euclid(1000) == 999
}
