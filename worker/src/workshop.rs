//! What all attempts of a worker share.

use std::sync::Arc;
use std::time::Duration;

use carillon_shared::name::{QueueName, WorkerId};
use carillon_shared::store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::crew::Crew;
use crate::leases::Leases;
use crate::registry::Registry;
use crate::report::Reports;
use crate::slots::Slots;
use crate::tally::Tally;

/// What a worker was told about itself.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) worker: WorkerId,
    pub(crate) queues: Vec<QueueName>,
    pub(crate) concurrency: usize,
    pub(crate) lease: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) grace: Duration,
    pub(crate) stop_grace: Duration,
    pub(crate) unhandled_max: u32,
}

/// The place where jobs are run.
#[derive(Debug)]
pub(crate) struct Workshop {
    /// Where the handlers run.
    pub(crate) crew: Crew,
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) leases: Arc<Leases>,
    pub(crate) slots: Arc<Slots>,
    pub(crate) reports: Reports,
    pub(crate) tally: Arc<Tally>,
    /// The attempts that are being made.
    pub(crate) attempts: TaskTracker,
    /// Handlers that would not stop, each in its slot.
    pub(crate) stragglers: TaskTracker,
    /// Ends every attempt now.
    pub(crate) give_back: CancellationToken,
}
