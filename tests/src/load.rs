//! Jobs that flow through a deployment while something happens to its Redis, and what must be true of them afterwards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::id::JobId;
use carillon_shared::job::JobState;
use carillon_shared::name::QueueName;
use carillon_shared::store::{EventCursor, Kept, NewJob, Store, StoreOptions};
use carillon_worker::{Shutdown, Worker, builtin};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::election::{Running, assert_every_second_once};
use crate::store::envelope;
use crate::wait::{until, within};

/// A lease that was renewed on a master that died must end before its job goes on.
const LEASE: Duration = Duration::from_secs(3);
/// As long as a lease, the hold-off of reclaiming after Redis was away, and a slow machine may take together.
const END_MAX: Duration = Duration::from_secs(180);

/// Spread over the partitions of a cluster.
const QUEUES: [&str; 6] = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"];

/// A leader, a worker and producers, in this process.
pub struct Load {
    store: Store,
    leader: Running,
    stop: CancellationToken,
    shutdown: Shutdown,
    tasks: JoinSet<()>,
    acknowledged: Arc<Mutex<Vec<JobId>>>,
}

impl Load {
    /// Starts all on the Redis that `options` describe, and an entry that fires every second into each of two queues.
    ///
    /// # Panics
    ///
    /// When Redis is away.
    pub async fn start(mut options: StoreOptions) -> Self {
        options.kept = Some(Kept { events: 1_000_000, ledger_rows: 10_000, ..Kept::default() });
        let store = Store::open(options.clone()).await.expect("the test's Redis is there");
        for queue in &QUEUES[..2] {
            let entry = json!({"name": format!("tick-{queue}"), "cron": "* * * * * *", "type": "echo",
                "options": {"queue": queue}, "overlap_policy": "allow"});
            Client::new(store.clone()).register(&entry).await.expect("a valid entry");
        }
        let (stop, shutdown, mut tasks) = (CancellationToken::new(), Shutdown::new(), JoinSet::new());
        let acknowledged = Arc::<Mutex<Vec<JobId>>>::default();
        for queue in QUEUES {
            tasks.spawn(produce(store.clone(), queue, acknowledged.clone(), stop.clone()));
        }
        let queues: Vec<QueueName> = QUEUES.iter().map(|queue| queue.parse().expect("a queue name")).collect();
        let worker = Worker::builder().store(options).queues(&queues).concurrency(8).lease(LEASE);
        let echo = builtin::find("echo").expect("a built-in handler");
        let worker = worker.poll_interval(Duration::from_millis(100)).register("echo", echo).build().expect("a worker");
        let told = shutdown.clone();
        tasks.spawn(async move {
            worker.run(told).await.expect("Redis was there at the start");
        });
        let leader = Running::start(&store, "leader");
        Self { store, leader, stop, shutdown, tasks, acknowledged }
    }

    /// The store, as the producers use it.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The jobs that Redis has taken in so far.
    #[must_use]
    pub fn acknowledged(&self) -> Vec<JobId> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many more jobs were taken in.
    ///
    /// # Panics
    ///
    /// When they are not.
    pub async fn goes_on(&self, more: usize) {
        let before = self.acknowledged().len();
        until(&format!("{more} more jobs to be taken in"), async || self.acknowledged().len() >= before + more).await;
    }

    /// Waits until the leader has decided on so many more instants of each entry.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub async fn rings(&self, more: usize) {
        for queue in &QUEUES[..2] {
            let name = format!("tick-{queue}").parse().expect("a name");
            let rows = async || self.store.ledger(&name, None, 10_000).await.map_or(0, |rows| rows.len());
            let before = rows().await;
            until(&format!("{more} more instants of tick-{queue}"), async || rows().await >= before + more).await;
        }
    }

    /// Lets all that was taken in end, stops, and returns the jobs.
    ///
    /// # Panics
    ///
    /// When a job does not end.
    pub async fn end(self) -> (Store, Vec<JobId>) {
        let stop = self.stop.clone();
        stop.cancel();
        let jobs = self.acknowledged();
        self.end_with(&jobs).await
    }

    /// Lets these jobs end, stops, and returns all that were taken in.
    ///
    /// # Panics
    ///
    /// When one of them does not end.
    pub async fn end_with(mut self, jobs: &[JobId]) -> (Store, Vec<JobId>) {
        self.stop.cancel();
        for some in jobs.chunks(500) {
            let ended = within(END_MAX, async || all_completed(&self.store, some).await.then_some(())).await;
            assert!(ended.is_some(), "a job did not complete within {END_MAX:?}");
        }
        self.leader.stop().await;
        self.shutdown.drain();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("nobody panics");
        }
        (self.store, self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Asserts that each of these jobs has completed once, by the word of the streams, and that the entries rang every second.
///
/// # Panics
///
/// When one has not, or more than once.
pub async fn assert_each_completed_once(store: &Store, jobs: &[JobId]) {
    let counted = ends(store).await;
    let wrong: Vec<_> = jobs.iter().filter(|id| counted.get(&id.to_string()) != Some(&1)).collect();
    assert!(wrong.is_empty(), "{} of {} jobs did not complete once: {wrong:?}", wrong.len(), jobs.len());
    assert!(counted.values().all(|times| *times == 1), "something completed twice");
    for queue in &QUEUES[..2] {
        assert_every_second_once(store, &format!("tick-{queue}")).await;
    }
}

/// How often each job completed.
async fn ends(store: &Store) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    let mut cursor = EventCursor::oldest(store.keys().partitions());
    loop {
        let page = store.events(cursor, 5000).await.expect("Redis is there");
        if page.events.is_empty() {
            return counted;
        }
        for (_, event) in page.events.iter().filter(|(_, event)| event.kind == "job.completed") {
            *counted.entry(event.subject.clone()).or_default() += 1;
        }
        cursor = page.cursor;
    }
}

async fn all_completed(store: &Store, ids: &[JobId]) -> bool {
    let Ok(jobs) = store.jobs(ids).await else { return false };
    jobs.iter().all(|job| job.as_ref().is_some_and(|job| job.record.state == JobState::Completed))
}

/// Produces one job after the other; a call whose outcome is not known is made again with the same arguments.
async fn produce(store: Store, queue: &'static str, acknowledged: Arc<Mutex<Vec<JobId>>>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let envelope = envelope(&json!({"type": "echo", "args": [], "options": {"queue": queue}}), store.clock().now());
        let id = store.id_for(&envelope);
        let job = [NewJob::new(id, &envelope)];
        while let Err(error) = store.enqueue(&job).await {
            assert!(error.is_transient(), "{error:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
