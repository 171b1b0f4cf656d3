//! Redis Cluster: partitions over three masters, slots that move, masters that die.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use carillon_shared::id::JobId;
use carillon_shared::name::QueueName;
use carillon_shared::store::{Claim, ConnectionOptions, EventCursor, Store, StoreError, StoreOptions, WorkerOrder};
use carillon_tests::cluster::Cluster;
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::load::{Load, assert_each_completed_once};
use carillon_tests::process::{Process, scheduler, worker};
use carillon_tests::redis::namespace;
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{LEASE, claim, enqueue, options};
use carillon_tests::wait::{until, until_some};
use serde_json::json;
use tokio::sync::OnceCell;

const PARTITIONS: u16 = 16;

/// The cluster that tests share which leave it as it is. Never dropped: watchdogs end it with the test process.
async fn shared() -> &'static Cluster {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    CLUSTER.get_or_init(Cluster::start).await
}

fn on(cluster: &Cluster) -> StoreOptions {
    StoreOptions { partitions: PARTITIONS, ..options(&cluster.url()) }
}

async fn open(cluster: &Cluster) -> Store {
    Store::open(on(cluster)).await.expect("the cluster is there")
}

async fn assert_whole(cluster: &Cluster, store: &Store) {
    assert_all_hold(store.keys(), &Snapshot::of(&cluster.masters, store.keys()).await);
}

#[tokio::test]
async fn jobs_of_many_queues_flow_and_entries_ring_on_three_masters() {
    let cluster = shared().await;
    let load = Load::start(on(cluster)).await;
    load.goes_on(100).await;
    load.rings(2).await;
    let (store, jobs) = load.end().await;
    assert_each_completed_once(&store, &jobs).await;
    assert_whole(cluster, &store).await;
    for master in &cluster.masters {
        let snapshot = Snapshot::take(master, store.keys()).await;
        assert!(snapshot.0.keys().any(|key| key.contains(":{p")), "every master has partitions");
    }
}

#[tokio::test]
async fn programs_run_on_a_cluster_with_sixteen_partitions_unless_told_otherwise() {
    let cluster = shared().await;
    let (namespace, url) = (namespace(), cluster.url());
    let common = ["--redis-url", &url, "--namespace", namespace.as_str()];
    let serve = Process::start(scheduler().args(["serve", "--port", "0", "--grpc-port", "off"]).args(common));
    serve.printed("16 partitions over 3 masters").await;
    serve.printed("leading").await;
    let running = Process::start(worker().args(["--metrics-addr", "off"]).args(common));
    running.printed("the worker is ready").await;
    let store = Store::open(StoreOptions { namespace, ..on(cluster) }).await.expect("as the programs opened it");
    let mut inbox = redis::cmd("RPUSH");
    inbox.arg(store.keys().inbox()).arg(r#"{"type":"echo","args":["from the inbox"]}"#);
    // A producer of any language follows redirections; this one asks everybody.
    for master in &cluster.masters {
        let _moved = inbox.query_async::<i64>(&mut master.connection().await).await;
    }
    until("the job from the inbox to complete", async || {
        let page = store.events(EventCursor::oldest(PARTITIONS), 1000).await.expect("the cluster is there");
        page.events.iter().any(|(_, event)| event.kind == "job.completed")
    })
    .await;
}

#[tokio::test]
async fn a_bell_wakes_whoever_waits_on_the_master_of_its_queue() {
    let store = open(shared().await).await;
    for queue in ["one", "two", "three", "four"] {
        let queues = [queue.parse().expect("a queue name")];
        let mut bell = store.bells(&queues, Duration::from_secs(20)).await.expect("the cluster is there").remove(0);
        let job = json!({"type": "echo", "args": [], "options": {"queue": queue}});
        let (rung, _) = tokio::join!(bell.wait(), enqueue(&store, &job));
        assert!(rung.expect("the cluster is there"), "{queue}");
    }
    let mut bell = store.inbox_bell(Duration::from_millis(50)).await.expect("the cluster is there");
    assert!(!bell.wait().await.expect("the cluster is there"));
}

#[tokio::test]
async fn events_of_a_partition_are_heard_on_its_shard_channel_and_on_the_feed() {
    let cluster = shared().await;
    let store = open(cluster).await;
    let queue = "reports".parse().expect("a queue name");
    let keys = store.keys().partition(store.keys().partition_of(&queue));
    let slot: u16 = cluster.masters[0].ask(&["CLUSTER", "KEYSLOT", &keys.events_channel()]).await;
    let (client, heard) = listener(&cluster.masters[cluster.master_of(slot).await].url()).await;
    let mut subscribe = redis::cmd("SSUBSCRIBE");
    subscribe.arg(keys.events_channel()).exec_async(&mut client.clone()).await.expect("a channel of this node");
    let mut feed = store.event_feed(EventCursor::oldest(PARTITIONS), Duration::from_secs(20)).await.expect("a feed");
    let id = enqueue(&store, &json!({"type": "echo", "args": [], "options": {"queue": "reports"}})).await;
    let events = feed.next().await.expect("the cluster is there");
    assert_eq!((events[0].1.kind.as_str(), events[0].1.subject.as_str()), ("job.enqueued", id.to_string().as_str()));
    let told = until_some("the event on the channel", async || match heard.lock().await.try_recv() {
        Ok(push) if push.kind == redis::PushKind::SMessage => Some(format!("{:?}", push.data)),
        _ => None,
    })
    .await;
    assert!(told.contains("job.enqueued") && told.contains(&id.to_string()), "{told}");
}

type Pushes = tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<redis::PushInfo>>;

/// A connection that hears what is pushed to it.
async fn listener(url: &str) -> (redis::aio::MultiplexedConnection, Pushes) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let config = redis::AsyncConnectionConfig::new().set_push_sender(sender);
    let client = redis::Client::open(format!("{url}?protocol=resp3")).expect("our own address is valid");
    let connection = client.get_multiplexed_async_connection_with_config(&config).await.expect("the server answers");
    (connection, receiver.into())
}

