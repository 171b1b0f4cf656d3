//! Heartbeats, from a thread of their own with a runtime of its own: a handler that never yields must not silence them.
//!
//! Each beat extends all leases in one call and brings back which were lost or cancelled; beside it goes the note to the
//! registry, which brings back what this worker is told to do. A nudge, sent when a job of this worker is cancelled or an
//! order is given, brings the next beat forward. Meanwhile the thread watches the clock: leases that nobody has
//! acknowledged for too long are over, whether or not Redis can be asked.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use carillon_shared::clock::{BootInstant, Timestamp};
use carillon_shared::name::JobType;
use carillon_shared::store::{Store, StoreError, StoreOptions, WorkerInfo};
use carillon_shared::telemetry::metric::{self, label};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::leases::Leases;
use crate::orders::Orders;
use crate::outage::Outage;
use crate::workshop::Settings;

/// How often the registry of workers is told, while nothing changes.
const NOTE_INTERVAL: Duration = Duration::from_secs(2);
/// How often the clock is watched at least.
const WATCH_MAX: Duration = Duration::from_millis(250);
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// What a worker is doing, as the registry shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Running,
    Quiet,
    Terminate,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Quiet => "quiet",
            Self::Terminate => "terminate",
        }
    }
}

/// Everything that heartbeats need.
pub(crate) struct Heart {
    pub(crate) options: StoreOptions,
    pub(crate) settings: Settings,
    pub(crate) job_types: Vec<JobType>,
    pub(crate) leases: Arc<Leases>,
    pub(crate) orders: Orders,
    pub(crate) stage: watch::Receiver<Stage>,
    pub(crate) stop: CancellationToken,
    /// Where the handlers run.
    pub(crate) handlers: Handle,
}

impl Heart {
    /// Starts the thread; it ends with `stop`, after a farewell.
    ///
    /// # Errors
    ///
    /// When the operating system has no thread or no runtime for it.
    pub(crate) fn start(mut self) -> io::Result<JoinHandle<()>> {
        // One try per beat: the beats themselves repeat.
        self.options.connection.patience = Duration::ZERO;
        self.options.connection.connections = 1;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("heartbeat".to_owned()).spawn(move || runtime.block_on(self.live()))
    }

    async fn live(self) {
        let nudged = Notify::new();
        let stage = self.stage.clone();
        let heart = &self;
        let beats = async {
            let Some(store) = heart.open().await else { return };
            tokio::select! {
                () = heart.beat(&store, &nudged, stage) => {}
                () = heart.listen(&store, &nudged) => {}
            }
            heart.farewell(&store).await;
        };
        tokio::select! {
            () = beats => {}
            () = heart.watch() => {}
        }
    }

    /// A store of this runtime's own, because connections belong to the runtime that opened them.
    async fn open(&self) -> Option<Store> {
        let outage = Outage::new("open a connection for heartbeats");
        loop {
            let error = match self.stop.run_until_cancelled(Store::open(self.options.clone())).await? {
                Ok(store) => return Some(store),
                Err(error) => error,
            };
            self.stop.run_until_cancelled(sleep(outage.failed(&error))).await?;
        }
    }

    async fn beat(&self, store: &Store, nudged: &Notify, mut stage: watch::Receiver<Stage>) {
        let outage = Outage::new("send heartbeats");
        let started_at = store.clock().now();
        let (mut noted, mut is_news) = (None::<BootInstant>, true);
        let said = json!({"worker_id": self.settings.worker, "queues": self.settings.queues, "concurrency": self.settings.concurrency});
        // An event that is lost is only a piece of news less.
        let _told = store.tell("worker.started", "workers", self.settings.worker.as_str(), &said).await;
        loop {
            let due = is_news || noted.is_none_or(|noted| noted.elapsed() >= NOTE_INTERVAL);
            let shown = *stage.borrow_and_update();
            // At the same time; and neither is dropped when the other fails.
            let (extended, obeyed) = tokio::join!(self.extend(store), async {
                if due { self.note(store, started_at, shown).await } else { Ok(false) }
            });
            let beaten = extended.and(obeyed);
            count(&beaten);
            let pause = match &beaten {
                Ok(is_new_order) => {
                    outage.over();
                    (noted, is_news) = (if due { Some(BootInstant::now()) } else { noted }, *is_new_order);
                    // The registry is to show at once that an order is obeyed.
                    if is_news { Duration::ZERO } else { self.leases.beat_interval() }
                }
                Err(error) => outage.failed(error).min(self.leases.beat_interval()),
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = sleep(pause) => {}
                () = nudged.notified() => is_news = true,
                () = self.leases.shorter() => {}
                _ = stage.changed() => is_news = true,
            }
        }
    }

