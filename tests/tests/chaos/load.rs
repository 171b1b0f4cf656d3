//! What is asked of the house meanwhile: jobs of every kind, by every way in, and cron entries of every overlap policy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::id::{JobId, Partition};
use carillon_shared::job::JobState;
use carillon_shared::store::{EnqueueReply, LedgerDecision, LedgerRow, NewJob, Store};
use carillon_tests::invariants::History;
use carillon_tests::store::envelope;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::house::House;

/// The rows of each entry, by its name: that of its policy.
pub(crate) type Rows = BTreeMap<&'static str, Vec<LedgerRow>>;

/// Each with how long its runs take, in milliseconds: long enough to overlap, but for those that stand in line.
const ENTRIES: [(&str, u64); 4] = [("allow", 20), ("skip", 1500), ("enqueue", 600), ("cancel-previous", 1500)];
const ROWS_MAX: usize = 100_000;

pub(crate) struct Load {
    store: Store,
    url: String,
    random: Rng,
    /// What was acknowledged, by kind.
    taken: BTreeMap<&'static str, Vec<JobId>>,
    dead: Vec<JobId>,
    flows: usize,
}

impl Load {
    pub(crate) fn new(house: &House, random: Rng) -> Self {
        let (store, url) = (house.store.clone(), house.server.url());
        Self { store, url, random, taken: BTreeMap::new(), dead: Vec::new(), flows: 0 }
    }

    pub(crate) async fn register_entries(&self) {
        for (name, ms) in ENTRIES {
            let policy = name.replace('-', "_");
            let entry = json!({"name": name, "cron": "* * * * * *", "type": "sleep", "args": [ms], "overlap_policy": policy,
                "options": {"retry": patient_retry()}});
            Client::new(self.store.clone()).register(&entry).await.expect("a valid entry");
        }
    }

    /// From here on no instant is due; the ledgers say what was decided until now.
    pub(crate) async fn remove_entries(&self) -> Rows {
        let mut rows = Rows::new();
        for (entry, _) in ENTRIES {
            let name = entry.parse().expect("a name");
            self.store.remove_entry(&name).await.expect("Redis comes back");
            rows.insert(entry, self.store.ledger(&name, None, ROWS_MAX).await.expect("Redis comes back"));
        }
        rows
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) -> Self {
        while !stop.is_cancelled() {
            match self.random.u32(0..10) {
                0..=3 => self.plain().await,
                4 => self.failing().await,
                5 => self.pushed().await,
                6 => self.workflow().await,
                7 => self.unique().await,
                8 => self.expiring().await,
                _ => self.deadly().await,
            }
            sleep(Duration::from_millis(20)).await; // the pace of the load
        }
        self
    }

    async fn plain(&mut self) {
        let jobs = (0..8).map(|n| job("sleep", json!([n * 20]))).collect();
        self.enqueue("plain", jobs).await;
    }

    async fn failing(&mut self) {
        let jobs = (0..3).map(|times| job("fail", json!([{ "times": times }]))).collect();
        self.enqueue("failing", jobs).await;
    }

    /// Through the inbox. A producer that was not answered pushes again, under the same id.
    async fn pushed(&mut self) {
        let id = JobId::random(self.store.clock().now(), Partition(0));
        let mut job = job("echo", json!(["pushed"]));
        job["id"] = json!(id);
        while self.push(&job).await.is_err() {
            sleep(Duration::from_millis(100)).await; // Redis is away
        }
        self.taken.entry("pushed").or_default().push(id);
    }

    async fn push(&self, job: &Value) -> redis::RedisResult<()> {
        let client = redis::Client::open(self.url.as_str())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("RPUSH").arg(self.store.keys().inbox()).arg(job.to_string()).exec_async(&mut connection).await
    }

    async fn workflow(&mut self) {
        let step = || job("sleep", json!([10]));
        let request = if self.random.bool() {
            json!({"type": "chain", "steps": [step(), step(), step()]})
        } else {
            let callbacks = json!({"on_complete": step(), "on_success": step(), "on_failure": step()});
            json!({"type": "batch", "jobs": [step(), step()], "callbacks": callbacks})
        };
        let flow = Client::new(self.store.clone()).begin_flow(&request).await.expect("Redis comes back");
        self.flows += 1;
        self.taken
            .entry("step")
            .or_default()
            .extend(flow.steps.iter().filter_map(carillon_shared::store::FlowStep::job_id));
    }

