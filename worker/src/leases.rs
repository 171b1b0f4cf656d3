//! The leases that this worker holds, shared by those who run jobs and the thread that sends heartbeats.
//!
//! A lease is ours for as long as Redis may believe so: its length, counted from the moment at which the last call that it
//! acknowledged was *sent*. We stop a little earlier, because a handler needs time to stop too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carillon_shared::clock::BootInstant;
use carillon_shared::id::JobId;
use carillon_shared::store::{Held, LeaseState};
use carillon_shared::telemetry::metric;
use tokio::sync::Notify;

use crate::stop::{Stop, StopReason};

const MARGIN_MAX: Duration = Duration::from_secs(2);
const BEAT_MIN: Duration = Duration::from_millis(50);
const BEAT_MAX: Duration = Duration::from_secs(10);
/// For so long after its lease an end is still offered to Redis: nobody reclaims while Redis itself was away, and if
/// somebody did, the end is refused.
const END_OFFERED_FOR: Duration = Duration::from_secs(60);

/// Every lease in hand.
#[derive(Debug)]
pub(crate) struct Leases {
    entries: Mutex<Entries>,
    /// The length of a lease, unless a job has a wish of its own.
    length: Duration,
    shorter: Notify,
}

/// The place of a lease among those in hand; never given twice.
pub(crate) type Ticket = u64;

#[derive(Debug, Default)]
struct Entries {
    next: Ticket,
    by_ticket: BTreeMap<Ticket, Entry>,
}

#[derive(Debug)]
struct Entry {
    held: Held,
    length: Duration,
    acknowledged: BootInstant,
    stop: Stop,
    stage: Stage,
}

/// What the holder of a lease is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Runs the handler.
    Running,
    /// Reports the end: whether the lease is lost is then answered to the report.
    Ending,
    /// Has been told that the lease is lost, or the job cancelled.
    Over,
}

/// One lease; given up when dropped.
#[derive(Debug)]
pub(crate) struct HeldLease {
    leases: Arc<Leases>,
    ticket: Ticket,
    held: Held,
    stop: Stop,
}

impl Leases {
    pub(crate) fn new(length: Duration) -> Self {
        Self { entries: Mutex::default(), length, shorter: Notify::new() }
    }

    /// Takes a lease in hand that was given at `since`, for `wish` if its job has one.
    pub(crate) fn hold(self: &Arc<Self>, held: Held, since: BootInstant, wish: Option<Duration>) -> HeldLease {
        let (length, stop) = (wish.unwrap_or(self.length), Stop::default());
        let entry =
            Entry { held: held.clone(), length, acknowledged: since, stop: stop.clone(), stage: Stage::Running };
        let ticket = self.lock().add(entry);
        if length < self.length {
            self.shorter.notify_one();
        }
        HeldLease { leases: self.clone(), ticket, held, stop }
    }

    /// Waits until a lease is taken in hand that needs heartbeats sooner than usual.
    pub(crate) async fn shorter(&self) {
        self.shorter.notified().await;
    }

    /// How often to send heartbeats: six in the life of the shortest lease, so that a few may be lost.
    pub(crate) fn beat_interval(&self) -> Duration {
        let shortest = self.lock().by_ticket.values().map(|entry| entry.length).fold(self.length, Duration::min);
        (shortest / 6).clamp(BEAT_MIN, BEAT_MAX)
    }

    /// What heartbeats extend, each with its ticket, and the length they ask for.
    pub(crate) fn to_extend(&self) -> (Vec<(Ticket, Held)>, Duration) {
        let entries = self.lock();
        let ours = entries.by_ticket.iter().filter(|(_, entry)| entry.stage != Stage::Over);
        (ours.map(|(ticket, entry)| (*ticket, entry.held.clone())).collect(), self.length)
    }

    /// Takes in what a heartbeat that was sent at `sent` brought back.
    pub(crate) fn answered(&self, sent: BootInstant, answers: impl IntoIterator<Item = (Ticket, LeaseState)>) {
        let mut entries = self.lock();
        for (ticket, state) in answers {
            // Gone in the meantime: its end has been reported.
            let Some(entry) = entries.by_ticket.get_mut(&ticket) else { continue };
            match state {
                LeaseState::Held => entry.acknowledged = entry.acknowledged.max(sent),
                LeaseState::Cancelled => entry.end(StopReason::Cancelled),
                LeaseState::Lost => entry.end(StopReason::LeaseLost),
            }
        }
    }

    /// Stops the handlers whose lease nobody has acknowledged for too long.
    pub(crate) fn expire(&self) {
        for entry in self.lock().by_ticket.values_mut().filter(|entry| entry.is_overdue()) {
            entry.end(StopReason::LeaseLost);
        }
    }

    /// Tells every handler to stop.
    pub(crate) fn tell_all(&self, reason: StopReason) {
        for entry in self.lock().by_ticket.values().filter(|entry| entry.stage == Stage::Running) {
            entry.stop.tell(reason);
        }
    }

