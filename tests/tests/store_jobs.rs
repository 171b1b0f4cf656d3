//! The life of a job, script by script, against a real Redis.

use std::time::Duration;

use carillon_shared::client::{Client, ClientError};
use carillon_shared::clock::Timestamp;
use carillon_shared::id::{JobId, Partition};
use carillon_shared::job::{Failure, JobState, Verdict};
use carillon_shared::store::{
    AttemptEnd, CancelReply, Claimed, EndReply, Ending, EnqueueReply, LeaseState, NewJob, Store,
};
use carillon_tests::redis::Server;
use carillon_tests::store::{LEASE, claim, claim_one, enqueue, envelope, options, store};
use carillon_tests::wait::{until_all_wait, until_some};
use futures::StreamExt;
use futures::future::join_all;
use serde_json::json;

async fn state(store: &Store, id: carillon_shared::id::JobId) -> JobState {
    store.job(id).await.expect("Redis is there").expect("the job is kept").record.state
}

async fn end(store: &Store, claimed: &Claimed, ending: Ending) -> EndReply {
    store.end(&[AttemptEnd { held: claimed.held.clone(), ending }]).await.expect("Redis is there")[0]
}

fn completed() -> Ending {
    Ending::Completed { result: Some(json!({"rows": 3})) }
}

fn failed(verdict: Verdict) -> Ending {
    Ending::Failed { failure: Failure::new("handler_error", "no"), attempt: 1, verdict }
}

#[tokio::test]
async fn a_job_is_enqueued_claimed_and_completed() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": [1], "x": [9_007_199_254_740_993_i64, {}]})).await;
    assert_eq!(state(&store, id).await, JobState::Available);

    let claimed = claim_one(&store).await;
    assert_eq!((claimed.held.id, claimed.job.record.attempt), (id, 1));
    assert_eq!(state(&store, id).await, JobState::Active);
    assert!(store.claim(&claim(1, LEASE)).await.expect("Redis is there").is_empty(), "one job, one holder");

    assert_eq!(end(&store, &claimed, completed()).await, EndReply::Ended);
    let job = store.job(id).await.expect("Redis is there").expect("the job is kept");
    assert_eq!((job.record.state, job.result.clone()), (JobState::Completed, Some(json!({"rows": 3}))));
    let wire = job.to_json();
    assert!(wire.contains_key("completed_at") && wire.contains_key("started_at"), "{wire:?}");
    assert_eq!(serde_json::Value::from(wire)["x"].to_string(), "[9007199254740993,{}]");
}

#[tokio::test]
async fn the_same_end_twice_is_answered_as_done_and_told_once() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let claimed = claim_one(&store).await;
    assert_eq!(end(&store, &claimed, completed()).await, EndReply::Ended);
    let before = store.newest_event().await.expect("Redis is there");
    assert_eq!(end(&store, &claimed, completed()).await, EndReply::AlreadyEnded);
    assert_eq!(end(&store, &claimed, failed(Verdict::Discard)).await, EndReply::AlreadyEnded);
    assert_eq!(store.newest_event().await.expect("Redis is there"), before);
    assert_eq!(state(&store, id).await, JobState::Completed);
}

#[tokio::test]
async fn a_delay_of_ten_thousand_years_is_kept_to_the_millisecond() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let claimed = claim_one(&store).await;
    let delay = Duration::from_millis(300_000_000_000_001);
    assert_eq!(end(&store, &claimed, failed(Verdict::Retry(delay))).await, EndReply::Ended);
    let job = store.job(id).await.expect("Redis is there").expect("the job is kept");
    assert_eq!(job.record.retry_delay_ms, Some(300_000_000_000_001));
}

