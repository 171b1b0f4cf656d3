//! What the benches stand on: a Redis of their own, a store, jobs, and waiting.

use std::time::{Duration, Instant};

use carillon_shared::clock::Timestamp;
use carillon_shared::job::Envelope;
use carillon_shared::store::{ConnectionOptions, NewJob, Store, StoreOptions};
use carillon_tests::redis::Server;
use redis::aio::MultiplexedConnection;
use serde_json::json;

/// How large a bench is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Scale {
    /// A few minutes in all.
    #[default]
    Scaled,
    /// The sizes of the design.
    Full,
}

impl Scale {
    pub(crate) fn of(self, scaled: usize, full: usize) -> usize {
        match self {
            Self::Scaled => scaled,
            Self::Full => full,
        }
    }
}

/// A Redis of its own, set up as in production, and how to reach it.
pub(crate) struct Ground {
    pub(crate) server: Server,
    pub(crate) store: Store,
    asked: MultiplexedConnection,
}

impl Ground {
    pub(crate) async fn new() -> Self {
        // A rewrite of the file takes a whole core for seconds, at a moment of its own choice.
        let server =
            Server::start(&["--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"]);
        let store = Store::open(options(&server)).await.expect("a Redis of our own is there");
        let asked = server.connection().await;
        Self { server, store, asked }
    }

    /// Jobs that do nothing, about 200 bytes each as they are kept, taken in as fast as can be.
    pub(crate) async fn fill(&self, count: usize) {
        self.fill_with("noop", count).await;
    }

    pub(crate) async fn fill_with(&self, job_type: &str, count: usize) {
        let envelopes: Vec<_> = (0..count).map(|number| job(job_type, number)).collect();
        for some in envelopes.chunks(10_000) {
            enqueue_all(&self.store, some).await;
        }
    }

    /// An integer that a command answers; 0 when it answers with nothing.
    pub(crate) async fn number(&self, command: &[&str]) -> i64 {
        let mut connection = self.asked.clone();
        let mut cmd = redis::cmd(command[0]);
        command[1..].iter().for_each(|argument| _ = cmd.arg(*argument));
        let number: Option<i64> = cmd.query_async(&mut connection).await.expect("Redis answers with a number");
        number.unwrap_or(0)
    }

    /// Bytes of data in Redis.
    pub(crate) async fn memory(&self) -> f64 {
        self.info("used_memory_dataset").await
    }

    /// The process number of Redis.
    pub(crate) async fn pid(&self) -> u32 {
        self.info("process_id").await
    }

    /// What Redis tells of itself.
    async fn info<T: std::str::FromStr>(&self, name: &str) -> T {
        let info: String = self.server.ask(&["INFO"]).await;
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("Redis does not tell its {name}"))
    }
}

/// As a process opens its store.
pub(crate) fn options(server: &Server) -> StoreOptions {
    let connection = ConnectionOptions { url: server.url(), ..ConnectionOptions::default() };
    StoreOptions { connection, ..StoreOptions::default() }
}

pub(crate) fn noop(number: usize) -> Envelope {
    job("noop", number)
}

fn job(job_type: &str, number: usize) -> Envelope {
    let job = json!({"type": job_type, "args": [number]});
    Envelope::read(&job, Timestamp::from_ms(0)).expect("a job")
}

pub(crate) fn noops(count: usize) -> Vec<Envelope> {
    (0..count).map(noop).collect()
}

/// Batches of 100 jobs, each batch all or none, several on the way at once.
pub(crate) async fn enqueue_all(store: &Store, envelopes: &[Envelope]) {
    use futures::{StreamExt, TryStreamExt};
    let sent = futures::stream::iter(envelopes.chunks(100).map(|some| {
        let store = store.clone();
        let jobs: Vec<NewJob<'_>> = some.iter().map(|one| NewJob::new(store.id_for(one), one)).collect();
        async move { store.enqueue(&jobs).await.map(drop) }
    }));
    sent.buffer_unordered(8).try_collect::<Vec<_>>().await.expect("Redis takes the jobs");
}

/// Waits until a number that Redis keeps has come.
pub(crate) async fn until_number(ground: &Ground, command: &[&str], number: usize) {
    let start = Instant::now();
    while ground.number(command).await != i64::try_from(number).unwrap_or(i64::MAX) {
        assert!(start.elapsed() < Duration::from_secs(300), "waited in vain for {command:?} to answer {number}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// So many per second.
#[expect(clippy::cast_precision_loss, reason = "a count far below 2^53")]
pub(crate) fn per_second(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}
