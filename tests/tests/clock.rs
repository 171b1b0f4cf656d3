//! Redis's clock: when it jumps nothing fires, until it is back or an operator says that it is right.

use std::time::Duration;

use carillon_shared::store::{Acquired, Sealed};
use carillon_tests::cron::{P0, TTL, lead, register};
use carillon_tests::election::Running;
use carillon_tests::store::{LEASE, claim_one, enqueue, store};
use carillon_tests::wait::{until, until_some};
use serde_json::json;

const AN_HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn nothing_fires_after_a_jump_until_somebody_says_that_the_clock_is_right() {
    let store = store().await;
    let name = register(&store, json!({"overlap_policy": "allow"})).await;
    store.clock().pretend_jump(AN_HOUR_MS);
    let leader = Running::start(&store, "a");
    leader.elected(&store).await;
    let alarm = until_some("the alarm", async || store.clock_alarm().await.expect("Redis is there")).await;
    assert!((alarm - AN_HOUR_MS).abs() < 30_000, "{alarm}");
    // Its instants come, and are not decided on.
    until("an instant to come", async || {
        let entry = store.entry(&name).await.expect("Redis is there").expect("the entry is there");
        entry.next_mark.is_some_and(|mark| mark + Duration::from_secs(2) < entry.read_at)
    })
    .await;
    assert_eq!(store.ledger(&name, None, 10).await.expect("Redis is there").len(), 0);
    store.accept_clock().await.expect("Redis is there");
    until("a row", async || !store.ledger(&name, None, 10).await.expect("Redis is there").is_empty()).await;
    until("the end of the alarm", async || store.clock_alarm().await.expect("Redis is there").is_none()).await;
    carillon_tests::election::assert_every_second_once(&store, "tick").await;
    let events =
        store.events(carillon_shared::store::EventCursor::oldest(1), 1000).await.expect("Redis is there").events;
    let told: Vec<&str> =
        events.iter().map(|(_, event)| event.kind.as_str()).filter(|kind| kind.starts_with("clock.")).collect();
    assert_eq!(told, ["clock.jumped", "clock.steady"]);
    leader.stop().await;
}

#[tokio::test]
async fn what_was_said_of_another_jump_does_not_count() {
    let store = store().await;
    let keys = store.keys();
    let mut connection = carillon_tests::redis::shared().connection().await;
    let accepted = (store.now().await.expect("Redis is there") - Duration::from_secs(600)).as_ms();
    redis::cmd("SET")
        .arg(keys.clock_accepted())
        .arg(accepted)
        .exec_async(&mut connection)
        .await
        .expect("Redis is there");
    store.clock().pretend_jump(-AN_HOUR_MS);
    let leader = Running::start(&store, "a");
    until("the old word to be forgotten", async || store.clock_accepted_at().await.expect("Redis is there").is_none())
        .await;
    until("the alarm", async || store.clock_alarm().await.expect("Redis is there").is_some_and(|by| by < 0)).await;
    leader.stop().await;
}

#[tokio::test]
async fn leases_from_before_the_clock_was_set_back_end_in_their_own_time() {
    let store = store().await;
    enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let held = claim_one(&store).await.held;
    store.overdue(P0).await.expect("Redis is there");
    let keys = store.keys().partition(P0);
    let mut connection = carillon_tests::redis::shared().connection().await;
    let later = store.now().await.expect("Redis is there").as_ms() + AN_HOUR_MS;
    redis::cmd("HSET")
        .arg(keys.reaper())
        .arg("tick")
        .arg(later)
        .exec_async(&mut connection)
        .await
        .expect("Redis is there");
    let id = held.id.to_string();
    let deadline = async |connection: &mut redis::aio::MultiplexedConnection| -> f64 {
        redis::cmd("ZSCORE").arg(keys.leases()).arg(&id).query_async(connection).await.expect("it is held")
    };
    redis::cmd("ZADD")
        .arg(keys.leases())
        .arg(later)
        .arg(&id)
        .exec_async(&mut connection)
        .await
        .expect("Redis is there");
    store.overdue(P0).await.expect("Redis is there");
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds, far below 2^53")]
    let left_ms = deadline(&mut connection).await as i64 - store.now().await.expect("Redis is there").as_ms();
    assert!(left_ms <= i64::try_from(LEASE.as_millis()).expect("minutes"), "{left_ms}");
    // None is left to be brought down: a deadline that somebody asked for since then stays.
    store.overdue(P0).await.expect("Redis is there");
    redis::cmd("ZADD")
        .arg(keys.leases())
        .arg(later)
        .arg(&id)
        .exec_async(&mut connection)
        .await
        .expect("Redis is there");
    store.overdue(P0).await.expect("Redis is there");
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds, far below 2^53")]
    let kept = deadline(&mut connection).await as i64;
    assert_eq!(kept, later);
}

#[tokio::test]
async fn a_leader_outdoes_what_a_partition_remembers() {
    let store = store().await;
    let token = lead(&store).await;
    let keys = store.keys().partition(P0);
    let mut connection = carillon_tests::redis::shared().connection().await;
    // Redis forgot the latest leaderships, but this partition did not: it was sealed in a future that is gone.
    let epoch = token.epoch().parse::<i64>().expect("a number") + AN_HOUR_MS * 1000;
    let fence = format!("{epoch}:other:gone");
    redis::cmd("SET").arg(keys.fence()).arg(&fence).exec_async(&mut connection).await.expect("Redis is there");
    assert_eq!(store.seal(P0, &token).await.expect("Redis is there"), Sealed::Fenced);
    assert!(store.release_leadership(&token).await.expect("Redis is there"));
    assert!(store.raise_epoch().await.expect("Redis is there"));
    assert!(!store.raise_epoch().await.expect("Redis is there"), "once is enough");
    let Acquired::Leads(next) = store.acquire_leadership("test", TTL, None).await.expect("Redis is there") else {
        panic!("somebody else leads")
    };
    assert_eq!(store.seal(P0, &next).await.expect("Redis is there"), Sealed::Sealed);
    assert!(store.release_leadership(&next).await.expect("Redis is there"));

    redis::cmd("SET")
        .arg(keys.fence())
        .arg(format!("{}:other:gone", epoch + AN_HOUR_MS * 1000))
        .exec_async(&mut connection)
        .await
        .expect("Redis is there");
    let name = register(&store, json!({})).await;
    let candidate = Running::start(&store, "a");
    until("a row", async || !store.ledger(&name, None, 10).await.expect("Redis is there").is_empty()).await;
    candidate.stop().await;
}