#[tokio::test]
async fn a_failure_is_kept_and_retried_after_its_delay() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let claimed = claim_one(&store).await;
    let delay = Duration::from_millis(300);
    assert_eq!(end(&store, &claimed, failed(Verdict::Retry(delay))).await, EndReply::Ended);
    let job = store.job(id).await.expect("Redis is there").expect("the job is kept");
    assert_eq!((job.record.state, job.errors.len(), job.record.retry_delay_ms), (JobState::Retryable, 1, Some(300)));
    assert!(job.record.due_at.expect("a time") >= job.record.created_at + delay);

    // A claim promotes what is due: nobody else has to.
    let again =
        until_some("the retry", async || store.claim(&claim(1, LEASE)).await.expect("Redis is there").pop()).await;
    assert_eq!(again.job.record.attempt, 2);
    assert_ne!(again.held.lease, claimed.held.lease);
    assert_eq!(end(&store, &claimed, completed()).await, EndReply::Stale, "the first attempt is over");
    assert_eq!(end(&store, &again, completed()).await, EndReply::Ended);
    let job = store.job(id).await.expect("Redis is there").expect("the job is kept");
    assert!(!job.to_json().contains_key("error") && job.to_json().contains_key("errors"));
}

#[tokio::test]
async fn a_discarded_job_is_among_the_dead_letters_only_if_it_was_meant_to_be() {
    let store = store().await;
    for (verdict, dead) in [(Verdict::Discard, false), (Verdict::DeadLetter, true)] {
        let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
        let claimed = claim_one(&store).await;
        assert_eq!(end(&store, &claimed, failed(verdict)).await, EndReply::Ended);
        let job = store.job(id).await.expect("Redis is there").expect("the job is kept");
        assert_eq!((job.record.state, job.record.dead), (JobState::Discarded, dead));
    }
}

#[tokio::test]
async fn a_job_given_back_has_not_been_attempted() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let claimed = claim_one(&store).await;
    let returned = Ending::Returned { delay: Duration::ZERO, failure: Failure::new("shutdown", "the worker stops") };
    assert_eq!(end(&store, &claimed, returned).await, EndReply::Ended);
    let record = store.job(id).await.expect("Redis is there").expect("the job is kept").record;
    assert_eq!((record.state, record.attempt, record.returns), (JobState::Available, 0, 1));
    assert_eq!(claim_one(&store).await.job.record.attempt, 1);
}

#[tokio::test]
async fn a_cancelled_job_is_not_ended_by_its_worker() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let claimed = claim_one(&store).await;
    let mut nudges = store.nudges(&"test-worker".parse().expect("a worker id")).await.expect("Redis is there");
    assert_eq!(
        store.cancel(id, "test", "not needed").await.expect("Redis is there"),
        CancelReply::Cancelled(JobState::Active)
    );
    nudges.next().await.expect("the worker is told at once");
    let beat = store.heartbeat(std::slice::from_ref(&claimed.held), LEASE).await.expect("Redis is there");
    assert_eq!(beat, [LeaseState::Cancelled]);
    assert_eq!(end(&store, &claimed, completed()).await, EndReply::Cancelled);
    let again = store.cancel(id, "test", "").await.expect("Redis is there");
    assert_eq!(again, CancelReply::Ended(JobState::Cancelled));
    assert!(!store.job(id).await.expect("Redis is there").expect("kept").to_json().contains_key("completed_at"));
}

#[tokio::test]
async fn a_scheduled_job_waits_for_its_time() {
    let store = store().await;
    let later = enqueue(&store, &json!({"type": "echo", "args": [], "delay": "PT1H"})).await;
    assert_eq!(state(&store, later).await, JobState::Scheduled);
    assert!(store.claim(&claim(1, LEASE)).await.expect("Redis is there").is_empty());
    let partition = store.partitions().next().expect("a partition");
    let next = store.promote(partition).await.expect("Redis is there").next_due_at;
    assert!(next.is_some());
    let soon = enqueue(&store, &json!({"type": "echo", "args": [], "delay": "PT0.3S"})).await;
    until_some("its time", async || {
        store.promote(partition).await.expect("Redis is there");
        (state(&store, soon).await == JobState::Available).then_some(())
    })
    .await;
    assert_eq!(state(&store, later).await, JobState::Scheduled);
}

#[tokio::test]
async fn an_expired_job_is_discarded_instead_of_claimed() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": [], "expires_at": "PT0.2S"})).await;
    let job = store.job(id).await.expect("Redis is there").expect("kept");
    let expires_at = job.envelope["expires_at"].as_str().expect("a time").parse::<Timestamp>().expect("a time");
    until_some("the job to expire", async || (store.now().await.expect("Redis is there") > expires_at).then_some(()))
        .await;
    assert!(store.claim(&claim(1, LEASE)).await.expect("Redis is there").is_empty());
    let job = store.job(id).await.expect("Redis is there").expect("kept");
    assert_eq!(job.record.state, JobState::Discarded);
    assert!(!job.to_json().contains_key("completed_at"));
}

