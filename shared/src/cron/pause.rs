//! A pause: from one instant to another an entry does not fire, whatever is registered meanwhile.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// A pause of an entry. It covers `since` and what follows, up to but without `until`.
///
/// A pause that was ended early ends at the instant at which that was asked for, so that the instants it covered are
/// accounted for as paused however late they are decided on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it began.
    pub since: Timestamp,
    /// When it ends; `None` when somebody must end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Between two rows of a paused entry.
const TOLD_EVERY_MIN: Duration = Duration::from_secs(60);
const TOLD_EVERY_MAX: Duration = Duration::from_secs(86_400);

impl Pause {
    /// Whether an instant falls into the pause.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        at >= self.since && self.until.is_none_or(|until| at < until)
    }

    /// Whether it lasts at `now`.
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// When a paused entry is looked at again, so that its rows are few: the longer the pause, the more instants a row
    /// stands for.
    pub(super) fn look_at(&self, now: Timestamp) -> Timestamp {
        let look_at = now + now.since(self.since).clamp(TOLD_EVERY_MIN, TOLD_EVERY_MAX);
        self.until.map_or(look_at, |until| look_at.min(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_pause_covers_its_beginning_and_not_its_end() {
        let pause = Pause { since: at(10), until: Some(at(20)), note: None, by: None };
        assert_eq!([9, 10, 19, 20].map(|secs| pause.covers(at(secs))), [false, true, true, false]);
        assert_eq!([9, 19, 20].map(|secs| pause.lasts(at(secs))), [true, true, false]);
        assert!(Pause { until: None, ..pause }.covers(Timestamp::MAX));
    }

    #[test]
    fn rows_of_a_long_pause_are_few_and_its_end_is_not_missed() {
        let pause = Pause { since: at(0), until: Some(at(1_000_000)), note: None, by: None };
        let looks: Vec<i64> = std::iter::successors(Some(at(0)), |now| Some(pause.look_at(*now)))
            .take_while(|now| pause.lasts(*now))
            .map(Timestamp::as_secs)
            .collect();
        assert_eq!(looks[..5], [0, 60, 120, 240, 480]);
        assert!(looks.len() < 30, "{looks:?}");
        assert_eq!(pause.look_at(at(999_990)), at(1_000_000));
    }
}
