//! What each of these tests plays on: a store of its own, workers on it, and whoever takes back what workers lose.

use std::time::Duration;

use carillon_shared::id::{JobId, Partition};
use carillon_shared::job::{Failure, Job, JobState};
use carillon_shared::store::{Reclaim, Reclaimed, Store, StoreOptions};
use carillon_tests::redis::shared;
use carillon_tests::store::{enqueue, options};
use carillon_tests::wait::until_some;
use carillon_worker::{Shutdown, Summary, Worker, WorkerBuilder, builtin};
use serde_json::Value;
use tokio::task::JoinHandle;

const P0: Partition = Partition(0);

pub(crate) struct Stage {
    pub(crate) store: Store,
    pub(crate) options: StoreOptions,
}

/// A worker in this process; it ends when dropped.
pub(crate) struct Running {
    pub(crate) shutdown: Shutdown,
    task: Option<JoinHandle<Summary>>,
}

/// Takes back overdue jobs, as the leader does; it ends when dropped.
pub(crate) struct Reclaimer(JoinHandle<()>);

impl Stage {
    pub(crate) async fn new() -> Self {
        let options = options(&shared().url());
        let store = Store::open(options.clone()).await.expect("the test's Redis is there");
        Self { store, options }
    }

    pub(crate) fn worker(&self) -> WorkerBuilder {
        let builder = Worker::builder().store(self.options.clone()).poll_interval(Duration::from_millis(50));
        builtin::NAMES
            .into_iter()
            .fold(builder, |builder, name| builder.register(name, builtin::find(name).expect("a built-in handler")))
    }

    pub(crate) async fn enqueue(&self, json: &Value) -> JobId {
        enqueue(&self.store, json).await
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.store.job(id).await.expect("Redis is there").expect("the job is kept")
    }

    /// Waits until the job is in this state.
    pub(crate) async fn job_in(&self, id: JobId, state: JobState) -> Job {
        until_some(&format!("{id} to be {state}"), async || {
            Some(self.job(id).await).filter(|job| job.record.state == state)
        })
        .await
    }

    /// When the lease of a job ends, in milliseconds by Redis's clock.
    pub(crate) async fn deadline(&self, id: JobId) -> f64 {
        let leases = self.store.keys().partition(P0).leases();
        let score = redis::cmd("ZSCORE").arg(leases).arg(id.to_string()).to_owned();
        score.query_async(&mut shared().connection().await).await.expect("it is held")
    }

    /// Waits until heartbeats have extended the lease of a job so often.
    pub(crate) async fn extended(&self, id: JobId, times: usize) {
        let mut deadline = self.deadline(id).await;
        for _ in 0..times {
            deadline = until_some("the lease to be extended", async || {
                Some(self.deadline(id).await).filter(|extended| *extended > deadline)
            })
            .await;
        }
    }

    pub(crate) fn reclaimer(&self) -> Reclaimer {
        let store = self.store.clone();
        Reclaimer(tokio::spawn(async move {
            loop {
                reclaim(&store).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }))
    }
}

impl Drop for Reclaimer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) fn start(builder: WorkerBuilder) -> Running {
    let (worker, shutdown) = (builder.build().expect("a worker"), Shutdown::new());
    let told = shutdown.clone();
    let task = tokio::spawn(async move { worker.run(told).await.expect("Redis is there") });
    Running { shutdown, task: Some(task) }
}

impl Running {
    /// Lets it drain, and waits for its end.
    pub(crate) async fn end(mut self) -> Summary {
        self.shutdown.drain();
        let task = self.task.take().expect("it ends once");
        task.await.expect("a worker does not panic")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn reclaim(store: &Store) {
    let overdue = store.overdue(P0).await.expect("Redis is there");
    let jobs: Vec<_> = overdue
        .jobs
        .iter()
        .map(|(job, lease)| Reclaim {
            id: job.record.id,
            lease: lease.clone(),
            attempt: job.record.attempt,
            failure: Failure::new("worker_lost", "its worker fell silent"),
            outcome: Reclaimed::Available,
        })
        .collect();
    if !jobs.is_empty() {
        store.reclaim(P0, &jobs).await.expect("Redis is there");
    }
}

/// The code of the last failure.
pub(crate) fn last_code(job: &Job) -> &str {
    job.errors.last().and_then(|error| error["code"].as_str()).unwrap_or("none")
}