#[tokio::test]
async fn a_batch_with_a_known_id_is_refused_whole() {
    let store = store().await;
    let now = store.clock().now();
    let known = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let new = envelope(&json!({"type": "echo", "args": []}), now);
    let old = envelope(&json!({"type": "echo", "args": [], "id": known}), now);
    let new_id = store.id_for(&new);
    let batch = [NewJob::new(new_id, &new), NewJob::new(known, &old)];
    assert_eq!(store.enqueue(&batch).await.expect("Redis is there"), EnqueueReply::Exists(known));
    assert!(store.job(new_id).await.expect("Redis is there").is_none());
}

#[tokio::test]
async fn counters_are_exact_at_once() {
    let store = store().await;
    for _ in 0..3 {
        enqueue(&store, &json!({"type": "echo", "args": []})).await;
    }
    let claimed = claim_one(&store).await;
    end(&store, &claimed, completed()).await;
    claim_one(&store).await;
    let stats = store.queue(carillon_shared::name::QueueName::default()).await.expect("Redis is there");
    let count = |state| stats.counts.iter().find(|(other, _)| *other == state).map_or(0, |(_, count)| *count);
    assert_eq!(
        [JobState::Available, JobState::Active, JobState::Completed, JobState::Scheduled].map(count),
        [1, 1, 1, 0]
    );
}

#[tokio::test]
async fn jobs_enqueued_at_the_same_time_are_refused_each_for_itself() {
    let client = Client::new(store().await);
    let id = JobId::random(client.store().clock().now(), Partition(0));
    let same = json!({"type": "echo", "args": [], "id": id.to_string()});
    let other = json!({"type": "echo", "args": []});
    let jobs = (0..40).map(|n| envelope(if n % 20 == 7 { &same } else { &other }, client.store().clock().now()));
    let asked = jobs.map(|job| {
        let client = client.clone();
        async move { client.enqueue(&job).await.map(|enqueued| (enqueued.job.record, job)) }
    });
    let answers = join_all(asked).await;
    let refused = answers.iter().filter(|answer| matches!(answer, Err(ClientError::Duplicate(known)) if *known == id));
    assert_eq!((refused.count(), answers.iter().filter(|answer| answer.is_ok()).count()), (1, 39));
    for (record, _) in answers.into_iter().flatten() {
        let kept = client.store().job(record.id).await.expect("Redis is there").expect("the job is kept");
        assert_eq!(kept.record, record, "what was answered is what is kept");
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_while_it_sends_for_others_takes_nobody_along() {
    let server = Server::dedicated();
    let client = Client::new(Store::open(options(&server.url())).await.expect("a Redis of our own"));
    server.freeze();
    let callers: Vec<_> = (0..10)
        .map(|n| {
            let (client, job) =
                (client.clone(), envelope(&json!({"type": "echo", "args": [n]}), Timestamp::from_ms(0)));
            tokio::spawn(async move { client.enqueue(&job).await })
        })
        .collect();
    // Each has put its job down, and the first two are sending.
    until_all_wait().await;
    let mut callers = callers.into_iter();
    callers.by_ref().take(2).for_each(|sender| sender.abort());
    server.thaw();
    for caller in callers {
        caller.await.expect("no panic").expect("the job is taken in");
    }
    let claimed = client.store().claim(&claim(100, LEASE)).await.expect("Redis is there");
    assert!(
        (8..=10).contains(&claimed.len()),
        "each once, and perhaps those of the callers that went: {}",
        claimed.len()
    );
}

#[tokio::test]
async fn whoever_listens_by_pattern_is_told() {
    let server = Server::dedicated();
    let store = Store::open(options(&server.url())).await.expect("a Redis of our own");
    let mut listener = server.subscriber().await;
    listener.psubscribe("*:events").await.expect("the server takes subscribers");
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let message = listener.on_message().next().await.expect("a message");
    assert!(String::from_utf8_lossy(message.get_payload_bytes()).contains(&id.to_string()));
}
