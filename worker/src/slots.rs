//! How many jobs run at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use carillon_shared::telemetry::metric::{self, label};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slots of a worker: free, busy, or lost to a handler that would not stop.
#[derive(Debug)]
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    count: usize,
    lost: AtomicUsize,
}

/// The right to run one job; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Slots {
    pub(crate) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), count, lost: AtomicUsize::new(0) }
    }

    /// Waits for a free slot, then takes all that are free, `most` at most.
    pub(crate) async fn take(&self, most: usize) -> Vec<Slot> {
        let first = self.free.clone().acquire_owned().await;
        let others = std::iter::from_fn(|| self.free.clone().try_acquire_owned().ok());
        first.into_iter().chain(others.take(most.saturating_sub(1))).map(Slot).collect()
    }

    /// Takes so many slots if they are all free.
    pub(crate) fn take_all(&self, count: usize) -> Option<Vec<Slot>> {
        (self.free.available_permits() >= count)
            .then(|| std::iter::from_fn(|| self.free.clone().try_acquire_owned().ok()).take(count).map(Slot).collect())
    }

    /// Notes that the handler in a slot would not stop; the slot stays with it until it does.
    pub(crate) fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a handler stopped after all.
    pub(crate) fn find(&self) {
        self.lost.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn publish(&self) {
        let (free, lost) = (self.free.available_permits(), self.lost());
        let busy = self.count.saturating_sub(free + lost);
        for (state, slots) in [("free", free), ("busy", busy), ("lost", lost)] {
            // At most 10,000, which a double holds exactly.
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            metrics::gauge!(metric::WORKER_SLOTS, label::STATE => state).set(slots as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn exactly_what_is_free_is_taken() {
        let slots = Slots::new(3);
        let mut taken = slots.take(2).await;
        assert_eq!(taken.len(), 2);
        assert_eq!(slots.take(9).await.len(), 1, "and free again at once");
        assert!(slots.take_all(2).is_none(), "all or none");
        assert_eq!(slots.take_all(1).map(|all| all.len()), Some(1));
        taken.pop();
        assert_eq!(slots.take(9).await.len(), 2);
    }
}
