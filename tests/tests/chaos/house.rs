//! A deployment of real processes that can be broken.

use std::collections::BTreeMap;
use std::time::Duration;

use carillon_shared::store::{Kept, Store};
use carillon_tests::process::{Process, scheduler, worker};
use carillon_tests::proxy::Proxy;
use carillon_tests::redis::Server;
use carillon_tests::store::options;
use fastrand::Rng;

const SCHEDULERS: usize = 2;
const WORKERS: usize = 3;
/// Nothing may be forgotten that is judged afterwards.
const EVENTS_KEPT: u64 = 10_000_000;
const LEDGER_ROWS_KEPT: u64 = 100_000;

pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) proxy: Proxy,
    pub(crate) store: Store,
    pub(crate) schedulers: Vec<Process>,
    pub(crate) workers: Vec<Process>,
    pub(crate) random: Rng,
    lease: &'static str,
    pub(crate) done: BTreeMap<&'static str, u32>,
}

impl House {
    /// Builds one whose workers keep their leases for so long after they fell silent.
    pub(crate) async fn build(random: Rng, lease: &'static str) -> Self {
        // Written before it is answered, which `everysec` puts off while the disk is busy; a killed process loses no page.
        let server = Server::start(&["--appendonly", "yes", "--appendfsync", "no"]);
        let proxy = Proxy::before(&server).await;
        let mut options = options(&server.url());
        options.connection.patience = Duration::from_secs(60);
        options.kept = Some(Kept { events: EVENTS_KEPT, ledger_rows: LEDGER_ROWS_KEPT, ..Kept::default() });
        let store = Store::open(options).await.expect("Redis is there");
        let (schedulers, workers, done) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut house = Self { server, proxy, store, schedulers, workers, random, lease, done };
        house.schedulers = (0..SCHEDULERS).map(|n| house.start_scheduler(n)).collect();
        house.workers = (0..WORKERS).map(|n| house.start_worker(n)).collect();
        house
    }

    /// The first of each kind reaches Redis through the proxy.
    fn url(&self, n: usize) -> String {
        if n == 0 { self.proxy.url() } else { self.server.url() }
    }

    pub(crate) fn start_scheduler(&self, n: usize) -> Process {
        let mut command = scheduler();
        command.args(["serve", "--port", "0", "--leader-ttl", "3s", "--log", "warn", "--redis-url", &self.url(n)]);
        command.args(["--events-kept", &EVENTS_KEPT.to_string(), "--ledger-rows", &LEDGER_ROWS_KEPT.to_string()]);
        Process::start(command.args(["--namespace", self.store.keys().namespace().as_str()]))
    }

    pub(crate) fn start_worker(&self, n: usize) -> Process {
        let mut command = worker();
        command.args(["--lease", self.lease, "--concurrency", "8", "--log", "warn", "--metrics-addr", "off"]);
        command.args(["--redis-url", &self.url(n)]);
        Process::start(command.args(["--namespace", self.store.keys().namespace().as_str()]))
    }

    /// Ends all processes but Redis.
    pub(crate) fn stop(&mut self) {
        self.workers.clear();
        self.schedulers.clear();
    }

    pub(crate) fn totals(&self) -> String {
        let done: Vec<String> = self.done.iter().map(|(what, times)| format!("{what} {times}")).collect();
        format!("faults: {}, {} replies lost in all", done.join(", "), self.proxy.replies_lost())
    }
}
