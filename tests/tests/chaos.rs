//! Everything at once: schedulers, workers and Redis are killed, frozen, cut off and restarted at random while jobs are
//! produced and a cron entry fires every second. Afterwards every job has ended exactly once, and every second has exactly one
//! row.
//!
//! `CHAOS_SECONDS` says for how long (20), `CHAOS_SEED` repeats a run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use carillon_shared::client::Client;
use carillon_shared::id::JobId;
use carillon_shared::job::JobState;
use carillon_shared::store::{EventCursor, Kept, NewJob, Store};
use carillon_tests::election::assert_every_second_once;
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::process::{Process, scheduler, worker};
use carillon_tests::proxy::Proxy;
use carillon_tests::redis::Server;
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{envelope, options};
use carillon_tests::wait::within;
use serde_json::json;
use tokio::time::sleep;

const SCHEDULERS: usize = 2;
const WORKERS: usize = 3;

/// A generator that is the same for the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap_or(0) % sides
    }
}

/// A deployment that can be broken.
struct House {
    server: Server,
    proxy: Proxy,
    store: Store,
    schedulers: Vec<Process>,
    workers: Vec<Process>,
    dice: Dice,
    done: BTreeMap<&'static str, u32>,
}

impl House {
    async fn build(seed: u64) -> Self {
        let server = Server::dedicated();
        let proxy = Proxy::before(&server).await;
        let mut options = options(&server.url());
        options.connection.patience = Duration::from_secs(15);
        options.kept = Some(Kept { events: 1_000_000, ledger_rows: 100_000 });
        let store = Store::open(options).await.expect("Redis is there");
        let mut house = Self {
            server,
            proxy,
            store,
            schedulers: Vec::new(),
            workers: Vec::new(),
            dice: Dice(seed | 1),
            done: BTreeMap::new(),
        };
        house.schedulers = (0..SCHEDULERS).map(|_| house.start_scheduler()).collect();
        house.workers = (0..WORKERS).map(|n| house.start_worker(n)).collect();
        house
    }

    fn start_scheduler(&self) -> Process {
        let mut command = scheduler();
        command.args(["serve", "--port", "0", "--leader-ttl", "3s", "--log", "warn", "--events-kept", "1000000"]);
        command.args(["--ledger-rows", "100000", "--redis-url", &self.server.url()]);
        Process::start(command.args(["--namespace", self.store.keys().namespace().as_str()]))
    }

    /// The first worker reaches Redis through the proxy, which loses replies.
    fn start_worker(&self, n: usize) -> Process {
        let url = if n == 0 { self.proxy.url() } else { self.server.url() };
        let mut command = worker();
        command.args([
            "--lease",
            "2s",
            "--concurrency",
            "8",
            "--log",
            "warn",
            "--metrics-addr",
            "off",
            "--redis-url",
            &url,
        ]);
        Process::start(command.args(["--namespace", self.store.keys().namespace().as_str()]))
    }

    /// Breaks something, and mends it.
    async fn strike(&mut self) {
        let what = match self.dice.roll(10) {
            0..=2 => {
                let n = self.dice.roll(WORKERS);
                self.workers[n].kill();
                self.workers[n] = self.start_worker(n);
                "worker killed"
            }
            3 => {
                let n = self.dice.roll(WORKERS);
                self.workers[n].freeze();
                sleep(Duration::from_millis(2500)).await; // longer than a lease
                self.workers[n].thaw();
                "worker frozen"
            }
            4 | 5 => {
                let n = self.dice.roll(SCHEDULERS);
                self.schedulers[n].kill();
                self.schedulers[n] = self.start_scheduler();
                "scheduler killed"
            }
            6 => {
                let n = self.dice.roll(SCHEDULERS);
                self.schedulers[n].freeze();
                sleep(Duration::from_secs(4)).await; // longer than the leader's lock
                self.schedulers[n].thaw();
                "scheduler frozen"
            }
            7 | 8 => {
                self.proxy.lose_one_reply().await;
                "reply lost"
            }
            _ => {
                self.server.kill();
                self.server.restart();
                "Redis killed"
            }
        };
        *self.done.entry(what).or_default() += 1;
    }

    async fn enqueue(&mut self, many: usize) -> Vec<JobId> {
        let now = self.store.clock().now();
        let job = |n: usize| json!({"type": "sleep", "args": [n % 150], "retry": {"max_attempts": 1000, "initial_interval": "PT0.1S"}});
        let jobs: Vec<_> = (0..many).map(|n| envelope(&job(n), now)).collect();
        let jobs: Vec<_> = jobs.iter().map(|job| NewJob::new(self.store.id_for(job), job)).collect();
        self.store.enqueue(&jobs).await.expect("Redis comes back within the patience of the store");
        jobs.iter().map(|job| job.id).collect()
    }

    async fn unfinished(&self, jobs: &[JobId]) -> usize {
        let mut unfinished = 0;
        for id in jobs {
            let job = self.store.job(*id).await.expect("Redis is there").expect("no job is lost");
            unfinished += usize::from(!job.record.state.is_terminal());
        }
        unfinished
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_doubled_whatever_is_killed() {
    let seed = number("CHAOS_SEED", u64::from(std::process::id()) * 7919 + 1);
    println!("CHAOS_SEED={seed}");
    let mut house = House::build(seed).await;
    let entry = json!({"name": "tick", "cron": "* * * * * *", "type": "echo", "overlap_policy": "allow"});
    Client::new(house.store.clone()).register(&entry).await.expect("a valid entry");

    let end = Instant::now() + Duration::from_secs(number("CHAOS_SECONDS", 20));
    let mut jobs = Vec::new();
    while Instant::now() < end {
        jobs.extend(house.enqueue(40).await);
        house.strike().await;
        sleep(Duration::from_millis(500)).await; // the pace of the faults
    }
    let left = jobs.clone();
    let finished = within(Duration::from_secs(90), async || (house.unfinished(&left).await == 0).then_some(())).await;
    assert!(finished.is_some(), "seed {seed}: {} of {} jobs have not ended", house.unfinished(&jobs).await, jobs.len());

    let rows = assert_every_second_once(&house.store, "tick").await;
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    let mut cursor = EventCursor::oldest(1);
    loop {
        let page = house.store.events(cursor, 1000).await.expect("Redis is there");
        for (_, event) in &page.events {
            if ["job.completed", "job.discarded", "job.cancelled"].contains(&event.kind.as_str()) {
                *ends.entry(event.subject.clone()).or_default() += 1;
            }
        }
        if page.events.is_empty() {
            break;
        }
        cursor = page.cursor;
    }
    let (mut completed, mut dead) = (0, 0);
    for id in &jobs {
        let job = house.store.job(*id).await.expect("Redis is there").expect("no job is lost");
        assert_eq!(ends.get(&id.to_string()), Some(&1), "seed {seed}: {id} ended so often");
        match job.record.state {
            JobState::Completed => completed += 1,
            // It has outlived three workers: that is how it ends then.
            JobState::Discarded if job.record.dead && job.record.crashes >= 3 => dead += 1,
            state => panic!("seed {seed}: {id} is {state}"),
        }
    }
    assert_eq!(completed + dead, jobs.len());
    println!(
        "{completed} jobs completed, {dead} dead after three workers, {rows} rows of every second; {:?}",
        house.done
    );
    house.workers.clear();
    house.schedulers.clear();
    assert_all_hold(house.store.keys(), &Snapshot::take(&house.server, house.store.keys()).await);
}
