//! How jobs are handed out: in which order, to which of those who ask, and to each once.

use std::collections::HashSet;

use carillon_shared::client::{Client, Fetch};
use carillon_shared::id::Partition;
use carillon_shared::job::JobState;
use carillon_shared::name::QueueName;
use carillon_shared::store::{AttemptEnd, Claim, Claimed, EndReply, Ending, EventCursor, NewJob, Store, StoreOptions};
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::redis::{Server, shared};
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{LEASE, claim, enqueue, envelope, options, store};
use carillon_tests::wait::{until_all_wait, until_some};
use serde_json::{Value, json};

/// A claim for workers of these names, each for so many.
fn claim_of(askers: &[(&str, usize)], queues: &[&str]) -> Claim {
    let askers = askers.iter().map(|(worker, wanted)| (worker.parse().expect("a worker id"), *wanted)).collect();
    Claim::of(askers, queues.iter().map(|queue| queue.parse().expect("a queue")).collect(), LEASE)
}

/// Whose each job is, by its record, and what it says.
fn whose(claimed: &[Claimed]) -> Vec<(String, i64)> {
    let number = |one: &Claimed| one.job.envelope["args"][0].as_i64().expect("a number");
    claimed.iter().map(|one| (one.job.record.worker.clone().expect("a holder"), number(one))).collect()
}

#[tokio::test]
async fn the_same_claim_sent_twice_is_given_the_same_jobs() {
    let store = store().await;
    for n in 0..3 {
        enqueue(&store, &json!({"type": "echo", "args": [n]})).await;
    }
    let request = claim(2, LEASE);
    let first = store.claim(&request).await.expect("Redis is there");
    let again = store.claim(&request).await.expect("Redis is there");
    let held = |claimed: &[Claimed]| claimed.iter().map(|one| one.held.clone()).collect::<Vec<_>>();
    assert_eq!((held(&first).len(), held(&first)), (2, held(&again)));
}

#[tokio::test]
async fn one_claim_serves_several_workers_in_the_order_in_which_they_came() {
    let store = store().await;
    for n in 0..4 {
        enqueue(&store, &json!({"type": "echo", "args": [n]})).await;
    }
    let request = claim_of(&[("b", 2), ("a", 1), ("c", 3)], &["default"]);
    let first = store.claim(&request).await.expect("Redis is there");
    let expected = [("b", 0), ("b", 1), ("a", 2), ("c", 3)].map(|(worker, n)| (worker.to_owned(), n));
    assert_eq!(whose(&first), expected);
    let told = store.events(EventCursor::oldest(1), 100).await.expect("Redis is there").events;
    let started = told.iter().filter(|(_, event)| event.kind == "job.started");
    let data = started.map(|(_, event)| serde_json::from_str::<Value>(&event.data).expect("JSON"));
    let holders: Vec<_> = data.map(|data| data["worker_id"].as_str().expect("a worker").to_owned()).collect();
    assert_eq!(holders, ["b", "b", "a", "c"], "each is told of as its holder's");

    // What ended before the request was sent again is not handed out again; the others still belong to whom they did.
    let end = AttemptEnd { held: first[0].held.clone(), ending: Ending::Completed { result: None } };
    assert_eq!(store.end(&[end]).await.expect("Redis is there"), [EndReply::Ended]);
    let again = store.claim(&request).await.expect("Redis is there");
    assert_eq!(whose(&again), expected[1..]);
}