    async fn extend(&self, store: &Store) -> Result<(), StoreError> {
        let (ours, length) = self.leases.to_extend();
        if ours.is_empty() {
            return Ok(());
        }
        let (tickets, held): (Vec<_>, Vec<_>) = ours.into_iter().unzip();
        let sent = BootInstant::now();
        let states = store.heartbeat(&held, length).await?;
        self.leases.answered(sent, tickets.into_iter().zip(states));
        Ok(())
    }

    /// Tells the registry what this worker does, and obeys what it answers; says whether that is a new order.
    async fn note(&self, store: &Store, started_at: Timestamp, stage: Stage) -> Result<bool, StoreError> {
        let order = store.note_worker(&self.info(store, started_at, stage)).await?;
        Ok(self.orders.obey(order))
    }

    /// Listens for nudges. Each new subscription is a nudge too, because one may have been missed before it.
    async fn listen(&self, store: &Store, nudged: &Notify) {
        let outage = Outage::new("listen for cancelled jobs");
        loop {
            match store.nudges(&self.settings.worker).await {
                Ok(mut nudges) => {
                    outage.over();
                    nudged.notify_one();
                    while nudges.next().await.is_some() {
                        nudged.notify_one();
                    }
                    sleep(self.leases.beat_interval()).await;
                }
                Err(error) => sleep(outage.failed(&error)).await,
            }
        }
    }

    /// Looks often enough that a lease is given up well within its margin; timers stand still while a machine sleeps, the
    /// clock that is asked does not.
    async fn watch(&self) {
        loop {
            sleep(WATCH_MAX.min(self.leases.beat_interval() / 4)).await;
            self.leases.expire();
            self.nudge_runtime();
        }
    }

    /// Wakes a thread of the runtime that runs the handlers. A handler that blocks the very thread that was to look after
    /// timers and sockets takes that duty along: nobody else assumes it before a task from outside arrives.
    fn nudge_runtime(&self) {
        drop(self.handlers.spawn(std::future::ready(())));
    }

    async fn farewell(&self, store: &Store) {
        let worker = &self.settings.worker;
        let said = json!({"worker_id": worker, "reason": "shutdown"});
        let farewell = async {
            store.forget_worker(worker).await?;
            store.tell("worker.stopped", "workers", worker.as_str(), &said).await
        };
        if !matches!(timeout(FAREWELL_MAX, farewell).await, Ok(Ok(()))) {
            tracing::debug!("could not strike this worker off; the registry forgets it by itself");
        }
    }

    fn info(&self, store: &Store, started_at: Timestamp, stage: Stage) -> WorkerInfo {
        let settings = &self.settings;
        let stage = if stage == Stage::Running && self.orders.are_given() { Stage::Quiet } else { stage };
        WorkerInfo {
            worker_id: settings.worker.clone(),
            hostname: hostname(),
            pid: std::process::id(),
            queues: settings.queues.clone(),
            job_types: self.job_types.clone(),
            concurrency: settings.concurrency,
            active_job_ids: self.leases.job_ids(),
            state: stage.as_str().to_owned(),
            started_at,
            last_heartbeat_at: store.clock().now(),
        }
    }
}

/// The name of this machine.
pub(crate) fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn count(beaten: &Result<bool, StoreError>) {
    let result = if beaten.is_ok() { "ok" } else { "failed" };
    metrics::counter!(metric::HEARTBEATS_TOTAL, label::RESULT => result).increment(1);
}
