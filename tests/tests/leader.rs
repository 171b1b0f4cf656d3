//! Leading through anything: hand-over, death, partition, freeze, and a Redis that forgets.

use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::id::{JobId, Partition};
use carillon_shared::job::JobState;
use carillon_shared::store::{LeaseState, Store};
use carillon_tests::election::{Running, assert_every_second_once};
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::proxy::Proxy;
use carillon_tests::redis::{Server, shared};
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{claim, enqueue, options, store};
use carillon_tests::wait::{until, until_some, within};
use serde_json::json;

/// Of a lock whose end no test lives to see.
const LONG_TTL: Duration = Duration::from_secs(240);
const EVERY_SECOND: &str = "* * * * * *";

async fn register(store: &Store) {
    let entry = json!({"name": "tick", "cron": EVERY_SECOND, "type": "echo", "overlap_policy": "allow"});
    Client::new(store.clone()).register(&entry).await.expect("a valid entry");
}

async fn rows(store: &Store) -> usize {
    store.ledger(&"tick".parse().expect("a name"), None, 1000).await.map_or(0, |rows| rows.len())
}

async fn until_rows(store: &Store, least: usize) {
    until(&format!("{least} rows"), async || rows(store).await >= least).await;
}

async fn state(store: &Store, id: JobId) -> JobState {
    store.job(id).await.expect("Redis is there").expect("kept").record.state
}

#[tokio::test]
async fn one_of_two_leads_and_fires_every_second_once() {
    let store = store().await;
    register(&store).await;
    let (a, b) = (Running::start_with(&store, "a", LONG_TTL), Running::start_with(&store, "b", LONG_TTL));
    until_rows(&store, 3).await;
    assert!(a.leads(&store).await != b.leads(&store).await);
    assert_every_second_once(&store, "tick").await;
    assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
    a.stop().await;
    b.stop().await;
    assert_eq!(store.leader().await.expect("Redis is there"), None);
}

/// How often a leader has looked at what comes next: nobody else asks for that on this server.
async fn looks(server: &Server) -> u64 {
    calls(server, "exec").await
}