#[tokio::test]
async fn the_worker_of_a_cancelled_job_is_nudged_wherever_it_listens() {
    let store = open(shared().await).await;
    let held = claimed(&store).await;
    let mut nudges = store.nudges(&"test-worker".parse().expect("a worker id")).await.expect("the cluster is there");
    store.cancel(held, "test", "").await.expect("it is active");
    assert_eq!(nudges.next().await, Some(()));
}

async fn claimed(store: &Store) -> JobId {
    let id = enqueue(store, &json!({"type": "echo", "args": []})).await;
    assert_eq!(store.claim(&claim(1, Duration::from_secs(30))).await.expect("the cluster is there").len(), 1);
    id
}

#[tokio::test]
async fn a_worker_that_is_told_to_be_quiet_is_handed_nothing_by_any_master() {
    let store = open(shared().await).await;
    let worker = claim(1, LEASE).askers[0].0.clone();
    let queues: Vec<QueueName> = (0..8).map(|n| format!("q{n}").parse().expect("a queue")).collect();
    for queue in &queues {
        enqueue(&store, &json!({"type": "echo", "args": [], "queue": queue})).await;
    }
    let handed = async || {
        let claim = Claim::new(worker.clone(), queues.clone(), 100, LEASE);
        store.claim(&claim).await.expect("the cluster is there").len()
    };
    store.order(&worker, Some(WorkerOrder::Quiet)).await.expect("the cluster is there");
    assert_eq!(handed().await, 0);
    store.order(&worker, None).await.expect("the cluster is there");
    assert_eq!(handed().await, 8);
}

#[tokio::test]
async fn a_reset_reaches_every_master() {
    let cluster = shared().await;
    let store = open(cluster).await;
    for queue in ["one", "two", "three", "four", "five"] {
        enqueue(&store, &json!({"type": "echo", "args": [], "options": {"queue": queue}})).await;
    }
    store.reset().await.expect("the cluster is there");
    let left: Vec<_> = Snapshot::of(&cluster.masters, store.keys()).await.0.into_keys().collect();
    assert_eq!(left, [store.keys().meta()]);
}

#[tokio::test]
async fn an_address_of_one_node_is_refused_with_the_address_that_is_meant() {
    let cluster = shared().await;
    let mut own = on(cluster);
    own.connection = ConnectionOptions { url: cluster.masters[0].url(), ..own.connection };
    let mut refused = None;
    // What this node has it answers: the first key of another node tells.
    for master in &cluster.masters {
        own.connection.url = master.url();
        refused = refused.or(Store::open(own.clone()).await.err());
    }
    let error = refused.expect("two of three nodes do not have the first key");
    assert!(matches!(error, StoreError::NodeOfCluster(_)), "{error:?}");
    assert!(error.to_string().contains("redis+cluster://"), "{error}");
}

