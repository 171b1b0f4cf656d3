//! What a leader is shown of what comes next.

use std::time::Duration;

use carillon_shared::clock::Timestamp;
use carillon_shared::store::{Coming, LeaderToken, Outlook, Store};
use carillon_tests::cron::{P0, entry, lead, register};
use carillon_tests::store::{claim, enqueue, store};
use serde_json::json;

const ALL: [Coming; 5] = [Coming::Instant, Coming::DueJob, Coming::LeaseEnd, Coming::Expiry, Coming::TimeLimit];

async fn outlook(store: &Store, token: &LeaderToken) -> Outlook {
    store.outlook(P0, token).await.expect("Redis is there").expect("this leader leads")
}

/// The kinds of which something comes.
async fn coming(store: &Store, token: &LeaderToken) -> Vec<Coming> {
    let outlook = outlook(store, token).await;
    ALL.into_iter().filter(|coming| outlook.next(*coming).is_some()).collect()
}

#[tokio::test]
async fn the_first_of_each_kind_is_shown() {
    let store = store().await;
    let token = lead(&store).await;
    assert_eq!(coming(&store, &token).await, []);
    let name = register(&store, json!({"cron": "0 0 1 1 *"})).await;
    assert_eq!(coming(&store, &token).await, [Coming::Instant]);
    assert_eq!(outlook(&store, &token).await.next(Coming::Instant), entry(&store, &name).await.next_mark);

    let (soon, later) = (Timestamp::from_secs(4_000_000_000), Timestamp::from_secs(4_000_000_001));
    for at in [later, soon] {
        enqueue(&store, &json!({"type": "echo", "args": [], "scheduled_at": at})).await;
    }
    assert_eq!(outlook(&store, &token).await.next(Coming::DueJob), Some(soon));

    enqueue(&store, &json!({"type": "echo", "args": [], "expires_at": later})).await;
    assert_eq!(outlook(&store, &token).await.next(Coming::Expiry), Some(later));

    enqueue(&store, &json!({"type": "echo", "args": [], "timeout_ms": 60_000})).await;
    let claimed = store.claim(&claim(2, Duration::from_secs(30))).await.expect("Redis is there");
    assert_eq!(claimed.len(), 2);
    let shown = outlook(&store, &token).await;
    let (lease, limit) = (shown.next(Coming::LeaseEnd), shown.next(Coming::TimeLimit));
    assert!(lease < limit && lease == shown.earliest(), "{shown:?}");
}

#[tokio::test]
async fn an_entry_whose_day_never_comes_is_not_shown() {
    let store = store().await;
    let token = lead(&store).await;
    register(&store, json!({"cron": "0 0 30 2 *"})).await;
    assert_eq!(coming(&store, &token).await, []);
}

#[tokio::test]
async fn nothing_is_shown_to_one_who_does_not_lead() {
    let store = store().await;
    let token = lead(&store).await;
    let mut connection = carillon_tests::redis::shared().connection().await;
    let fence = store.keys().partition(P0).fence();
    redis::cmd("SET").arg(&fence).arg("1:other").query_async::<()>(&mut connection).await.expect("Redis is there");
    assert_eq!(store.outlook(P0, &token).await.expect("Redis is there"), None);
    redis::cmd("DEL").arg(&fence).query_async::<()>(&mut connection).await.expect("Redis is there");
    assert_eq!(store.outlook(P0, &token).await.expect("Redis is there"), None, "Redis was emptied");
}