/// How many calls of a command Redis has counted.
async fn calls(server: &Server, command: &str) -> u64 {
    let stats: String = server.ask(&["INFO", "commandstats"]).await;
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn an_idle_leader_only_looks_at_what_comes_next() {
    let server = Server::dedicated();
    let store = Store::open(options(&server.url())).await.expect("Redis is there");
    let leader = Running::start(&store, "a");
    leader.elected(&store).await;
    until("the first looks", async || looks(&server).await > 5).await;
    let (scripts, first) = (calls(&server, "fcall").await, looks(&server).await);
    until("many more looks", async || looks(&server).await >= first + 20).await;
    let (scripts, looks) = (calls(&server, "fcall").await - scripts, looks(&server).await - first);
    // The lock and the tick of the reclaiming go on; what waits for an instant asks for nothing until one comes.
    assert!(scripts < 2 * looks, "{scripts} scripts beside {looks} looks");
    leader.stop().await;
}

#[tokio::test]
async fn an_entry_is_noticed_by_a_look_before_its_duty_would_ask_by_itself() {
    let server = Server::dedicated();
    let store = Store::open(options(&server.url())).await.expect("Redis is there");
    let leader = Running::start(&store, "a");
    leader.elected(&store).await;
    until("the first look", async || looks(&server).await > 0).await;
    let before = looks(&server).await;
    register(&store).await;
    until_rows(&store, 1).await;
    // The second until it is due has five looks; without them the duty rests for as long as twenty-five last.
    let looks = looks(&server).await - before;
    assert!(looks <= 15, "{looks} looks before it fired");
    leader.stop().await;
}

#[tokio::test]
async fn a_leader_that_stops_hands_over_at_once() {
    let store = store().await;
    register(&store).await;
    let a = Running::start_with(&store, "a", LONG_TTL);
    a.elected(&store).await;
    let b = Running::start_with(&store, "b", LONG_TTL);
    until_rows(&store, 1).await;
    a.stop().await;
    let took_over = within(LONG_TTL / 4, async || b.leads(&store).await.then_some(())).await;
    assert!(took_over.is_some(), "a standby does not wait for the end of the lock");
    until_rows(&store, 3).await;
    assert_every_second_once(&store, "tick").await;
    b.stop().await;
}

#[tokio::test]
async fn a_leader_that_dies_is_followed_when_its_lock_ends() {
    let store = store().await;
    register(&store).await;
    let a = Running::start(&store, "a");
    a.elected(&store).await;
    until_rows(&store, 1).await;
    let b = Running::start(&store, "b");
    a.kill();
    b.elected(&store).await;
    until_rows(&store, 4).await;
    assert_every_second_once(&store, "tick").await;
    b.stop().await;
}

#[tokio::test]
async fn a_leader_that_was_cut_off_fires_nothing_when_it_is_back() {
    let near = store().await;
    let proxy = Proxy::before(shared()).await;
    let mut far_options = options(&proxy.url());
    far_options.namespace = near.keys().namespace().clone();
    far_options.connection.timeout = Duration::from_millis(200);
    far_options.connection.patience = Duration::from_millis(300);
    let far = Store::open(far_options).await.expect("the proxy leads to Redis");
    register(&near).await;
    // Long enough that the new leader keeps its lock, and the same for both: they judge each other's beats by their own.
    let ttl = Duration::from_secs(8);
    let a = Running::start_with(&far, "a", ttl);
    a.elected(&near).await;
    until_rows(&near, 1).await;
    proxy.blackhole();
    let b = Running::start_with(&near, "b", ttl);
    b.elected(&near).await;
    let before = rows(&near).await;
    proxy.heal().await;
    until_rows(&near, before + 3).await;
    assert!(b.leads(&near).await, "the old leader stands by");
    assert_every_second_once(&near, "tick").await;
    a.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn a_lock_that_outlives_its_dead_leader_is_taken_over() {
    let store = store().await;
    let a = Running::start(&store, "a");
    a.elected(&store).await;
    a.kill();
    // As after Redis's clock was set back: the lock of the dead would live for hours.
    let mut connection = shared().connection().await;
    let persist = redis::cmd("PERSIST").arg(store.keys().leader()).to_owned();
    assert_eq!(persist.query_async::<i64>(&mut connection).await.expect("Redis is there"), 1);
    let b = Running::start(&store, "b");
    // A beat that stands still for two ttls is a death.
    b.elected(&store).await;
    b.stop().await;
}

#[tokio::test]
async fn after_redis_was_emptied_its_leader_leads_again_at_once() {
    let server = Server::dedicated();
    let store = Store::open(options(&server.url())).await.expect("Redis is there");
    let a = Running::start_with(&store, "a", LONG_TTL);
    a.elected(&store).await;
    let mut connection = server.connection().await;
    redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.expect("Redis is there");
    register(&store).await;
    let fires = within(LONG_TTL / 6, async || (rows(&store).await > 0).then_some(())).await;
    assert!(a.leads(&store).await && fires.is_some());
    a.stop().await;
}

#[tokio::test]
async fn a_redis_that_is_killed_and_restarted_loses_and_doubles_nothing() {
    let mut server = Server::dedicated();
    let store = Store::open(options(&server.url())).await.expect("Redis is there");
    register(&store).await;
    let a = Running::start(&store, "a");
    for round in 1..=3 {
        until_rows(&store, round * 2).await;
        server.kill();
        server.restart();
    }
    until_rows(&store, 8).await;
    assert_every_second_once(&store, "tick").await;
    a.stop().await;
    assert_all_hold(store.keys(), &Snapshot::take(&server, store.keys()).await);
}

#[tokio::test]
async fn a_silent_worker_loses_its_jobs_and_the_third_time_they_are_dead() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": [], "retry": {"max_attempts": 10}})).await;
    let leader = Running::start(&store, "a");
    for crashes in 1..=3 {
        until_some("the job", async || {
            store.claim(&claim(1, Duration::from_millis(100))).await.expect("Redis is there").pop()
        })
        .await;
        until("the job to be taken back", async || {
            store.job(id).await.expect("Redis is there").expect("kept").record.crashes == crashes
        })
        .await;
    }
    let job = store.job(id).await.expect("Redis is there").expect("kept");
    assert_eq!((job.record.state, job.record.dead, job.errors.len()), (JobState::Discarded, true, 3));
    assert_eq!(job.to_json()["error"]["code"], "worker_lost");
    leader.stop().await;
    assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
}

#[tokio::test]
async fn after_a_freeze_of_redis_no_healthy_worker_is_robbed() {
    let server = Server::dedicated();
    let store = Store::open(options(&server.url())).await.expect("Redis is there");
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let leader = Running::start(&store, "a");
    leader.elected(&store).await;
    // Only who looked before knows that Redis was away.
    let reaper = store.keys().partition(Partition(0)).reaper();
    until("the leader to look for ended leases", async || server.ask(&["EXISTS", &reaper]).await).await;
    let lease = Duration::from_secs(3);
    let held = store.claim(&claim(1, lease)).await.expect("Redis is there").remove(0).held;
    let beat = async || {
        store.heartbeat(std::slice::from_ref(&held), lease).await.ok().and_then(|states| states.first().copied())
    };
    assert_eq!(beat().await, Some(LeaseState::Held));
    server.freeze();
    tokio::time::sleep(lease + Duration::from_secs(1)).await; // the fault itself: longer than lease and gap
    server.thaw();
    // The leader ticks again before the worker is heard.
    until("the leader to lead again", async || leader.leads(&store).await).await;
    until("the worker to be heard", async || beat().await.is_some()).await;
    assert_eq!((beat().await, state(&store, id).await), (Some(LeaseState::Held), JobState::Active));
    leader.stop().await;
}
