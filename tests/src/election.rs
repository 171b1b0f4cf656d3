//! Schedulers without a face: candidates that lead when they are elected.

use std::time::Duration;

use carillon_scheduler::duty::DutySettings;
use carillon_scheduler::leader::Candidate;
use carillon_shared::store::{LedgerDecision, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::wait::until;

/// The leader lock's life in tests: the shortest that Redis counts.
pub const TTL: Duration = Duration::from_secs(1);

/// A candidate that runs in this process, until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Starts a candidate of this name on a store.
    #[must_use]
    pub fn start(store: &Store, name: &str) -> Self {
        Self::start_with(store, name, TTL)
    }

    /// Starts a candidate whose lock lives for `ttl`: so long that nothing a test sees can come of its end.
    #[must_use]
    pub fn start_with(store: &Store, name: &str, ttl: Duration) -> Self {
        let stop = CancellationToken::new();
        let duties = DutySettings { retention: Vec::new(), queues_idle_for: Duration::MAX };
        let candidate = Candidate::new(store.clone(), name.to_owned(), ttl, duties, TTL);
        Self { name: name.to_owned(), task: tokio::spawn(candidate.run(stop.clone())), stop }
    }

    /// Whether `store` says that it leads.
    ///
    /// # Panics
    ///
    /// When Redis cannot be reached.
    pub async fn leads(&self, store: &Store) -> bool {
        store.leader().await.expect("Redis is there").is_some_and(|token| token.instance() == self.name)
    }

    /// Waits until it leads.
    ///
    /// # Panics
    ///
    /// When it does not in time.
    pub async fn elected(&self, store: &Store) {
        until(&format!("{} to lead", self.name), async || self.leads(store).await).await;
    }

    /// Stops it in order.
    ///
    /// # Panics
    ///
    /// When it panicked.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("the candidate ends in order");
    }

    /// Ends it as a crash would: at once, with nothing handed over.
    pub fn kill(self) {
        self.task.abort();
    }
}

/// Asserts that the rows of an every-second entry stand for every second once, and returns how many there are.
///
/// # Panics
///
/// When a second is missing, or stands twice.
pub async fn assert_every_second_once(store: &Store, name: &str) -> usize {
    let name = name.parse().expect("a name");
    let mut rows = store.ledger(&name, None, 10_000).await.expect("Redis is there");
    rows.reverse();
    for pair in rows.windows(2) {
        let gap = pair[1].scheduled_at.since(pair[0].scheduled_at).as_secs();
        assert_eq!(gap, pair[0].instants, "between {:?} and {:?}", pair[0], pair[1]);
    }
    let mut jobs: Vec<_> = rows
        .iter()
        .filter_map(|row| match row.decision {
            LedgerDecision::Fired(id) => Some(id),
            LedgerDecision::Skipped { .. } => None,
        })
        .collect();
    let fired = jobs.len();
    jobs.sort_unstable();
    jobs.dedup();
    assert_eq!(jobs.len(), fired, "two rows name one job");
    rows.len()
}
