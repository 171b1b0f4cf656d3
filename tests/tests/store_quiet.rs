//! Workers that are handed no jobs, because they were told to wind up or say that they do.

use std::collections::HashSet;

use carillon_shared::client::{Client, Fetch, WorkerSaid};
use carillon_shared::id::Partition;
use carillon_shared::name::{QueueName, WorkerId};
use carillon_shared::store::{Claim, Store, StoreOptions, WorkerOrder};
use carillon_tests::redis::{Server, shared};
use carillon_tests::store::{LEASE, a_millisecond, enqueue, options, store};
use carillon_tests::wait::{until, until_all_wait};
use serde_json::json;

fn worker(name: &str) -> WorkerId {
    name.parse().expect("a worker id")
}

/// A heartbeat of a worker that says this of its state, if anything.
async fn heartbeat(client: &Client, name: &str, state: Option<&str>) {
    let said = WorkerSaid { state: state.map(str::to_owned), ..WorkerSaid::default() };
    client.note_worker(&worker(name), said, &[]).await.expect("Redis is there");
}

async fn order(client: &Client, name: &str, order: Option<WorkerOrder>) {
    assert!(client.order(&worker(name), order).await.expect("Redis is there"), "{name} was heard of");
}

/// A worker by the name of w is told to be quiet.
async fn quieted(client: &Client) {
    heartbeat(client, "w", None).await;
    order(client, "w", Some(WorkerOrder::Quiet)).await;
}

fn fetch(name: Option<&str>, queue: &QueueName) -> Fetch {
    Fetch { queues: vec![queue.clone()], count: 1, worker: name.map(worker), visibility: None }
}

/// How many jobs it is handed when it asks for one.
async fn handed(client: &Client, name: &str) -> usize {
    client.fetch(fetch(Some(name), &QueueName::default())).await.expect("Redis is there").len()
}

async fn jobs(store: &Store, count: usize) {
    for n in 0..count {
        enqueue(store, &json!({"type": "echo", "args": [n]})).await;
    }
}

/// Until when it is noted that a worker is handed nothing (milliseconds).
async fn noted(store: &Store, name: &str) -> Option<String> {
    let key = store.keys().partition(Partition(0)).quiet();
    shared().ask(&["ZSCORE", &key, name]).await
}

#[tokio::test]
async fn those_who_wind_up_are_handed_nothing_and_those_who_ask_with_them_their_share() {
    let server = Server::dedicated();
    let client = Client::new(Store::open(options(&server.url())).await.expect("a Redis of our own"));
    let drains = Some("draining");
    for (name, state) in [("told", None), ("anonymous", drains), ("says", drains), ("works", Some("running"))] {
        heartbeat(&client, name, state).await;
    }
    order(&client, "told", Some(WorkerOrder::Quiet)).await;
    let anonymous = client.order(&worker("anonymous"), Some(WorkerOrder::Quiet)).await.expect("Redis is there");
    assert!(!anonymous, "those who do not say who they are cannot be told anything");
    jobs(client.store(), 10).await;
    server.freeze();
    // Who does not say who they are go by a name that somebody may bear.
    let expected =
        [(Some("told"), 0), (Some("says"), 0), (Some("works"), 1), (None, 1), (Some("unknown"), 1), (Some("told"), 0)];
    let callers = expected.map(|(name, count)| {
        let (client, fetch) = (client.clone(), fetch(name, &QueueName::default()));
        (name, count, tokio::spawn(async move { client.fetch(fetch).await }))
    });
    until_all_wait().await;
    server.thaw();
    for (name, count, caller) in callers {
        let handed = caller.await.expect("no panic").expect("Redis is there");
        assert_eq!(handed.len(), count, "{name:?}");
    }
}

#[tokio::test]
async fn an_order_holds_in_all_partitions_from_the_moment_it_is_given_until_it_is_taken_back() {
    let options = StoreOptions { partitions: 8, ..options(&shared().url()) };
    let client = Client::new(Store::open(options).await.expect("the test's Redis is there"));
    heartbeat(&client, "w", None).await;
    let queues: Vec<QueueName> = ["a", "b", "c", "d", "e", "f"].map(|name| name.parse().expect("a queue")).into();
    let partitions: HashSet<Partition> = queues.iter().map(|queue| client.store().keys().partition_of(queue)).collect();
    assert!(partitions.len() > 1, "one partition would show nothing: {partitions:?}");
    for queue in &queues {
        enqueue(client.store(), &json!({"type": "echo", "args": [], "queue": queue})).await;
    }
    for (told, count) in [(Some(WorkerOrder::Quiet), 0), (Some(WorkerOrder::Terminate), 0), (None, 1)] {
        order(&client, "w", told).await;
        for queue in &queues {
            let handed = client.fetch(fetch(Some("w"), queue)).await.expect("Redis is there");
            assert_eq!(handed.len(), count, "{queue}, {told:?}");
        }
    }
}

#[tokio::test]
async fn a_worker_that_went_on_after_it_said_that_it_drains_is_handed_jobs_at_once() {
    let client = Client::new(store().await);
    jobs(client.store(), 1).await;
    heartbeat(&client, "w", Some("draining")).await;
    assert_eq!(handed(&client, "w").await, 0);
    heartbeat(&client, "w", None).await;
    assert_eq!(handed(&client, "w").await, 0, "what it leaves out stays as it said before");
    heartbeat(&client, "w", Some("running")).await;
    assert_eq!(handed(&client, "w").await, 1);
}

