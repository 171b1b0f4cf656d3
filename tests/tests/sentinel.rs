//! Redis under Sentinel: the master dies or steps down in the middle of jobs and fires.

use std::time::Duration;

use carillon_shared::id::Partition;
use carillon_shared::store::{Store, StoreOptions};
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::load::{Load, assert_each_completed_once};
use carillon_tests::redis::Server;
use carillon_tests::sentinel::{MASTER, SILENT_LONG, SILENT_SHORT, Trio};
use carillon_tests::snapshot::{Held, Snapshot};
use carillon_tests::store::{enqueue, options};
use carillon_tests::wait::until;
use serde_json::json;

/// Waits until the replica has everything that the master has acknowledged until now.
async fn replicated(trio: &Trio) {
    let offset = |info: String, field: &str| -> i64 {
        let line = info.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("-1").to_owned();
        line.trim().parse().expect("a number")
    };
    let [master, replica] = &trio.data;
    let acknowledged = offset(master.ask(&["INFO", "replication"]).await, "master_repl_offset:");
    until("the replica to have it all", async || {
        offset(replica.ask(&["INFO", "replication"]).await, "slave_repl_offset:") >= acknowledged
    })
    .await;
}

#[tokio::test]
async fn jobs_and_entries_go_on_after_the_master_died() {
    let mut trio = Trio::start(SILENT_SHORT).await;
    let load = Load::start(options(&trio.url())).await;
    load.goes_on(50).await;
    load.rings(1).await;
    let safe = load.acknowledged();
    replicated(&trio).await;
    trio.data[0].kill();
    trio.until_replaced().await;
    load.goes_on(50).await;
    load.rings(2).await;
    let fence = load.store().keys().partition(Partition(0)).fence();
    until("the fence of the new master to be the leader's", async || {
        let leader = load.store().leader().await.ok().flatten().map(|token| Held::Text(token.to_string()));
        leader.is_some() && Snapshot::take(&trio.data[1], load.store().keys()).await.0.get(&fence) == leader.as_ref()
    })
    .await;
    let (store, jobs) = load.end_with(&safe).await;
    assert!(jobs.len() > safe.len());
    assert!(store.jobs(&safe).await.expect("the new master is there").iter().all(Option::is_some));
    assert_all_hold(store.keys(), &Snapshot::take(&trio.data[1], store.keys()).await);
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_the_master_steps_down_in_order() {
    let trio = Trio::start(SILENT_LONG).await;
    let mut options = options(&trio.url());
    // Who waits on the master that steps down asks who the new one is after this.
    options.connection.timeout = Duration::from_secs(2);
    let load = Load::start(options).await;
    load.goes_on(50).await;
    // From before the replica has all until it is in office the master takes nothing more: then it steps down without loss.
    let () = trio.data[0].ask(&["CLIENT", "PAUSE", "600000", "WRITE"]).await;
    replicated(&trio).await;
    let () = trio.sentinels[0].ask(&["SENTINEL", "FAILOVER", MASTER]).await;
    trio.until_replaced().await;
    load.goes_on(50).await;
    load.rings(1).await;
    let (store, jobs) = load.end().await;
    assert_each_completed_once(&store, &jobs).await;
    assert_all_hold(store.keys(), &Snapshot::take(&trio.data[1], store.keys()).await);
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_told() {
    let sentinel = Server::configured("", &["--sentinel"]);
    let mut options = options(&format!("redis+sentinel://127.0.0.1:{}/elsewhere", sentinel.port()));
    options.connection.patience = Duration::from_millis(100);
    let error = Store::open(options).await.expect_err("nobody is called that");
    assert!(error.is_transient());
    assert!(format!("{error:?}").contains("no sentinel knows a master of this name"), "{error:?}");
}

#[tokio::test]
async fn sentinels_and_data_may_ask_for_different_passwords() {
    let data = Server::dedicated();
    let config = format!("sentinel monitor {MASTER} 127.0.0.1 {} 1\n", data.port());
    let sentinel = Server::configured(&config, &["--sentinel"]);
    let () = data.ask(&["ACL", "SETUSER", "ann", "on", ">data", "allkeys", "allchannels", "allcommands"]).await;
    let () = sentinel.ask(&["ACL", "SETUSER", "default", "resetpass", ">scout"]).await;
    let url =
        |login: &str, query: &str| format!("redis+sentinel://{login}127.0.0.1:{}/{MASTER}{query}", sentinel.port());
    let with = |url: String| {
        let mut options = StoreOptions { ..options(&url) };
        options.connection.patience = Duration::from_millis(100);
        Store::open(options)
    };
    let store = with(url("ann:data@", "?sentinel_password=scout")).await.expect("both are right");
    enqueue(&store, &json!({"type": "echo", "args": []})).await;
    assert!(with(url("ann:data@", "?sentinel_password=wrong")).await.is_err());
    assert!(with(url("ann:wrong@", "?sentinel_password=scout")).await.is_err());
}

#[tokio::test]
async fn a_server_that_says_it_is_a_replica_is_not_taken_for_the_master() {
    let data = Server::dedicated();
    let config = format!("sentinel monitor {MASTER} 127.0.0.1 {} 2\n", data.port());
    let sentinel = Server::configured(&config, &["--sentinel"]);
    let mut options = options(&format!("redis+sentinel://127.0.0.1:{}/{MASTER}", sentinel.port()));
    options.connection.patience = Duration::from_millis(100);
    // One sentinel of two it would need replaces nobody, and goes on to name a server that has become a replica.
    let () = data.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let error = Store::open(options.clone()).await.expect_err("there is no master");
    assert!(format!("{error:?}").contains("is not a master"), "{error:?}");
    let () = data.ask(&["REPLICAOF", "NO", "ONE"]).await;
    Store::open(options).await.expect("it is the master again");
}
