//! A leadership while it lasts: whether it may be trusted, and whether its duties get on.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carillon_shared::clock::BootInstant;
use carillon_shared::store::LeaderToken;
use tokio_util::sync::CancellationToken;

/// One leadership, as its duties see it.
#[derive(Debug)]
pub struct Term {
    /// What the partitions know it by.
    pub token: LeaderToken,
    start: BootInstant,
    trust: Duration,
    /// Milliseconds after `start`.
    renewed_ms: AtomicI64,
    tracks: Tracks,
    deposed: CancellationToken,
}

impl Term {
    /// A leadership that was acquired by a call sent at `since`.
    #[must_use]
    pub fn new(token: LeaderToken, since: BootInstant, ttl: Duration) -> Self {
        Self {
            token,
            start: since,
            trust: ttl.mul_f64(0.7),
            renewed_ms: AtomicI64::new(0),
            tracks: Tracks { start: since, made_ms: Mutex::default() },
            deposed: CancellationToken::new(),
        }
    }

    /// Notes that a renewal sent at `sent` succeeded.
    pub fn renewed(&self, sent: BootInstant) {
        self.renewed_ms.store(elapsed_ms(self.start) - elapsed_ms(sent), Ordering::Relaxed);
    }

    /// Whether this leader may still believe in itself.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        elapsed_ms(self.start) - self.renewed_ms.load(Ordering::Relaxed) < ms(self.trust)
    }

    /// Keeps track of one more duty.
    pub(super) fn track(&self) -> Progress {
        self.tracks.track()
    }

    /// How long the duty that is the furthest behind has not got on.
    #[must_use]
    pub fn progress_age(&self) -> Duration {
        self.tracks.age()
    }

    /// Notes that a partition refused the token.
    pub fn depose(&self) {
        self.deposed.cancel();
    }

    /// Waits until a partition refuses the token.
    pub async fn deposed(&self) {
        self.deposed.cancelled().await;
    }
}

/// When each of the duties that must get on last did.
#[derive(Debug)]
struct Tracks {
    start: BootInstant,
    made_ms: Mutex<Vec<Arc<AtomicI64>>>,
}

impl Tracks {
    /// Keeps track of one more duty, so that one that is stuck is not hidden by those that get on.
    fn track(&self) -> Progress {
        let made_ms = Arc::new(AtomicI64::new(elapsed_ms(self.start)));
        self.all().push(made_ms.clone());
        Progress { start: self.start, made_ms }
    }

    fn age(&self) -> Duration {
        let oldest_ms = self.all().iter().map(|made_ms| made_ms.load(Ordering::Relaxed)).min();
        let age_ms = oldest_ms.map_or(0, |oldest_ms| elapsed_ms(self.start) - oldest_ms);
        Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<AtomicI64>>> {
        self.made_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When one duty of a leadership last got on.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    start: BootInstant,
    made_ms: Arc<AtomicI64>,
}

impl Progress {
    /// Notes that the duty gets on.
    pub(super) fn made(&self) {
        self.made_ms.store(elapsed_ms(self.start), Ordering::Relaxed);
    }

    /// Notes that the duty rests until it gets on again, for however long.
    pub(super) fn rests(&self) {
        self.made_ms.store(i64::MAX, Ordering::Relaxed);
    }
}

fn elapsed_ms(since: BootInstant) -> i64 {
    ms(since.elapsed())
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_duty_that_is_stuck_is_seen_among_those_that_get_on() {
        let start = BootInstant::now();
        let progress = Tracks { start, made_ms: Mutex::default() };
        assert_eq!(progress.age(), Duration::ZERO, "no duty, none stuck");
        let (stuck, fine) = (progress.track(), progress.track());
        while progress.age() < Duration::from_millis(5) {
            fine.made();
        }
        fine.rests();
        assert!(progress.age() >= Duration::from_millis(5), "one that rests hides none that is stuck");
        stuck.rests();
        assert_eq!(progress.age(), Duration::ZERO, "who rests is not stuck");
        stuck.made();
        fine.made();
        assert!(progress.age() < start.elapsed());
    }
}