#[tokio::test]
async fn no_script_runs_while_its_slot_is_moved() {
    let cluster = Cluster::start().await;
    let mut options = on(&cluster);
    let store = Store::open(options.clone()).await.expect("the cluster is there");
    // Only while the slot is moved nobody waits until that is over.
    options.connection.patience = Duration::from_millis(200);
    let impatient = Store::open(options).await.expect("the cluster is there");
    let id = claimed(&store).await;
    let keys = store.keys().partition(store.keys().partition_of(&carillon_shared::name::QueueName::default()));
    let slot: u16 = cluster.masters[0].ask(&["CLUSTER", "KEYSLOT", &keys.events()]).await;
    let from = cluster.master_of(slot).await;
    let to = (from + 1) % 3;
    cluster
        .move_slot(slot, to, async || {
            // What is on the other side cannot be read yet, and was not touched unless it became more or less.
            let there =
                async || cluster.masters[to].ask::<usize>(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]).await;
            let before = (Snapshot::take(&cluster.masters[from], store.keys()).await, there().await);
            assert!(before.1 > 0);
            let refused = impatient.cancel(id, "test", "").await.expect_err("half of the keys are elsewhere");
            assert!(refused.is_transient(), "{refused:?}");
            let after = (Snapshot::take(&cluster.masters[from], store.keys()).await, there().await);
            assert_eq!(after, before, "nothing has changed");
        })
        .await;
    store.cancel(id, "test", "").await.expect("the slot has arrived");
    assert_whole(&cluster, &store).await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_while_slots_move_under_load() {
    let cluster = Cluster::start().await;
    let load = Load::start(on(&cluster)).await;
    load.goes_on(50).await;
    let seen = AtomicUsize::new(0);
    for partition in load.store().keys().all().collect::<Vec<_>>() {
        let slot: u16 = cluster.masters[0].ask(&["CLUSTER", "KEYSLOT", &partition.events()]).await;
        let to = (cluster.master_of(slot).await + 1) % 3;
        cluster.move_slot(slot, to, async || _ = seen.fetch_add(1, Ordering::Relaxed)).await;
    }
    for key in [load.store().keys().leader(), load.store().keys().meta(), load.store().keys().workers()] {
        let slot: u16 = cluster.masters[0].ask(&["CLUSTER", "KEYSLOT", &key]).await;
        cluster.move_slot(slot, (cluster.master_of(slot).await + 1) % 3, async || ()).await;
    }
    load.goes_on(50).await;
    load.rings(1).await;
    let (store, jobs) = load.end().await;
    assert_eq!(seen.into_inner(), usize::from(PARTITIONS));
    assert_each_completed_once(&store, &jobs).await;
    assert_whole(&cluster, &store).await;
}

#[tokio::test]
async fn what_replicas_had_survives_the_death_of_a_master_and_nothing_is_doubled() {
    let mut cluster = Cluster::with_replicas().await;
    let load = Load::start(on(&cluster)).await;
    load.goes_on(50).await;
    load.rings(1).await;
    // The leader's own master: the election has to ride it out too.
    let slot: u16 = cluster.masters[0].ask(&["CLUSTER", "KEYSLOT", &load.store().keys().leader()]).await;
    let dead = cluster.master_of(slot).await;
    let safe = load.acknowledged();
    replicated(&cluster, dead).await;
    cluster.masters[dead].kill();
    let heir = cluster.replicas.swap_remove(dead);
    drop(std::mem::replace(&mut cluster.masters[dead], heir));
    until("the replica to take over", async || {
        cluster.masters[dead].ask::<String>(&["INFO", "replication"]).await.contains("role:master")
    })
    .await;
    load.goes_on(50).await;
    load.rings(2).await;
    let (store, jobs) = load.end_with(&safe).await;
    let kept = store.jobs(&safe).await.expect("the cluster is there");
    assert!(kept.iter().all(Option::is_some), "what the replica had is there");
    assert!(jobs.len() > safe.len());
    assert_whole(&cluster, &store).await;
}

/// Waits until the replica of a master has everything that the master has acknowledged until now.
async fn replicated(cluster: &Cluster, master: usize) {
    let node = &cluster.masters[master];
    let offset: i64 = offset(&node.ask::<String>(&["INFO", "replication"]).await, "master_repl_offset:");
    until("the replica to have it all", async || {
        offset
            <= self::offset(
                &cluster.replicas[master].ask::<String>(&["INFO", "replication"]).await,
                "slave_repl_offset:",
            )
    })
    .await;
}

fn offset(info: &str, field: &str) -> i64 {
    let line = info.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("-1");
    line.trim().parse().expect("a number")
}
