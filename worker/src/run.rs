//! A worker's life: open, run, drain, end.

use std::sync::Arc;
use std::time::Duration;

use carillon_shared::store::Store;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::builder::Worker;
use crate::claims::claim_all;
use crate::crew::Crew;
use crate::error::WorkerError;
use crate::heartbeat::{Heart, Stage};
use crate::leases::Leases;
use crate::orders::Orders;
use crate::report::Reports;
use crate::shutdown::Shutdown;
use crate::slots::Slots;
use crate::stop::StopReason;
use crate::tally::{Summary, Tally};
use crate::thread;
use crate::wake::Wake;
use crate::workshop::Workshop;

/// How long the last ends may take to be reported, and attempts to notice that they are given back.
const FINISH_MAX: Duration = Duration::from_secs(5);

impl Worker {
    /// Runs jobs until told to end, and returns what was done.
    ///
    /// `shutdown` is a [`CancellationToken`], which means [`Shutdown::drain`], or a [`Shutdown`], such as
    /// [`Shutdown::on_signals`]. A drain has three phases, each told in the log: no more jobs are claimed, and those that run
    /// have the grace to end; in the last part of the grace (half of it, at most the `stop_grace`) their handlers are told to
    /// stop; what still runs at its end is given back, which burns no attempt.
    ///
    /// An order to terminate, given by an operator to this worker alone, is a drain too; an order to be quiet keeps jobs from
    /// being claimed until it is taken back.
    ///
    /// Handlers run on the runtime that this is called on. Everything else has threads of its own, so that handlers which
    /// block all threads of that runtime hold up neither the time limits of others nor a drain.
    ///
    /// When the returned future is dropped the worker ends at once, as if it had crashed: what it ran is taken back by the
    /// scheduler when its leases end.
    ///
    /// # Errors
    ///
    /// When the store cannot be opened, or the operating system has no threads for it.
    ///
    /// # Panics
    ///
    /// When called outside a tokio runtime.
    pub async fn run(self, shutdown: impl Into<Shutdown>) -> Result<Summary, WorkerError> {
        let shutdown = shutdown.into().of_one();
        let handlers = Handle::current();
        thread::run(self.live(shutdown, handlers)).await.map_err(WorkerError::Thread)?
    }

    async fn live(self, shutdown: Shutdown, handlers: Handle) -> Result<Summary, WorkerError> {
        let store = Store::open(self.options.clone()).await?;
        store.admit().await?;
        let orders = Orders::new(shutdown.clone());
        // Before the first claim: a worker that keeps its name when it is started again keeps its orders.
        orders.obey(store.order_of(self.id()).await?);
        let running = self.start(store, &orders, handlers)?;
        running.announce();
        claim_all(&running.workshop, &running.wake, &orders, &shutdown).await;
        running.drain(&shutdown).await;
        Ok(running.finish().await)
    }

    fn start(self, store: Store, orders: &Orders, handlers: Handle) -> Result<Running, WorkerError> {
        let Self { options, settings, registry } = self;
        let leases = Arc::new(Leases::new(settings.lease));
        let (stage, watched) = watch::channel(Stage::Running);
        let (stop, heart_stop) = (CancellationToken::new(), CancellationToken::new());
        let heart = Heart {
            options,
            settings: settings.clone(),
            job_types: registry.job_types(),
            leases: leases.clone(),
            orders: orders.clone(),
            stage: watched,
            stop: heart_stop.clone(),
            handlers: handlers.clone(),
        };
        let heart = heart.start().map_err(WorkerError::Thread)?;
        let tally = Arc::new(Tally::default());
        let slots = Arc::new(Slots::new(settings.concurrency));
        let (reports, reporter) = Reports::start(store.clone(), tally.clone(), slots.clone(), settings.concurrency);
        let listeners = TaskTracker::new();
        let wake = Wake::listen(&store, &settings.queues, settings.poll_interval, &listeners, &stop);
        let workshop = Arc::new(Workshop {
            slots,
            attempts: TaskTracker::new(),
            stragglers: TaskTracker::new(),
            give_back: stop.child_token(),
            crew: Crew::new(handlers, &listeners, &stop),
            store,
            settings,
            registry,
            leases,
            reports,
            tally,
        });
        Ok(Running { workshop, wake, listeners, reporter, heart: Some(heart), heart_stop, stage, stop })
    }
}

/// A worker that has started.
struct Running {
    workshop: Arc<Workshop>,
    wake: Wake,
    listeners: TaskTracker,
    reporter: JoinHandle<()>,
    heart: Option<std::thread::JoinHandle<()>>,
    heart_stop: CancellationToken,
    stage: watch::Sender<Stage>,
    stop: CancellationToken,
}

impl Running {
    fn announce(&self) {
        let settings = &self.workshop.settings;
        let queues = settings.queues.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let handlers = self.workshop.registry.job_types().len();
        tracing::info!(worker.id = %settings.worker, queues, concurrency = settings.concurrency, handlers, "the worker is ready");
    }

    /// Waits for the running attempts, in phases.
    async fn drain(&self, shutdown: &Shutdown) {
        let workshop = &self.workshop;
        workshop.attempts.close();
        self.stage.send_replace(Stage::Quiet);
        let telling = workshop.settings.stop_grace.min(workshop.settings.grace / 2);
        let patience = workshop.settings.grace.saturating_sub(telling);
        let running = || workshop.attempts.len();
        tracing::info!(jobs = running(), grace = ?workshop.settings.grace, "stopping: no more jobs are claimed, running ones may end");
        if self.attempts_ended(patience, shutdown).await {
            return;
        }
        self.stage.send_replace(Stage::Terminate);
        tracing::info!(jobs = running(), "stopping: the grace is nearly over, handlers are told to stop");
        workshop.leases.tell_all(StopReason::Shutdown);
        if self.attempts_ended(telling, shutdown).await {
            return;
        }
        tracing::warn!(jobs = running(), "stopping: jobs that still run are given back");
        workshop.give_back.cancel();
        if timeout(FINISH_MAX, workshop.attempts.wait()).await.is_err() {
            tracing::error!(
                jobs = running(),
                "stopping: some jobs could not be given back; others take them over when their leases end"
            );
        }
    }

    /// Waits for the end of all attempts; false when it has not come within `patience`, or there is a hurry.
    async fn attempts_ended(&self, patience: Duration, shutdown: &Shutdown) -> bool {
        tokio::select! {
            biased;
            () = self.workshop.attempts.wait() => true,
            () = shutdown.hurrying() => false,
            () = sleep(patience) => false,
        }
    }

    /// Reports the last ends, then stops everything in the order in which it was needed.
    async fn finish(mut self) -> Summary {
        let abandoned = self.workshop.slots.lost();
        let tally = self.workshop.tally.clone();
        self.stop.cancel();
        self.listeners.close();
        self.listeners.wait().await;
        self.workshop.reports.close();
        if timeout(FINISH_MAX, &mut self.reporter).await.is_err() {
            tracing::error!("stopping: Redis does not answer, some ends are not reported; those jobs will run again");
            self.reporter.abort();
        }
        self.heart_stop.cancel();
        if let Some(heart) = self.heart.take() {
            // The thread ends within the limit of its farewell.
            let _joined = tokio::task::spawn_blocking(move || heart.join()).await;
        }
        let summary = tally.summary(abandoned);
        tracing::info!(?summary, "stopped");
        summary
    }
}

/// A worker whose future was dropped leaves nothing running.
impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        self.heart_stop.cancel();
    }
}
