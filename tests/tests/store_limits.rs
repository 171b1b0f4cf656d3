//! What keeps jobs apart or back: uniqueness, pauses, rates, expiry; and dead letters that come back.

use std::time::Duration;

use carillon_shared::id::{JobId, Partition};
use carillon_shared::job::{Failure, JobState, RateLimit, Verdict};
use carillon_shared::name::QueueName;
use carillon_shared::store::{
    AttemptEnd, ChangeReply, EndReply, Ended, Ending, EnqueueReply, NewJob, QueueChange, Retention, Store,
};
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::redis::shared;
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{LEASE, claim, claim_one, enqueue, envelope, store};
use carillon_tests::wait::{until, until_some};
use serde_json::{Value, json};

const P0: Partition = Partition(0);

async fn holds(store: &Store) {
    assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
}

async fn fetch(store: &Store, count: usize) -> usize {
    store.claim(&claim(count, LEASE)).await.expect("Redis is there").len()
}

async fn try_enqueue(store: &Store, unique: Value) -> EnqueueReply {
    let job = envelope(&json!({"type": "echo", "args": [1], "unique": unique}), store.clock().now());
    let reply = store.enqueue(&[NewJob::new(store.id_for(&job), &job)]).await.expect("Redis is there");
    holds(store).await;
    reply
}

fn taken(reply: &EnqueueReply) -> (JobId, bool) {
    match reply {
        EnqueueReply::Enqueued(taken) => (taken[0].id, taken[0].state.is_some()),
        other => panic!("{other:?}"),
    }
}

async fn state(store: &Store, id: JobId) -> JobState {
    store.job(id).await.expect("Redis is there").expect("kept").record.state
}

#[tokio::test]
async fn the_second_of_two_equal_jobs_is_refused_dropped_or_replaces_the_first() {
    let store = store().await;
    let (first, _) = taken(&try_enqueue(&store, json!({"keys": ["args"]})).await);
    let refused = try_enqueue(&store, json!({"keys": ["args"]})).await;
    assert_eq!(refused, EnqueueReply::Duplicate { holder: first, place: 0 });
    let dropped = try_enqueue(&store, json!({"keys": ["args"], "on_conflict": "ignore"})).await;
    assert_eq!(taken(&dropped), (first, false));
    let (second, new) = taken(&try_enqueue(&store, json!({"keys": ["args"], "on_conflict": "replace"})).await);
    assert!(new && second != first);
    assert_eq!((state(&store, first).await, state(&store, second).await), (JobState::Cancelled, JobState::Available));
}

