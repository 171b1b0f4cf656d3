//! An outage is told twice: when it begins and when it is over. What fails in between says nothing new.

use std::time::Duration;

use carillon_shared::clock::BootInstant;
use carillon_shared::id::chance;
use carillon_shared::store::StoreError;
use carillon_shared::telemetry::chain;

use crate::backoff;

const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The failures in a row of one kind of call.
#[derive(Debug)]
pub(crate) struct Outage {
    what: &'static str,
    since: Option<BootInstant>,
    failures: u32,
}

impl Outage {
    /// No failure so far. `what` completes "cannot …".
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, since: None, failures: 0 }
    }

    /// Notes a failure, and says how long to pause before the next try.
    pub(crate) fn failed(&mut self, error: &StoreError) -> Duration {
        if self.since.is_none() {
            self.since = Some(BootInstant::now());
            tracing::warn!(
                error = chain(error),
                error.kind = error.kind(),
                "cannot {}; trying again until it works",
                self.what
            );
        }
        let pause = backoff::delay(PAUSE_FIRST, PAUSE_MAX, self.failures, chance());
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// Notes a success.
    pub(crate) fn over(&mut self) {
        if let Some(since) = self.since.take() {
            let outage_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(outage_ms, failures = self.failures, "can {} again", self.what);
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_during_an_outage_and_start_small_after_it() {
        let error = StoreError::Partitions { stored: 1, configured: 2 };
        let mut outage = Outage::new("claim jobs");
        let first = outage.failed(&error);
        let tenth = (0..9).map(|_| outage.failed(&error)).last().expect("nine more");
        assert!(first < PAUSE_FIRST * 2 && tenth > PAUSE_MAX / 2, "{first:?} {tenth:?}");
        outage.over();
        assert!(outage.failed(&error) < PAUSE_FIRST * 2);
    }
}