    async fn unique(&mut self) {
        let on_conflict = if self.random.bool() { "ignore" } else { "replace" };
        let mut job = job("sleep", json!([self.random.u32(0..3)]));
        job["unique"] = json!({"keys": ["type", "args"], "on_conflict": on_conflict});
        job["type"] = json!("echo");
        self.enqueue("unique", vec![job]).await;
    }

    /// To a queue at which nobody works.
    async fn expiring(&mut self) {
        let mut job = job("echo", json!([]));
        let at = self.store.clock().now() + Duration::from_secs(1);
        job["options"]["queue"] = json!("nowhere");
        job["options"]["expires_at"] = json!(at.to_string());
        self.enqueue("expiring", vec![job]).await;
    }

    /// A job that ends among the dead letters; one that did before is revived, to end there again.
    async fn deadly(&mut self) {
        let mut job = job("fail", json!([]));
        job["options"]["retry"] = json!({"max_attempts": 1, "on_exhaustion": "dead_letter"});
        let made = self.enqueue("deadly", vec![job]).await;
        self.dead.extend(made);
        if self.dead.len() > 3 {
            let id = self.dead.remove(0);
            self.store.revive(id).await.expect("Redis comes back");
        }
    }

    async fn enqueue(&mut self, kind: &'static str, jobs: Vec<Value>) -> Vec<JobId> {
        let now = self.store.clock().now();
        let jobs: Vec<_> = jobs.iter().map(|job| envelope(job, now)).collect();
        let jobs: Vec<_> = jobs.iter().map(|job| NewJob::new(self.store.id_for(job), job)).collect();
        let reply = self.store.enqueue(&jobs).await.expect("Redis comes back");
        let EnqueueReply::Enqueued(taken) = reply else { panic!("{kind} jobs are refused: {reply:?}") };
        let made: Vec<JobId> = taken.iter().filter(|taken| taken.state.is_some()).map(|taken| taken.id).collect();
        self.taken.entry(kind).or_default().extend(&made);
        made
    }

    /// Everything that must end: what was acknowledged, and what the entries fired.
    pub(crate) fn jobs(&self, rows: &Rows) -> BTreeSet<String> {
        let fired = rows.values().flatten().filter_map(|row| match row.decision {
            LedgerDecision::Fired(id) => Some(id),
            LedgerDecision::Skipped { .. } => None,
        });
        self.taken.values().flatten().copied().chain(fired).map(|id| id.to_string()).collect()
    }

    /// Jobs that have ended as their kind may not.
    pub(crate) async fn wrong_ends(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (kind, ids) in &self.taken {
            let jobs = self.store.jobs(ids).await.expect("Redis is there");
            for (id, job) in ids.iter().zip(jobs) {
                let Some(job) = job else {
                    found.push(format!("{kind} job {id} is lost"));
                    continue;
                };
                let record = &job.record;
                // It has outlived three workers: any job may end so.
                let is_poison = record.dead && record.crashes >= 3;
                let fits = match *kind {
                    "plain" | "failing" | "pushed" => record.state == JobState::Completed,
                    "unique" => [JobState::Completed, JobState::Cancelled].contains(&record.state),
                    "expiring" => record.state == JobState::Discarded && record.expired_at.is_some(),
                    "deadly" => record.dead,
                    _ => record.state.is_terminal(),
                };
                if !fits && !is_poison {
                    found.push(format!("{kind} job {id} is {}: {record:?}", record.state));
                }
            }
        }
        found
    }

    pub(crate) fn totals(&self, rows: &Rows, history: &History) -> String {
        let taken: Vec<String> = self.taken.iter().map(|(kind, ids)| format!("{} {kind}", ids.len())).collect();
        let rows: Vec<String> = rows.iter().map(|(name, rows)| format!("{} {name}", rows.len())).collect();
        format!(
            "jobs: {}; {} workflows; rows: {}\n{} attempts, {} of them repeats; {} completed, {} cancelled, {} discarded, \
             {} expired, {} revived, {} rejected by the inbox",
            taken.join(", "),
            self.flows,
            rows.join(", "),
            history.count("job.started"),
            history.repeats(),
            history.count("job.completed"),
            history.count("job.cancelled"),
            history.count("job.discarded"),
            history.count("job.expired"),
            history.count("dead_letter.retried"),
            history.count("inbox.rejected"),
        )
    }
}

/// Whatever is killed, the job is tried again.
fn patient_retry() -> Value {
    json!({"max_attempts": 1000, "initial_interval": "PT0.1S", "max_interval": "PT1S"})
}

fn job(kind: &str, args: Value) -> Value {
    json!({"type": kind, "args": args, "options": {"retry": patient_retry()}})
}