#[tokio::test]
async fn a_job_is_unique_only_in_the_states_and_the_period_it_names() {
    let store = store().await;
    let unique = json!({"keys": ["args"], "states": ["available"]});
    let (first, _) = taken(&try_enqueue(&store, unique.clone()).await);
    let claimed = claim_one(&store).await;
    let (second, _) = taken(&try_enqueue(&store, unique).await);
    assert_ne!(first, second);
    let end = AttemptEnd { held: claimed.held, ending: Ending::Completed { result: None } };
    assert_eq!(store.end(&[end]).await.expect("Redis is there"), [EndReply::Ended]);

    let brief = json!({"keys": ["args", "queue"], "period_ms": 150});
    taken(&try_enqueue(&store, brief.clone()).await);
    until_some("the period to pass", async || match try_enqueue(&store, brief.clone()).await {
        EnqueueReply::Enqueued(taken) => Some(taken),
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn a_batch_with_two_equal_jobs_is_refused_whole() {
    let store = store().await;
    let job = envelope(&json!({"type": "echo", "args": [1], "unique": {"keys": ["args"]}}), store.clock().now());
    let batch = [NewJob::new(store.id_for(&job), &job), NewJob::new(store.id_for(&job), &job)];
    let reply = store.enqueue(&batch).await.expect("Redis is there");
    assert_eq!(reply, EnqueueReply::Duplicate { holder: batch[0].id, place: 1 });
    assert!(store.job(batch[0].id).await.expect("Redis is there").is_none());
}

#[tokio::test]
async fn a_paused_queue_takes_jobs_in_and_hands_none_out() {
    let store = store().await;
    let queue = QueueName::default();
    store.change_queue(&queue, &QueueChange::Pause).await.expect("Redis is there");
    enqueue(&store, &json!({"type": "echo", "args": []})).await;
    assert_eq!(fetch(&store, 1).await, 0);
    assert!(store.queue(queue.clone()).await.expect("Redis is there").paused);
    store.change_queue(&queue, &QueueChange::Resume).await.expect("Redis is there");
    assert_eq!(fetch(&store, 1).await, 1);
    let events = store.events(carillon_shared::store::EventCursor::oldest(1), 10).await.expect("Redis is there").events;
    let kinds: Vec<_> =
        events.iter().map(|(_, event)| event.kind.clone()).filter(|kind| kind.starts_with("queue")).collect();
    assert_eq!(kinds, ["queue.paused", "queue.resumed"]);
}

#[tokio::test]
async fn no_more_start_within_a_window_than_the_rate_allows() {
    let store = store().await;
    for n in 0..6 {
        enqueue(&store, &json!({"type": "echo", "args": [n], "rate_limit": {"rate": 2, "period": "PT1H"}})).await;
    }
    assert_eq!((fetch(&store, 10).await, fetch(&store, 10).await), (2, 0));
    let brief = RateLimit { starts: 2, window: Duration::from_millis(300) };
    store.change_queue(&QueueName::default(), &QueueChange::Rate(Some(brief))).await.expect("Redis is there");
    let started = std::cell::Cell::new(2);
    until("all to have started", async || {
        let some = fetch(&store, 10).await;
        assert!(some <= 2, "{some} at once");
        started.set(started.get() + some);
        started.get() == 6
    })
    .await;
    store.change_queue(&QueueName::default(), &QueueChange::Rate(None)).await.expect("Redis is there");
    holds(&store).await;
}

#[tokio::test]
async fn no_more_run_at_once_than_the_queue_allows() {
    let store = store().await;
    let queue = QueueName::default();
    store.change_queue(&queue, &QueueChange::Concurrency(Some(2))).await.expect("Redis is there");
    for n in 0..4 {
        enqueue(&store, &json!({"type": "echo", "args": [n]})).await;
    }
    let claimed = store.claim(&claim(10, LEASE)).await.expect("Redis is there");
    assert_eq!((claimed.len(), fetch(&store, 10).await), (2, 0));
    let end = AttemptEnd { held: claimed[0].held.clone(), ending: Ending::Completed { result: None } };
    store.end(&[end]).await.expect("Redis is there");
    assert_eq!(fetch(&store, 10).await, 1);
    let limit = RateLimit { starts: 1, window: Duration::from_secs(60) };
    store.change_queue(&queue, &QueueChange::Rate(Some(limit))).await.expect("Redis is there");
    store.change_queue(&queue, &QueueChange::Concurrency(None)).await.expect("Redis is there");
    assert_eq!(fetch(&store, 10).await, 1);
}

#[tokio::test]
async fn a_job_that_nobody_claims_in_time_expires() {
    let store = store().await;
    for extra in [json!({}), json!({"delay": "PT10S"}), json!({"pending": true})] {
        let mut job = json!({"type": "echo", "args": [], "ttl_ms": 50});
        job.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        let id = enqueue(&store, &job).await;
        until("the job to expire", async || {
            store.expire(P0).await.expect("Redis is there");
            state(&store, id).await == JobState::Discarded
        })
        .await;
    }
    holds(&store).await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_listed_until_it_is_ended() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": [], "timeout_ms": 20})).await;
    let claimed = claim_one(&store).await;
    let over = until_some("the limit to pass", async || store.overtime(P0).await.expect("Redis is there").pop()).await;
    assert_eq!((over.0.record.id, &over.1), (id, &claimed.held.lease));
    let failed = Ending::Failed {
        failure: Failure::new("timeout", "x"),
        attempt: 1,
        verdict: Verdict::Retry(Duration::from_secs(9)),
    };
    let end = AttemptEnd { held: claimed.held, ending: failed };
    assert_eq!(store.end(&[end]).await.expect("Redis is there"), [EndReply::Ended]);
    assert!(store.overtime(P0).await.expect("Redis is there").is_empty());
    holds(&store).await;
}

#[tokio::test]
async fn a_dead_letter_comes_back_as_if_never_tried_or_is_forgotten() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    assert!(!store.revive(id).await.expect("Redis is there"), "it is alive");
    let failed =
        Ending::Failed { failure: Failure::new("handler_error", "x"), attempt: 1, verdict: Verdict::DeadLetter };
    let end = AttemptEnd { held: claim_one(&store).await.held, ending: failed };
    store.end(std::slice::from_ref(&end)).await.expect("Redis is there");
    let queue = QueueName::default();
    let dead = store.dead_letters(Some(&queue), 0, 10).await.expect("Redis is there");
    assert_eq!((dead.total, dead.jobs[0].record.id), (1, id));
    let other: QueueName = "other".parse().expect("a name");
    assert_eq!(store.dead_letters(Some(&other), 0, 10).await.expect("Redis is there").total, 0);

    assert!(store.revive(id).await.expect("Redis is there"));
    holds(&store).await;
    let job = store.job(id).await.expect("Redis is there").expect("kept");
    assert_eq!((job.record.state, job.record.attempt, job.errors.len()), (JobState::Available, 0, 1));
    assert!(!store.revive(id).await.expect("Redis is there"), "once");

    let end = AttemptEnd { held: claim_one(&store).await.held, ..end };
    store.end(&[end]).await.expect("Redis is there");
    assert!(store.bury(id).await.expect("Redis is there") && !store.bury(id).await.expect("Redis is there"));
    assert!(store.job(id).await.expect("Redis is there").is_none());
    holds(&store).await;
}

#[tokio::test]
async fn a_pending_job_waits_to_be_activated() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": [], "pending": true})).await;
    assert_eq!(fetch(&store, 1).await, 0);
    assert_eq!(store.activate(id).await.expect("Redis is there"), ChangeReply::Changed);
    assert_eq!(store.activate(id).await.expect("Redis is there"), ChangeReply::Conflict(JobState::Available));
    holds(&store).await;
    assert_eq!(fetch(&store, 1).await, 1);
}

/// The types of the jobs that are handed out to one who asks for ten.
async fn handed_out(store: &Store) -> Vec<String> {
    let claimed = store.claim(&claim(10, LEASE)).await.expect("Redis is there");
    holds(store).await;
    claimed.into_iter().map(|one| one.job.record.job_type.to_string()).collect()
}

#[tokio::test]
async fn a_limit_of_a_key_holds_for_all_its_jobs_and_no_others() {
    let store = store().await;
    let limit = json!({"key": "crm", "rate": 2, "period": "PT1H"});
    for job_type in ["one", "two", "three"] {
        enqueue(&store, &json!({"type": job_type, "args": [], "rate_limit": limit})).await;
    }
    enqueue(&store, &json!({"type": "free", "args": []})).await;
    assert_eq!(handed_out(&store).await, ["one", "two", "free"]);
    assert!(handed_out(&store).await.is_empty());
    let used = store.key_use("crm").await.expect("Redis is there");
    assert_eq!((used.active, used.started), (2, 2));
    // Another idea of the same key is measured by the same starts.
    let wider = json!({"key": "crm", "rate": 3, "period": "PT1H"});
    enqueue(&store, &json!({"type": "wider", "args": [], "rate_limit": wider})).await;
    assert_eq!(handed_out(&store).await, ["wider"]);
}

#[tokio::test]
async fn a_concurrency_of_a_key_lets_the_next_start_when_one_ends() {
    let store = store().await;
    let limit = json!({"key": "crm", "concurrency": 1});
    for job_type in ["one", "two", "three"] {
        enqueue(&store, &json!({"type": job_type, "args": [], "rate_limit": limit})).await;
    }
    let first = claim_one(&store).await;
    assert!(handed_out(&store).await.is_empty());
    let end = AttemptEnd { held: first.held, ending: Ending::Completed { result: None } };
    store.end(&[end]).await.expect("Redis is there");
    let second = claim_one(&store).await;
    assert_eq!(second.job.record.job_type.as_str(), "two");
    // One that is cancelled makes room as well.
    store.cancel(second.job.record.id, "test", "").await.expect("Redis is there");
    assert_eq!(handed_out(&store).await, ["three"]);
}

#[tokio::test]
async fn dead_letters_are_counted_as_they_come_and_go() {
    let store = store().await;
    let dead = async || store.queue(QueueName::default()).await.expect("Redis is there").dead;
    let mut ids = Vec::new();
    for _ in 0..3 {
        enqueue(&store, &json!({"type": "echo", "args": []})).await;
        let claimed = claim_one(&store).await;
        ids.push(claimed.job.record.id);
        let ending = Ending::Failed { failure: Failure::new("x", "y"), attempt: 1, verdict: Verdict::DeadLetter };
        store.end(&[AttemptEnd { held: claimed.held, ending }]).await.expect("Redis is there");
    }
    assert_eq!(dead().await, 3);
    assert!(store.revive(ids[0]).await.expect("Redis is there"));
    assert!(store.bury(ids[1]).await.expect("Redis is there"));
    assert_eq!(dead().await, 1);
    let all = Retention { of: Ended::DeadLetter, kept_for: Duration::from_secs(3600), kept: 0 };
    assert_eq!(store.trim(P0, all).await.expect("Redis is there"), 1);
    assert_eq!(dead().await, 0);
    holds(&store).await;
}

#[tokio::test]
async fn the_last_hour_of_a_queue_is_counted_by_the_script_that_ends_an_attempt() {
    let store = store().await;
    for _ in 0..3 {
        enqueue(&store, &json!({"type": "echo", "args": []})).await;
    }
    let claimed = store.claim(&claim(3, LEASE)).await.expect("Redis is there");
    let waited_ms = |one: &carillon_shared::store::Claimed| {
        let record = &one.job.record;
        record.started_at.expect("it runs").as_ms() - record.enqueued_at.as_ms()
    };
    let waited: Vec<i64> = claimed.iter().map(waited_ms).collect();
    let ends: Vec<AttemptEnd> = claimed
        .iter()
        .enumerate()
        .map(|(place, one)| {
            let failed = Ending::Failed { failure: Failure::new("x", "y"), attempt: 1, verdict: Verdict::Discard };
            let ending = if place == 2 { failed } else { Ending::Completed { result: None } };
            AttemptEnd { held: one.held.clone(), ending }
        })
        .collect();
    store.end(&ends).await.expect("Redis is there");
    store.end(&ends).await.expect("an end that is told twice is counted once");
    let mut ran_ms = 0;
    for one in &claimed[..2] {
        let job = store.job(one.job.record.id).await.expect("Redis is there").expect("it is kept");
        ran_ms += job.record.ended_at.expect("ended").as_ms() - job.record.started_at.expect("started").as_ms();
    }
    let recent = store.recent(&QueueName::default()).await.expect("Redis is there");
    assert_eq!((recent.completed, recent.failed), (2, 1));
    let average = |sum: i64| f64::from(i32::try_from(sum).expect("short")) / 2.0;
    assert_eq!((recent.avg_duration_ms, recent.avg_wait_ms), (average(ran_ms), average(waited[0] + waited[1])));
    assert!(recent.throughput_per_second > 0.0);
    holds(&store).await;
}
