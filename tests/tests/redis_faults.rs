//! What Redis goes through, and what nobody may notice afterwards but by the clock.

use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::job::JobState;
use carillon_shared::store::{
    Acquired, AttemptEnd, Claimed, EndReply, Ending, LeaseState, NewJob, Sealed, Store, StoreError, StoreOptions,
};
use carillon_tests::election::{Running, assert_every_second_once};
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::load::{Load, assert_each_completed_once};
use carillon_tests::process::{Process, scheduler};
use carillon_tests::redis::Server;
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{LEASE, claim_one, enqueue, envelope, options};
use carillon_tests::wait::{until, until_some};
use serde_json::{Value, json};

async fn assert_nothing_lost_or_doubled(server: &Server, load: Load) {
    load.goes_on(30).await;
    load.rings(1).await;
    let (store, jobs) = load.end().await;
    assert_each_completed_once(&store, &jobs).await;
    assert_all_hold(store.keys(), &Snapshot::take(server, store.keys()).await);
}

#[tokio::test]
async fn a_redis_that_is_killed_and_restarted_has_lost_nothing() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let load = Load::start(options(&server.url())).await;
    for _ in 0..2 {
        load.goes_on(30).await;
        server.kill();
        server.restart();
    }
    assert_nothing_lost_or_doubled(&server, load).await;
}

#[tokio::test]
async fn a_call_waits_while_redis_loads_its_data() {
    // While it reads its file, Redis answers between any 1,024 commands only: about every fifth of a second.
    let mut server = Server::start(&["--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--key-load-delay", "100"]);
    let mut options = options(&server.url());
    options.connection.patience = Duration::from_secs(25);
    let store = Store::open(options).await.expect("Redis is there");
    let ballast = "for n = 1, 20000 do redis.call('SET', 'ballast-' .. n, 'x') end";
    let _: redis::Value = server.ask(&["EVAL", ballast, "0"]).await;
    server.kill();
    let port = server.port();
    let restarted = tokio::task::spawn_blocking(move || {
        server.restart();
        server
    });
    until("Redis to say that it loads", async || says_loading(port).await).await;
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let _server = restarted.await.expect("it comes up");
    assert!(store.job(id).await.expect("Redis is there").is_some());
}

async fn says_loading(port: u16) -> bool {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).expect("our own address is valid");
    let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(5)));
    // It says so to a greeting already, or else to the question.
    let answer = match client.get_multiplexed_async_connection_with_config(&patient).await {
        Ok(mut connection) => redis::cmd("GET").arg("ballast-1").query_async::<redis::Value>(&mut connection).await,
        Err(error) => Err(error),
    };
    answer.is_err_and(|error| error.code() == Some("LOADING"))
}

#[tokio::test]
async fn a_redis_that_is_a_replica_for_a_while_is_waited_for() {
    let server = Server::dedicated();
    let load = Load::start(options(&server.url())).await;
    load.goes_on(30).await;
    // A replica of nobody keeps its data, and refuses writes with READONLY.
    let () = server.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let enqueued = load.acknowledged().len();
    tokio::time::sleep(Duration::from_millis(500)).await; // long enough for calls to fail
    assert!(load.acknowledged().len() <= enqueued + 6, "only what was under way");
    let () = server.ask(&["REPLICAOF", "NO", "ONE"]).await;
    assert_nothing_lost_or_doubled(&server, load).await;
}

#[tokio::test]
async fn scripts_that_redis_forgets_again_and_again_are_sent_again() {
    let server = Server::dedicated();
    let load = Load::start(options(&server.url())).await;
    let before = load.acknowledged().len();
    while load.acknowledged().len() < before + 60 {
        let () = server.ask(&["FUNCTION", "FLUSH"]).await;
    }
    let stats: String = server.ask(&["INFO", "commandstats"]).await;
    let loaded = stats.lines().find_map(|line| line.strip_prefix("cmdstat_function|load:calls=")?.split(',').next());
    assert!(loaded.is_some_and(|calls| calls.parse().is_ok_and(|calls: u64| calls > 1)), "{stats}");
    assert_nothing_lost_or_doubled(&server, load).await;
}

#[tokio::test]
async fn calls_that_are_carried_out_after_their_timeout_count_once() {
    let server = Server::dedicated();
    let mut options = options(&server.url());
    options.connection.timeout = Duration::from_millis(200);
    let load = Load::start(options).await;
    for _ in 0..4 {
        load.goes_on(15).await;
        server.freeze();
        tokio::time::sleep(Duration::from_millis(400)).await; // longer than the timeout: what was sent is carried out late
        server.thaw();
    }
    assert_nothing_lost_or_doubled(&server, load).await;
}

/// A Redis without a byte to spare.
async fn fill(server: &Server) {
    let () = server.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
}

async fn free(server: &Server) {
    let () = server.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
}