#[tokio::test]
async fn a_claim_over_partitions_hands_no_worker_more_than_it_asked_for() {
    let server = Server::dedicated();
    let store =
        Store::open(StoreOptions { partitions: 8, ..options(&server.url()) }).await.expect("a Redis of our own");
    let queues = ["a", "b", "c", "d", "e", "f"];
    for (n, queue) in queues.iter().enumerate() {
        enqueue(&store, &json!({"type": "echo", "args": [n], "queue": queue})).await;
    }
    let claimed = store.claim(&claim_of(&[("x", 1), ("y", 3), ("z", 1)], &queues)).await.expect("Redis is there");
    let mut holders: Vec<_> = whose(&claimed).into_iter().map(|(worker, _)| worker).collect();
    holders.sort_unstable();
    assert_eq!(holders, ["x", "y", "y", "y", "z"]);
    let rest = store.claim(&claim_of(&[("x", 7)], &queues)).await.expect("Redis is there");
    assert_eq!(whose(&rest).len(), 1, "what nobody asked for was left where it was");
    let partitions: HashSet<_> = claimed.iter().map(|one| one.held.partition).collect();
    assert!(partitions.len() > 1, "one partition would show nothing: {partitions:?}");
}

#[tokio::test]
async fn a_claim_that_is_made_again_takes_nothing_that_has_come_since_to_a_partition_that_had_nothing() {
    let options = StoreOptions { partitions: 4, ..options(&shared().url()) };
    let store = Store::open(options).await.expect("the test's Redis is there");
    let partition = |queue: &str| store.keys().partition_of(&queue.parse().expect("a queue"));
    let other = (0..).map(|n| format!("q{n}")).find(|queue| partition(queue) != partition("a")).expect("one of many");
    let job = |queue: &str| json!({"type": "echo", "args": [0], "queue": queue});
    enqueue(&store, &job(&other)).await;
    let request = claim_of(&[("w", 1)], &["a", &other]);
    let first = store.claim(&request).await.expect("Redis is there");
    let newer = enqueue(&store, &job("a")).await;
    let again = store.claim_again(&request).await.expect("Redis is there");
    let ids = |claimed: &[Claimed]| claimed.iter().map(|one| one.held.id).collect::<Vec<_>>();
    assert_eq!((first.len(), ids(&first)), (1, ids(&again)));
    let next = store.claim(&claim_of(&[("w", 1)], &["a", &other])).await.expect("Redis is there");
    assert_eq!(ids(&next), [newer]);

    // One that was given nothing is made anew.
    let request = claim_of(&[("w", 1)], &["a", &other]);
    let newest = enqueue(&store, &job(&other)).await;
    assert_eq!(ids(&store.claim_again(&request).await.expect("Redis is there")), [newest]);
}

#[tokio::test]
async fn one_claim_hands_out_a_hundred_jobs_at_most() {
    let store = store().await;
    let envelopes: Vec<_> =
        (0..120).map(|n| envelope(&json!({"type": "echo", "args": [n]}), store.clock().now())).collect();
    let jobs: Vec<_> = envelopes.iter().map(|one| NewJob::new(store.id_for(one), one)).collect();
    store.enqueue(&jobs).await.expect("Redis takes the jobs");
    let claimed = store.claim(&claim_of(&[("a", 70), ("b", 70)], &["default"])).await.expect("Redis is there");
    let of_a = whose(&claimed).iter().filter(|(worker, _)| worker == "a").count();
    assert_eq!((claimed.len(), of_a), (100, 70));
}

#[tokio::test]
async fn the_share_of_a_caller_that_has_gone_comes_back_and_the_others_have_theirs() {
    let server = Server::dedicated();
    let client = Client::new(Store::open(options(&server.url())).await.expect("a Redis of our own"));
    for n in 0..6 {
        enqueue(client.store(), &json!({"type": "echo", "args": [n]})).await;
    }
    let fetch = Fetch { queues: vec![QueueName::default()], count: 1, worker: None, visibility: None };
    server.freeze();
    let mut callers: Vec<_> = (0..6)
        .map(|_| {
            let (client, fetch) = (client.clone(), fetch.clone());
            tokio::spawn(async move { client.fetch(fetch).await })
        })
        .collect();
    until_all_wait().await;
    callers.remove(1).abort();
    server.thaw();
    let mut jobs = Vec::new();
    for caller in callers {
        jobs.extend(caller.await.expect("no panic").expect("Redis is there"));
    }
    let numbers: Vec<_> = jobs.iter().map(|job| job.envelope["args"][0].as_i64().expect("a number")).collect();
    assert_eq!(numbers, [0, 2, 3, 4, 5], "everybody who stayed has his share");
    let returned = until_some("the share of the caller that has gone", async || {
        client.store().claim(&claim(1, LEASE)).await.expect("Redis is there").pop()
    })
    .await;
    assert_eq!(returned.job.envelope["args"][0], 1);
    assert!(returned.held.lease.as_ref().starts_with("2-"), "it was claimed before: {}", returned.held.lease);
    assert_eq!(returned.job.record.attempt, 1, "an attempt that nobody saw does not count");
}