#[tokio::test]
async fn what_a_request_was_given_before_the_order_it_is_given_again() {
    let client = Client::new(store().await);
    jobs(client.store(), 2).await;
    heartbeat(&client, "w", None).await;
    let request = || Claim::new(worker("w"), vec![QueueName::default()], 1, LEASE);
    let before = request();
    assert_eq!(client.store().claim(&before).await.expect("Redis is there").len(), 1);
    order(&client, "w", Some(WorkerOrder::Quiet)).await;
    assert_eq!(client.store().claim(&before).await.expect("Redis is there").len(), 1, "its answer may have been lost");
    assert_eq!(client.store().claim(&request()).await.expect("Redis is there").len(), 0);
}

#[tokio::test]
async fn a_note_of_an_order_that_is_no_more_holds_nobody_up() {
    let client = Client::new(store().await);
    let store = client.store();
    jobs(store, 2).await;
    // As if an order had been taken back with a Redis that failed half way.
    let note = async || store.note_quiet(&worker("w"), Some(WorkerOrder::Quiet)).await.expect("Redis is there");
    note().await;
    assert_eq!((handed(&client, "w").await, noted(store, "w").await), (1, None));
    // Others are handed their share at once, and the note goes meanwhile.
    note().await;
    let askers = vec![(worker("w"), 1), (worker("other"), 1)];
    let both = Claim::of(askers, vec![QueueName::default()], LEASE);
    let claimed = store.claim(&both).await.expect("Redis is there");
    assert_eq!(claimed.iter().map(|one| one.job.record.worker.as_deref()).collect::<Vec<_>>(), [Some("other")]);
    until("the note to go", async || noted(store, "w").await.is_none()).await;
}

#[tokio::test]
async fn who_is_quiet_is_passed_over_wherever_it_stands_among_those_who_ask() {
    let store = store().await;
    jobs(&store, 4).await;
    store.order(&worker("q"), Some(WorkerOrder::Quiet)).await.expect("Redis is there");
    let askers = [("q", 2), ("a", 1), ("q", 1), ("b", 2), ("q", 1)].map(|(name, count)| (worker(name), count));
    let claim = Claim::of(askers.into(), vec![QueueName::default()], LEASE);
    let claimed = store.claim(&claim).await.expect("Redis is there");
    let holders: Vec<_> = claimed.iter().filter_map(|one| one.job.record.worker.as_deref()).collect();
    assert_eq!(holders, ["a", "b", "b"]);
}

#[tokio::test]
async fn an_order_stands_although_the_one_before_it_is_taken_back_late() {
    let client = Client::new(store().await);
    let store = client.store();
    jobs(store, 1).await;
    quieted(&client).await;
    let before = store.quiet_notes(&worker("w")).await.expect("Redis is there");
    a_millisecond(store).await;
    order(&client, "w", Some(WorkerOrder::Terminate)).await;
    store.forget_quiet(&before).await;
    assert_eq!(handed(&client, "w").await, 0);
}

#[tokio::test]
async fn an_order_that_was_not_noted_is_noted_with_the_next_heartbeat() {
    let client = Client::new(store().await);
    let store = client.store();
    jobs(store, 1).await;
    quieted(&client).await;
    let notes = store.quiet_notes(&worker("w")).await.expect("Redis is there");
    store.forget_quiet(&notes).await;
    heartbeat(&client, "w", None).await;
    assert_eq!(handed(&client, "w").await, 0);
}

#[tokio::test]
async fn what_a_worker_says_shortens_no_note_of_an_order() {
    let client = Client::new(store().await);
    quieted(&client).await;
    let first = noted(client.store(), "w").await;
    client.store().note_quiet(&worker("w"), None).await.expect("Redis is there");
    assert_eq!(noted(client.store(), "w").await, first);
    // And all notes last as long as the longest.
    client.store().note_quiet(&worker("other"), None).await.expect("Redis is there");
    let key = client.store().keys().partition(Partition(0)).quiet();
    let left_ms: i64 = shared().ask(&["PTTL", &key]).await;
    assert!(left_ms > 24 * 3_600_000, "{left_ms}");
}

#[tokio::test]
async fn a_worker_that_only_asks_for_jobs_stays_quiet() {
    let client = Client::new(store().await);
    quieted(&client).await;
    let store = client.store();
    let first = noted(store, "w").await.expect("a note");
    a_millisecond(store).await;
    assert_eq!(handed(&client, "w").await, 0);
    assert_eq!(noted(store, "w").await, Some(first.clone()), "a young note is not written anew");
    // As if this were two hours later.
    let earlier = first.parse::<i64>().expect("milliseconds") - 2 * 3_600_000;
    let key = store.keys().partition(Partition(0)).quiet();
    let _changed: i64 = shared().ask(&["ZADD", &key, &earlier.to_string(), "w"]).await;
    assert_eq!(handed(&client, "w").await, 0);
    let later = noted(store, "w").await.expect("a note").parse::<i64>().expect("milliseconds");
    assert!(later > first.parse().expect("milliseconds"), "{first} {later}");
    // And a note whose time has passed is none.
    let _changed: i64 = shared().ask(&["ZADD", &key, "1", "w"]).await;
    jobs(store, 1).await;
    assert_eq!(handed(&client, "w").await, 1);
}

#[tokio::test]
async fn nothing_is_left_of_a_worker_that_is_struck_off() {
    let client = Client::new(store().await);
    quieted(&client).await;
    client.store().forget_worker(&worker("w")).await.expect("Redis is there");
    assert_eq!(noted(client.store(), "w").await, None);
}