    /// The jobs in hand.
    pub(crate) fn job_ids(&self) -> Vec<JobId> {
        let mut ids: Vec<_> = self.lock().by_ticket.values().map(|entry| entry.held.id).collect();
        ids.sort_unstable();
        ids
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn add(&mut self, entry: Entry) -> Ticket {
        let ticket = self.next;
        self.next += 1;
        self.by_ticket.insert(ticket, entry);
        ticket
    }
}

impl Entry {
    fn end(&mut self, reason: StopReason) {
        if self.stage != Stage::Running {
            return;
        }
        self.stage = Stage::Over;
        if !self.stop.tell(reason) {
            return;
        }
        if reason == StopReason::LeaseLost {
            metrics::counter!(metric::LEASES_LOST_TOTAL).increment(1);
            tracing::warn!(job.id = %self.held.id, "the lease is lost: its handler is told to stop, its end will not be reported");
        } else {
            tracing::info!(job.id = %self.held.id, "the job was cancelled: its handler is told to stop");
        }
    }

    fn is_overdue(&self) -> bool {
        self.acknowledged.elapsed() >= self.length.saturating_sub(margin(self.length))
    }
}

impl HeldLease {
    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    /// The word to the handler that it should stop.
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Says that the handler has ended, and whether its end is still ours to report.
    ///
    /// Asks the clock itself: after a freeze of this process a handler may end before the thread of the heartbeats wakes.
    pub(crate) fn start_ending(&self) -> bool {
        let mut entries = self.leases.lock();
        let Some(entry) = entries.by_ticket.get_mut(&self.ticket) else { return false };
        if entry.stage == Stage::Running && entry.is_overdue() {
            entry.end(StopReason::LeaseLost);
        }
        if entry.stage == Stage::Over {
            return false;
        }
        entry.stage = Stage::Ending;
        true
    }

    /// Whether there is no point in reporting the end any more.
    pub(crate) fn is_long_over(&self) -> bool {
        let entries = self.leases.lock();
        entries
            .by_ticket
            .get(&self.ticket)
            .is_none_or(|entry| entry.acknowledged.elapsed() > entry.length + END_OFFERED_FOR)
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.leases.lock().by_ticket.remove(&self.ticket);
    }
}

/// How long before its end a lease counts as lost: two seconds, or a quarter of a short one.
pub(crate) fn margin(length: Duration) -> Duration {
    MARGIN_MAX.min(length / 4)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample::{LEASE, claimed};

    fn hold(leases: &Arc<Leases>, wish: Option<Duration>) -> HeldLease {
        let claimed = claimed(&json!({"type": "echo", "args": []}));
        leases.hold(claimed.held, claimed.since, wish)
    }

    #[test]
    fn a_dropped_lease_is_not_extended_any_more() {
        let leases = Arc::new(Leases::new(LEASE));
        let lease = hold(&leases, None);
        assert_eq!(leases.to_extend().0, [(lease.ticket, lease.held().clone())]);
        drop(lease);
        assert!(leases.to_extend().0.is_empty() && leases.job_ids().is_empty());
    }

    #[test]
    fn what_a_heartbeat_brings_back_stops_the_handler() {
        for (state, reason) in [
            (LeaseState::Held, None),
            (LeaseState::Cancelled, Some(StopReason::Cancelled)),
            (LeaseState::Lost, Some(StopReason::LeaseLost)),
        ] {
            let leases = Arc::new(Leases::new(LEASE));
            let lease = hold(&leases, None);
            leases.answered(BootInstant::now(), [(lease.ticket, state)]);
            assert_eq!(lease.stop().reason(), reason, "{state:?}");
            assert_eq!(lease.start_ending(), reason.is_none(), "{state:?}");
        }
    }

    #[test]
    fn a_heartbeat_that_crosses_the_report_of_the_end_changes_nothing() {
        let leases = Arc::new(Leases::new(LEASE));
        let lease = hold(&leases, None);
        assert!(lease.start_ending());
        leases.answered(BootInstant::now(), [(lease.ticket, LeaseState::Lost)]);
        assert_eq!(lease.stop().reason(), None);
        assert_eq!(leases.to_extend().0.len(), 1, "an end that waits for Redis keeps its lease");
    }

    #[test]
    fn a_lease_that_nobody_acknowledges_is_lost_and_its_end_is_not_reported() {
        let leases = Arc::new(Leases::new(LEASE));
        let (silent, fresh) = (hold(&leases, Some(Duration::ZERO)), hold(&leases, None));
        assert!(!silent.start_ending(), "even before anybody looked");
        leases.expire();
        assert_eq!((silent.stop().reason(), fresh.stop().reason()), (Some(StopReason::LeaseLost), None));
    }

    #[test]
    fn heartbeats_follow_the_shortest_lease() {
        let leases = Arc::new(Leases::new(LEASE));
        assert_eq!(leases.beat_interval(), Duration::from_secs(5));
        let _short = hold(&leases, Some(Duration::from_millis(600)));
        assert_eq!(leases.beat_interval(), Duration::from_millis(100));
        assert_eq!(Leases::new(Duration::from_secs(3600)).beat_interval(), BEAT_MAX);
    }

    #[test]
    fn a_long_lease_is_given_up_two_seconds_early_and_a_short_one_a_quarter() {
        assert_eq!(margin(LEASE), Duration::from_secs(2));
        assert_eq!(margin(Duration::from_secs(2)), Duration::from_millis(500));
    }
}
