//! Resting until an instant comes, to a fraction of a millisecond.
//!
//! The timers of the runtime are late by a millisecond or two, and our estimate of Redis's time is off by one. So a long rest
//! ends before the instant, and short ones lead up to it: after each Redis is asked, by whose clock the instant comes.

use std::time::Duration;

use carillon_shared::clock::Timestamp;

/// A long rest ends so long before the instant, ...
const EARLY: Duration = Duration::from_millis(3);
/// ... if it is at least so far away: where one instant follows the other there is no time to be early.
const AWAITED_FROM: Duration = Duration::from_millis(20);
/// The shortest rest.
const SHORT: Duration = Duration::from_micros(250);
/// As much as our estimate of Redis's time may be off.
const ESTIMATE_OFF: Duration = Duration::from_millis(1);

/// How to rest after a round.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// As long as this, give or take what timers are off by.
    Long(Duration),
    /// Exactly so long, and then another round.
    Short(Duration),
}

/// The way to the next instant.
#[derive(Debug, Default)]
pub(super) struct Lead {
    /// The instant to which the last long rest led up.
    awaited: Option<Timestamp>,
}

impl Lead {
    /// How to rest for at most `until`, which is how long `next_at` is away if that is not far.
    pub(super) fn rest(&mut self, next_at: Option<Timestamp>, until: Duration) -> Rest {
        if next_at.is_some() && self.awaited == next_at && until <= 2 * EARLY {
            return Rest::Short(until.saturating_sub(ESTIMATE_OFF).max(SHORT));
        }
        self.awaited = next_at.filter(|_| until >= AWAITED_FROM);
        Rest::Long(if self.awaited.is_some() { until - EARLY } else { until })
    }
}

/// Rests on a thread of its own, because the timers of the runtime tick in milliseconds.
pub(super) async fn rest_exactly(rest: Duration) {
    // Without a thread for it there is no rest, and the next round comes at once.
    drop(tokio::task::spawn_blocking(move || std::thread::sleep(rest)).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_rests_lead_up_to_an_instant_that_was_awaited() {
        let (at, ms) = (Some(Timestamp::from_secs(1)), Duration::from_millis);
        let mut lead = Lead::default();
        let rests = [ms(200), ms(40), ms(3), ms(1), ms(0)].map(|until| lead.rest(at, until));
        let short = Rest::Short(SHORT);
        assert_eq!(rests, [Rest::Long(ms(197)), Rest::Long(ms(37)), Rest::Short(ms(2)), short, Rest::Short(SHORT)]);
    }

    #[test]
    fn nobody_is_early_for_instants_that_follow_closely_or_for_none() {
        let ms = Duration::from_millis;
        let mut lead = Lead::default();
        for (at, until) in [(1, 2), (1, 1), (2, 19), (3, 0)] {
            assert_eq!(lead.rest(Some(Timestamp::from_secs(at)), ms(until)), Rest::Long(ms(until)));
        }
        assert_eq!(lead.rest(None, ms(10)), Rest::Long(ms(10)));
        assert_eq!(lead.rest(None, ms(10)), Rest::Long(ms(10)));
    }
}