#[tokio::test]
async fn when_memory_is_full_new_work_is_refused_and_old_work_goes_on() {
    let server = Server::dedicated();
    let options = options(&server.url());
    let store = Store::open(options.clone()).await.expect("Redis is there");
    let first = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let ttl = Duration::from_secs(600);
    let Acquired::Leads(token) = store.acquire_leadership("a", ttl, None).await.expect("Redis is there") else {
        panic!("nobody else is there")
    };
    let held = claim_one(&store).await;
    fill(&server).await;
    let before = Snapshot::take(&server, store.keys()).await;
    let one = envelope(&json!({"type": "echo", "args": []}), store.clock().now());
    let refused = store.enqueue(&[NewJob::new(store.id_for(&one), &one)]).await.expect_err("there is no room");
    assert!(matches!(refused, StoreError::OutOfMemory(_)), "{refused:?}");
    assert_eq!(Snapshot::take(&server, store.keys()).await, before, "nothing has changed");

    assert!(store.renew_leadership(&token, ttl).await.expect("Redis is there"));
    assert!(store.release_leadership(&token).await.expect("Redis is there"));
    // Somebody else starts, of another version whose functions Redis cannot take now, and takes over.
    let () = server.ask(&["FUNCTION", "FLUSH"]).await;
    let store = Store::open(options).await.expect("what is there needs no room");
    let Acquired::Leads(token) = store.acquire_leadership("b", ttl, None).await.expect("Redis is there") else {
        panic!("it was released")
    };
    store.settle().await.expect("so it is for a leader that settles what it will seal");
    for partition in store.partitions() {
        assert_eq!(store.seal(partition, &token).await.expect("Redis is there"), Sealed::Sealed);
    }
    let beaten = store.heartbeat(std::slice::from_ref(&held.held), LEASE).await.expect("Redis is there");
    assert_eq!(beaten, [LeaseState::Held]);
    complete(&store, &held).await;
    // What was taken in before is worked off.
    let next = claim_one(&store).await;
    complete(&store, &next).await;
    let refused = store.enqueue(&[NewJob::new(store.id_for(&one), &one)]).await.expect_err("there is no room");
    assert!(matches!(refused, StoreError::OutOfMemory(_)), "{refused:?}");
    free(&server).await;
    assert_eq!(store.job(first).await.expect("Redis is there").expect("kept").record.state, JobState::Completed);
    assert_all_hold(store.keys(), &Snapshot::take(&server, store.keys()).await);
}

async fn complete(store: &Store, held: &Claimed) {
    let end = AttemptEnd { held: held.held.clone(), ending: Ending::Completed { result: None } };
    let replies = store.end(&[end]).await.expect("Redis is there");
    assert_eq!(replies, [EndReply::Ended]);
}

#[tokio::test]
async fn instants_that_came_while_memory_was_full_are_caught_up_with() {
    let server = Server::dedicated();
    let store = Store::open(options(&server.url())).await.expect("Redis is there");
    let entry = json!({"name": "tick", "cron": "* * * * * *", "type": "echo", "overlap_policy": "allow"});
    Client::new(store.clone()).register(&entry).await.expect("a valid entry");
    let name = "tick".parse().expect("a name");
    let leader = Running::start(&store, "leader");
    let rows = async || store.ledger(&name, None, 1000).await.map_or(0, |rows| rows.len());
    until("a first row", async || rows().await > 0).await;
    fill(&server).await;
    let stuck = until_some("no more rows to come", async || {
        let before = rows().await;
        tokio::time::sleep(Duration::from_millis(1500)).await; // longer than the entry's interval
        (rows().await == before).then_some(before)
    })
    .await;
    free(&server).await;
    until("more rows", async || rows().await > stuck + 1).await;
    leader.stop().await;
    assert_every_second_once(&store, "tick").await;
}

#[tokio::test]
async fn the_api_says_that_memory_is_full_and_takes_the_job_when_it_is_not() {
    let server = Server::dedicated();
    let serve = Process::start(
        scheduler()
            .args(["serve", "--port", "0", "--grpc-port", "off", "--redis-url", &server.url()])
            .args(["--redis-timeout", "20s"]),
    );
    let line = serve.printed("http.address").await;
    let address =
        line.split("http.address=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an address");
    let url = format!("http://{}/ojs/v1/jobs", address.trim_matches('"'));
    let post = async || {
        let sent = reqwest::Client::new().post(&url).json(&json!({"type": "echo", "args": []})).send().await;
        let answer = sent.expect("the scheduler answers");
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    fill(&server).await;
    let (status, body) = post().await;
    assert_eq!(status, 503, "{body}");
    assert!(body.to_string().contains("out of memory"), "{body}");
    free(&server).await;
    assert_eq!(post().await.0, 201);
}

#[tokio::test]
async fn a_script_that_keeps_redis_busy_is_waited_for() {
    let server = Server::start(&["--busy-reply-threshold", "50"]);
    let mut options: StoreOptions = options(&server.url());
    options.connection.patience = Duration::from_secs(20);
    let store = Store::open(options).await.expect("Redis is there");
    let mut own = server.connection().await;
    own.set_response_timeout(Duration::from_secs(30));
    let endless = tokio::spawn(async move {
        redis::cmd("EVAL").arg("while true do end").arg(0).query_async::<redis::Value>(&mut own).await
    });
    until("Redis to say that it is busy", async || {
        let answer = redis::cmd("GET").arg("x").query_async::<redis::Value>(&mut server.connection().await).await;
        answer.is_err_and(|error| error.code() == Some("BUSY"))
    })
    .await;
    let job = json!({"type": "echo", "args": []});
    let (id, ()) = tokio::join!(enqueue(&store, &job), async {
        tokio::time::sleep(Duration::from_millis(200)).await; // so that the call finds it busy
        let () = server.ask(&["SCRIPT", "KILL"]).await;
    });
    assert!(store.job(id).await.expect("Redis is there").is_some());
    assert!(endless.await.expect("no panic").is_err());
}