#[tokio::test]
async fn workers_that_ask_at_the_same_time_are_served_by_one_claim_and_each_by_its_own_jobs() {
    let server = Server::dedicated();
    let client = Client::new(Store::open(options(&server.url())).await.expect("a Redis of our own"));
    for n in 0..40 {
        enqueue(client.store(), &json!({"type": "echo", "args": [n]})).await;
    }
    server.freeze();
    let fetch = |n: usize| Fetch {
        queues: vec![QueueName::default()],
        count: 1 + n % 3,
        worker: (!n.is_multiple_of(5)).then(|| format!("worker-{}", n % 10).parse().expect("a worker id")),
        visibility: None,
    };
    let callers: Vec<_> = (0..20)
        .map(|n| {
            let (client, fetch) = (client.clone(), fetch(n));
            tokio::spawn(async move { (fetch.clone(), client.fetch(fetch).await.expect("Redis is there")) })
        })
        .collect();
    until_all_wait().await;
    server.thaw();
    let (mut claims, mut seen) = (HashSet::new(), HashSet::new());
    for caller in callers {
        let (fetch, jobs) = caller.await.expect("no panic");
        let name = fetch.worker.as_ref().map_or("anonymous", |worker| worker.as_str());
        assert_eq!(jobs.len(), fetch.count, "there is enough for all");
        for job in jobs {
            assert_eq!(job.record.worker.as_deref(), Some(name));
            assert!(seen.insert(job.record.id), "no job is handed out twice");
            let lease = job.record.lease.expect("a lease").to_string();
            claims.insert(lease.split_once('-').expect("attempt and claim").1.to_owned());
        }
    }
    assert!(claims.len() <= 4, "nobody waits for company, but what waits goes together: {}", claims.len());
}

#[tokio::test]
async fn jobs_are_claimed_by_priority_then_in_order() {
    let store = store().await;
    for (n, priority) in [(0, 0), (1, -5), (2, 10), (3, 0), (4, 10)] {
        enqueue(&store, &json!({"type": "echo", "args": [n], "priority": priority})).await;
    }
    let claimed = store.claim(&claim(10, LEASE)).await.expect("Redis is there");
    let order: Vec<_> = claimed.iter().map(|one| one.job.envelope["args"][0].as_i64().expect("a number")).collect();
    assert_eq!(order, [2, 4, 0, 3, 1]);
}

#[tokio::test]
async fn a_batch_over_two_queues_is_handed_out_in_its_order() {
    let store = store().await;
    let now = store.clock().now();
    let envelopes: Vec<_> = (0..250)
        .map(|n| envelope(&json!({"type": "echo", "args": [n], "queue": if n % 2 == 0 { "a" } else { "b" }}), now))
        .collect();
    let jobs: Vec<_> = envelopes.iter().map(|one| NewJob::new(store.id_for(one), one)).collect();
    store.enqueue(&jobs).await.expect("Redis takes the jobs");
    let queues = vec!["a".parse().expect("a name"), "b".parse().expect("a name")];
    let mut args = Vec::new();
    for _ in 0..3 {
        let claim = Claim::new("w".parse().expect("a name"), queues.clone(), 100, LEASE);
        args.extend(
            store
                .claim(&claim)
                .await
                .expect("Redis is there")
                .into_iter()
                .map(|one| one.job.envelope["args"][0].as_u64()),
        );
    }
    let expected: Vec<_> = (0..250).step_by(2).chain((1..250).step_by(2)).map(Some).collect();
    assert_eq!(args, expected, "queue after queue, each in the order in which the batch had them");
}

