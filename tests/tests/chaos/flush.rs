//! Redis is emptied: what was acknowledged is gone, and nothing else. Leadership comes back, what is new works, and nothing
//! happens twice.

use std::time::Instant;

use carillon_shared::client::Client;
use carillon_shared::store::{EnqueueReply, NewJob};
use carillon_tests::invariants::{History, each_row_has_its_own_job, every_second_has_one_row, violations};
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::envelope;
use carillon_tests::wait::until;
use fastrand::Rng;
use serde_json::json;

use crate::house::House;

const JOBS: usize = 50;

async fn enqueue(house: &House) -> Vec<String> {
    let now = house.store.clock().now();
    let jobs: Vec<_> = (0..JOBS).map(|n| envelope(&json!({"type": "sleep", "args": [n * 10]}), now)).collect();
    let jobs: Vec<_> = jobs.iter().map(|job| NewJob::new(house.store.id_for(job), job)).collect();
    let reply = house.store.enqueue(&jobs).await.expect("Redis is there");
    assert!(matches!(reply, EnqueueReply::Enqueued(_)));
    jobs.iter().map(|job| job.id.to_string()).collect()
}

async fn register(house: &House, name: &str) {
    let entry = json!({"name": name, "cron": "* * * * * *", "type": "echo", "overlap_policy": "allow"});
    Client::new(house.store.clone()).register(&entry).await.expect("a valid entry");
}

async fn fired(house: &House, name: &str) {
    let name = name.parse().expect("a name");
    until("three rows", async || house.store.ledger(&name, None, 9).await.expect("Redis is there").len() >= 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_flush_leadership_and_what_is_new_recover() {
    // Leases that no worker loses by standing still: nobody dies here, so no attempt is to be repeated.
    let mut house = House::build(Rng::new(), "60s").await;
    register(&house, "before").await;
    fired(&house, "before").await;
    enqueue(&house).await;

    let mut connection = house.server.connection().await;
    redis::cmd("FLUSHALL").exec_async(&mut connection).await.expect("Redis is there");
    let flushed = Instant::now();
    register(&house, "after").await;
    let jobs = enqueue(&house).await.into_iter().collect();
    until("a leader", async || house.store.leader().await.expect("Redis is there").is_some()).await;
    println!("a leader {:?} after the flush", flushed.elapsed());
    fired(&house, "after").await;
    println!("three rows {:?} after the flush", flushed.elapsed());
    until("the jobs to end", async || History::read(&house.store).await.each_of_these_ended(&jobs).is_empty()).await;

    let (name, history) = ("after".parse().expect("a name"), History::read(&house.store).await);
    house.store.remove_entry(&name).await.expect("Redis is there");
    let rows = house.store.ledger(&name, None, 100_000).await.expect("Redis is there");
    house.stop();
    let mut found = violations(house.store.keys(), &Snapshot::take(&house.server, house.store.keys()).await);
    found.extend(every_second_has_one_row("after", &rows));
    found.extend(each_row_has_its_own_job("after", &rows));
    found.extend(history.no_job_ends_twice());
    found.extend(history.one_attempt_at_a_time());
    assert_eq!(history.repeats(), 0, "an attempt was made twice although nobody died");
    assert!(found.is_empty(), "{}", found.join("\n"));
}
