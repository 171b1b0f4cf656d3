//! The one clock.
//!
//! Redis tells the time. A process keeps only the distance between that time and a monotonic clock of its own which runs
//! through suspend, so that nobody's wall clock enters a decision: scripts read `TIME` themselves, pure code is handed
//! `now`, and loops ask a [`Clock`] how long to sleep.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

mod timestamp;
mod watch;

pub use timestamp::{Timestamp, TimestampError};
pub use watch::Jump;

use watch::Watch;

/// A monotonic instant of this process, in milliseconds since boot, counting the time the machine was suspended.
///
/// `std::time::Instant` stands still while a Linux machine is suspended; a lease would then look younger than it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(i64);

impl BootInstant {
    /// The present.
    #[must_use]
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        Self(time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000))
    }

    /// The time that has passed since this instant.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Duration::from_millis(u64::try_from(Self::now().0 - self.0).unwrap_or(0))
    }
}

/// The time by this machine's own clock: to be held against that of Redis, and for whoever asks the calendar at a terminal
/// without a Redis. Nothing is decided by it.
#[must_use]
pub fn machine_time() -> Timestamp {
    let time = clock_gettime(ClockId::Realtime);
    Timestamp::from_ms(time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000))
}

/// An estimate of Redis's time, good to about half a round trip.
///
/// It serves sleeping and displaying. What must be exact (is the instant due? has the lease ended?) is asked of Redis in
/// the script that acts on the answer.
#[derive(Debug, Default)]
pub struct Clock {
    redis_minus_boot_ms: AtomicI64,
    watch: Mutex<Watch>,
}

/// An answer that took longer says too little about when Redis read its clock.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(5);

impl Clock {
    /// Takes `redis_now`, read by a call that was sent at `sent`, as the new measure.
    pub fn observe(&self, redis_now: Timestamp, sent: BootInstant) {
        let halfway_ms = i64::midpoint(sent.0, BootInstant::now().0);
        let distance_ms = redis_now.as_ms() - halfway_ms;
        self.redis_minus_boot_ms.store(distance_ms, Ordering::Relaxed);
        if sent.elapsed() <= ROUND_TRIP_MAX {
            self.with_watch(|watch| watch.look(distance_ms, redis_now));
        }
    }

    /// The jump by which Redis's clock went away from that of this process, until it comes back or somebody
    /// [accepts](Self::accept) it.
    #[must_use]
    pub fn jump(&self) -> Option<Jump> {
        self.with_watch(|watch| watch.jump())
    }

    /// Takes Redis's time to be right as it is now.
    pub fn accept(&self) {
        let distance_ms = self.redis_minus_boot_ms.load(Ordering::Relaxed);
        self.with_watch(|watch| watch.accept(distance_ms));
    }

    /// Makes this process believe that Redis's clock was `by_ms` behind until now, so that it has jumped since.
    #[cfg(feature = "testing")]
    pub fn pretend_jump(&self, by_ms: i64) {
        let distance_ms = self.redis_minus_boot_ms.load(Ordering::Relaxed);
        self.with_watch(|watch| watch.accept(distance_ms - by_ms));
    }

    fn with_watch<T>(&self, look: impl FnOnce(&mut Watch) -> T) -> T {
        // A panic while it was held would leave whole numbers behind, nothing half done.
        look(&mut self.watch.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Redis's time as far as this process knows it; meaningless before the first [`Clock::observe`].
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.redis_minus_boot_ms.load(Ordering::Relaxed).saturating_add(BootInstant::now().0))
    }

    /// How long until `instant`; zero when it has passed.
    #[must_use]
    pub fn until(&self, instant: Timestamp) -> Duration {
        instant.since(self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_follows_what_redis_said() {
        let clock = Clock::default();
        let sent = BootInstant::now();
        clock.observe(Timestamp::from_secs(1_000_000), sent);
        let drift = clock.now().since(Timestamp::from_secs(1_000_000));
        assert!(drift <= sent.elapsed(), "{drift:?}");
        assert_eq!(clock.until(Timestamp::from_secs(1)), Duration::ZERO);
    }
}