#[tokio::test]
async fn a_job_whose_record_cannot_be_read_holds_up_no_other() {
    let store = store().await;
    let mut connection = shared().connection().await;
    let texts =
        ["", "available", "available\n0\n\n\n\n\n", "available\n0\n\n\n\n\n\tfirst\nnever\t1\nr\tdefault\necho\n"];
    for text in texts {
        let broken = enqueue(&store, &json!({"type": "echo", "args": [0]})).await;
        let key = store.keys().partition(Partition(0)).job(broken);
        redis::cmd("SET").arg(key).arg(text).exec_async(&mut connection).await.expect("Redis is there");
    }
    enqueue(&store, &json!({"type": "echo", "args": [1]})).await;
    let claimed = store.claim(&claim(10, LEASE)).await.expect("Redis is there");
    assert_eq!(whose(&claimed), [("test-worker".to_owned(), 1)]);
    assert!(store.claim(&claim(10, LEASE)).await.expect("Redis is there").is_empty());
}

#[tokio::test]
async fn a_job_whose_envelope_cannot_be_read_is_a_dead_letter_and_holds_up_no_other() {
    let store = store().await;
    let mut connection = shared().connection().await;
    let deep = format!(r#"{{"type":"echo","args":[{}{}]}}"#, "[".repeat(200), "]".repeat(200));
    let mut broken = Vec::new();
    for text in [
        "",
        "{",
        "{}",
        "null",
        "[]",
        r#"["echo","default",[]]"#,
        r#"{"type":"echo","args":["\ud800"]}"#,
        r#"{"type":"echo","args":[{"$serde_json::private::RawValue":"x"}]}"#,
        &deep,
    ] {
        let job = enqueue(&store, &json!({"type": "echo", "args": [0]})).await;
        let key = store.keys().partition(Partition(0)).envelope(job);
        redis::cmd("SET").arg(key).arg(text).exec_async(&mut connection).await.expect("Redis is there");
        broken.push((job, text));
    }
    enqueue(&store, &json!({"type": "echo", "args": [1]})).await;
    let fetch = Fetch { queues: vec![QueueName::default()], count: 100, worker: None, visibility: None };
    let fetched = Client::new(store.clone()).fetch(fetch).await.expect("Redis is there");
    assert_eq!(fetched.iter().map(|job| job.envelope["args"].clone()).collect::<Vec<_>>(), [json!([1])]);
    for (job, text) in broken {
        let record = store.job(job).await.expect("Redis is there").expect("the job").record;
        assert_eq!((record.state, record.dead), (JobState::Discarded, true), "{text}");
    }
}

#[tokio::test]
async fn a_job_that_stands_in_two_queues_is_handed_out_once() {
    for order in [["a", "b"], ["b", "a"]] {
        let store = store().await;
        let job = enqueue(&store, &json!({"type": "echo", "args": [0], "queue": "a"})).await;
        let ready = store.keys().partition(Partition(0)).ready(&"b".parse().expect("a queue"));
        let mut connection = shared().connection().await;
        redis::cmd("ZADD")
            .arg(ready)
            .arg(1)
            .arg(job.to_string())
            .exec_async(&mut connection)
            .await
            .expect("Redis is there");
        let claimed = store.claim(&claim_of(&[("ann", 1), ("bob", 1)], &order)).await.expect("Redis is there");
        assert_eq!(whose(&claimed), [("ann".to_owned(), 0)]);
        assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
    }
}
