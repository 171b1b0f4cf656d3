//! An outage is told twice: when it begins and when it is over. What fails in between says nothing new.

use std::sync::{Mutex, MutexGuard, PoisonError};
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
    row: Mutex<Row>,
}

#[derive(Debug, Default)]
struct Row {
    since: Option<BootInstant>,
    failures: u32,
}

impl Outage {
    /// No failure so far. `what` completes "cannot …".
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, row: Mutex::default() }
    }

    /// Notes a failure, and says how long to pause before the next try.
    pub(crate) fn failed(&self, error: &StoreError) -> Duration {
        let mut row = self.row();
        if row.since.is_none() {
            row.since = Some(BootInstant::now());
            tracing::warn!(
                error = chain(error),
                error.kind = error.kind(),
                "cannot {}; trying again until it works",
                self.what
            );
        }
        let pause = backoff::delay(PAUSE_FIRST, PAUSE_MAX, row.failures, chance());
        row.failures = row.failures.saturating_add(1);
        pause
    }

    /// Notes a success.
    pub(crate) fn over(&self) {
        let mut row = self.row();
        if let Some(since) = row.since.take() {
            let outage_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(outage_ms, failures = row.failures, "can {} again", self.what);
            row.failures = 0;
        }
    }

    fn row(&self) -> MutexGuard<'_, Row> {
        self.row.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_during_an_outage_and_start_small_after_it() {
        let error = StoreError::Partitions { stored: 1, configured: 2 };
        let outage = Outage::new("claim jobs");
        let first = outage.failed(&error);
        let tenth = (0..9).map(|_| outage.failed(&error)).last().expect("nine more");
        assert!(first < PAUSE_FIRST * 2 && tenth > PAUSE_MAX / 2, "{first:?} {tenth:?}");
        outage.over();
        assert!(outage.failed(&error) < PAUSE_FIRST * 2);
    }
}
