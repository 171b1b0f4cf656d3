//! Calls whose first reply was lost: the store makes them again, and is told what they did, not that it has been done.

use carillon_shared::client::{Client, Nack, Presented};
use carillon_shared::id::JobId;
use carillon_shared::job::{Failure, JobState, Verdict};
use carillon_shared::store::{AttemptEnd, CancelReply, ChangeReply, Ending, FlowCancel, Store};
use carillon_tests::proxy::Proxy;
use carillon_tests::redis::shared;
use carillon_tests::store::{claim_one, enqueue, options};
use serde_json::{Value, json};

/// A store that speaks through a proxy, opened before anything is lost.
async fn stage() -> (Proxy, Store) {
    let proxy = Proxy::before(shared()).await;
    let store = Store::open(options(&proxy.url())).await.expect("Redis is there");
    (proxy, store)
}

async fn dead(store: &Store) -> JobId {
    enqueue(store, &json!({"type": "echo", "args": []})).await;
    let claimed = claim_one(store).await;
    let ending = Ending::Failed { failure: Failure::new("x", "y"), attempt: 1, verdict: Verdict::DeadLetter };
    store.end(&[AttemptEnd { held: claimed.held.clone(), ending }]).await.expect("Redis is there");
    claimed.job.record.id
}

#[tokio::test]
async fn a_cancel_that_is_made_again_has_cancelled() {
    let (proxy, store) = stage().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let (cancelled, ()) = tokio::join!(store.cancel(id, "test", ""), proxy.lose_one_reply());
    assert_eq!(cancelled.expect("in time"), CancelReply::Cancelled(JobState::Available));
    let again = store.cancel(id, "test", "").await.expect("Redis is there");
    assert_eq!(again, CancelReply::Ended(JobState::Cancelled), "another request is told the truth");
}

#[tokio::test]
async fn an_activation_that_is_made_again_has_activated() {
    let (proxy, store) = stage().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": [], "pending": true})).await;
    let (activated, ()) = tokio::join!(store.activate(id), proxy.lose_one_reply());
    assert_eq!(activated.expect("in time"), ChangeReply::Changed);
    assert_eq!(store.activate(id).await.expect("Redis is there"), ChangeReply::Conflict(JobState::Available));
}

#[tokio::test]
async fn a_dead_letter_that_is_removed_again_was_removed() {
    let (proxy, store) = stage().await;
    let id = dead(&store).await;
    let (buried, ()) = tokio::join!(store.bury(id), proxy.lose_one_reply());
    assert!(buried.expect("in time"));
    assert!(!store.bury(id).await.expect("Redis is there"));
}

#[tokio::test]
async fn a_dead_letter_that_is_revived_again_was_revived_once() {
    let (proxy, store) = stage().await;
    let id = dead(&store).await;
    let (revived, ()) = tokio::join!(store.revive(id), proxy.lose_one_reply());
    assert!(revived.expect("in time"));
    assert!(!store.revive(id).await.expect("Redis is there"));
    assert_eq!(
        store.queue(carillon_shared::name::QueueName::default()).await.expect("counters").count(JobState::Available),
        1
    );
}

#[tokio::test]
async fn a_workflow_that_is_cancelled_again_was_cancelled() {
    let (proxy, store) = stage().await;
    let steps = json!({"type": "group", "jobs": [{"type": "a"}, {"type": "b"}]});
    let flow = Client::new(store.clone()).begin_flow(&steps).await.expect("a workflow");
    let (cancelled, ()) = tokio::join!(store.cancel_flow(flow.id, "test"), proxy.lose_one_reply());
    assert!(matches!(cancelled.expect("in time"), FlowCancel::Cancelled(jobs) if jobs.len() == 2));
    let again = store.cancel_flow(flow.id, "test").await.expect("Redis is there");
    assert_eq!(again, FlowCancel::Ended("cancelled".to_owned()));
}

/// Loses every reply for a while: whatever the end of an attempt consists of is made again.
async fn while_losing<T>(proxy: &Proxy, call: impl Future<Output = T>) -> T {
    let losing = async {
        for _ in 0..2 {
            proxy.lose_one_reply().await;
        }
    };
    tokio::join!(call, losing).0
}

#[tokio::test]
async fn an_end_by_a_worker_without_a_lease_that_is_told_again_was_told() {
    let (proxy, store) = stage().await;
    let client = Client::new(store.clone());
    let nobody = Presented::default();
    enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let id = claim_one(&store).await.job.record.id;
    let acked = while_losing(&proxy, client.ack(id, &nobody, Some(Value::from(7)))).await;
    assert_eq!(acked.expect("the end").record.state, JobState::Completed);
    assert!(client.ack(id, &nobody, None).await.is_err(), "a second end is refused");
    enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let id = claim_one(&store).await.job.record.id;
    let nack = || Nack { failure: Failure::new("x", "y"), requeue: false, action: None };
    let nacked = while_losing(&proxy, client.nack(id, &nobody, nack())).await;
    assert_eq!(nacked.expect("the end").record.state, JobState::Retryable);
    assert!(client.nack(id, &nobody, nack()).await.is_err());
}
