//! The duty that looks at what comes next in a partition, so that the others need not ask for it one by one.
//!
//! A look finds out what was put before everything that was known: an entry registered, a job scheduled, a lease taken. The
//! duties rest until a look shows that something comes, and then ask by themselves. When looking fails, each looks for
//! itself.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use carillon_shared::clock::Clock;
use carillon_shared::id::Partition;
use carillon_shared::store::{Coming, Outlook, Store, StoreError};
use tokio::sync::watch;
use tokio::time::timeout;

use super::term::Progress;
use super::{Duty, Term};

/// What is new is noticed within so long.
pub(super) const PERIOD: Duration = Duration::from_millis(200);
/// As much as our estimate of Redis's time may be off: whoever asked before something comes would ask in vain.
const ESTIMATE_OFF: Duration = Duration::from_millis(2);

/// The last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Outlook(Outlook),
    /// It failed: anything may have come.
    Nothing,
}

/// Looks at one partition.
pub(crate) struct Look {
    store: Store,
    partition: Partition,
    term: Arc<Term>,
    progress: Progress,
    seen: watch::Sender<Seen>,
}

impl Look {
    pub(crate) fn new(store: Store, partition: Partition, term: Arc<Term>) -> Self {
        let progress = term.track();
        Self { store, partition, term, progress, seen: watch::Sender::new(Seen::Nothing) }
    }

    /// What a duty sees of it that is to be woken so long before something comes.
    pub(super) fn sight(&self, coming: Coming, ahead: Duration) -> Sight {
        Sight { store: self.store.clone(), seen: self.seen.subscribe(), coming, ahead }
    }
}

impl Duty for Look {
    const NAME: &'static str = "look";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        self.progress.made();
        let outlook = self.store.outlook(self.partition, &self.term.token).await;
        match outlook.inspect_err(|_| self.show(Seen::Nothing))? {
            Some(outlook) => self.show(Seen::Outlook(outlook)),
            None => self.term.depose(),
        }
        Ok(PERIOD)
    }
}

impl Look {
    /// Wakes the duties only when there is something to be woken for: most looks show what the one before showed.
    fn show(&self, seen: Seen) {
        self.seen.send_if_modified(|last| {
            let is_new = *last != seen;
            *last = seen;
            is_new || seen.has_come(self.store.clock())
        });
    }
}

/// One kind of what comes, as the looks show it.
pub(super) struct Sight {
    store: Store,
    seen: watch::Receiver<Seen>,
    coming: Coming,
    ahead: Duration,
}

impl Sight {
    /// Waits until something comes that was not there already: what has come by the last look may be done with, and if not,
    /// the next says so again.
    pub(super) async fn comes(&mut self) {
        let known = [self.away(self.ahead), self.away(Duration::ZERO)];
        let mut away = known.into_iter().find(|away| !away.is_zero()).unwrap_or(Duration::MAX);
        while let Ok(looked) = timeout(away, self.seen.changed()).await {
            if looked.is_err() {
                // Nobody looks any more: the leadership ends.
                return pending().await;
            }
            away = self.away(self.ahead);
        }
    }

    /// How long until it is so long `ahead` of what comes first, by the last look.
    fn away(&mut self, ahead: Duration) -> Duration {
        let seen = *self.seen.borrow_and_update();
        seen.away(self.coming, self.store.clock()).saturating_sub(ahead)
    }
}

impl Seen {
    /// How long until something comes.
    fn away(self, coming: Coming, clock: &Clock) -> Duration {
        match self {
            Self::Nothing => Duration::ZERO,
            Self::Outlook(outlook) => outlook.next(coming).map_or(Duration::MAX, |at| clock.until(at) + ESTIMATE_OFF),
        }
    }

    /// Whether something has come, of whatever kind.
    fn has_come(self, clock: &Clock) -> bool {
        match self {
            Self::Nothing => true,
            Self::Outlook(outlook) => outlook.earliest().is_some_and(|at| clock.until(at).is_zero()),
        }
    }
}
