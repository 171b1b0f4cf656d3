//! Scripts of jobs and queues: enqueue, activate, cancel, progress, revive, bury, queue_set.

use std::time::Duration;

use carillon_shared::id::{JobId, Partition, nonce};
use carillon_shared::job::{Envelope, Failure, Verdict};
use carillon_shared::name::QueueName;
use carillon_shared::store::{AttemptEnd, Ending, Held, NewJob, QueueChange, Store};
use carillon_tests::store::{claim_one, enqueue, envelope};
use serde_json::{Value, json};

use crate::case::{Call, Case, call, case};

pub(crate) const P0: Partition = Partition(0);

pub(crate) fn plain() -> Value {
    json!({"type": "echo", "args": []})
}

pub(crate) fn nobody(store: &Store) -> JobId {
    JobId::random(store.clock().now(), P0)
}

pub(crate) async fn active(store: &Store) -> Held {
    enqueue(store, &plain()).await;
    claim_one(store).await.held
}

pub(crate) fn failed(verdict: Verdict) -> Ending {
    Ending::Failed { failure: Failure::new("handler_error", "no"), attempt: 1, verdict }
}

pub(crate) async fn dead(store: &Store) -> JobId {
    let held = active(store).await;
    let end = AttemptEnd { held: held.clone(), ending: failed(Verdict::DeadLetter) };
    store.end(&[end]).await.expect("Redis is there");
    held.id
}

async fn ended(store: &Store) -> JobId {
    let id = enqueue(store, &plain()).await;
    store.cancel(id, "test", "").await.expect("Redis is there");
    id
}

/// An enqueue of these, under one request each.
fn taking_in(store: &Store, jobs: &[Value]) -> Call {
    let now = store.clock().now();
    let jobs: Vec<Envelope> = jobs.iter().map(|job| envelope(job, now)).collect();
    let jobs: Vec<_> = jobs.into_iter().map(|job| (store.id_for(&job), nonce(), job)).collect();
    call!(store, jobs => {
        let new = |(id, request, envelope): &(JobId, String, Envelope)| (*id, request.clone(), envelope.clone());
        let owned: Vec<_> = jobs.iter().map(new).collect();
        let batch: Vec<_> =
            owned.iter().map(|(id, request, envelope)| NewJob { id: *id, envelope, request: request.clone() }).collect();
        store.enqueue(&batch).await
    })
}

fn unique(on_conflict: &str) -> Value {
    json!({"type": "echo", "args": [1], "unique": {"keys": ["args"], "on_conflict": on_conflict}})
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case!(enqueue, "a job", Once, |store| taking_in(&store, &[plain()])),
        case!(enqueue, "a batch", Once, |store| taking_in(&store, &[plain(), unique("reject"), plain()])),
        case!(enqueue, "a job for later", Once, |store| {
            taking_in(&store, &[json!({"type": "echo", "args": [], "scheduled_at": "2999-01-01T00:00:00Z"})])
        }),
        case!(enqueue, "a unique job in place of another", Once, |store| {
            enqueue(&store, &unique("reject")).await;
            taking_in(&store, &[unique("replace")])
        }),
        case!(enqueue, "a job whose id is taken", Nothing, |store| {
            let id = enqueue(&store, &plain()).await;
            taking_in(&store, &[plain(), json!({"type": "echo", "args": [], "id": id})])
        }),
        case!(enqueue, "two jobs of one id", Nothing, |store| {
            let job = json!({"type": "echo", "args": [], "id": nobody(&store)});
            taking_in(&store, &[job.clone(), job])
        }),
        case!(enqueue, "a unique job that is there", Nothing, |store| {
            enqueue(&store, &unique("reject")).await;
            taking_in(&store, &[plain(), unique("reject")])
        }),
        case!(enqueue, "a unique job twice in a batch", Nothing, |store| {
            taking_in(&store, &[unique("reject"), unique("reject")])
        }),
        case!(enqueue, "a unique job that gives way", Nothing, |store| {
            enqueue(&store, &unique("reject")).await;
            taking_in(&store, &[unique("ignore")])
        }),
    ];
    cases.extend(changes());
    cases.extend(letters());
    cases
}

fn changes() -> Vec<Case> {
    vec![
        case!(activate, "a pending job", Once, |store| {
            let id = enqueue(&store, &json!({"type": "echo", "args": [], "options": {"pending": true}})).await;
            call!(store, id => store.activate(id).await)
        }),
        case!(activate, "an available job", Nothing, |store| {
            let id = enqueue(&store, &plain()).await;
            call!(store, id => store.activate(id).await)
        }),
        case!(activate, "nobody", Nothing, |store| {
            let id = nobody(&store);
            call!(store, id => store.activate(id).await)
        }),
        case!(cancel, "an available job", Once, |store| {
            let id = enqueue(&store, &plain()).await;
            call!(store, id => store.cancel(id, "test", "enough").await)
        }),
        case!(cancel, "a running job", Once, |store| {
            let id = active(&store).await.id;
            call!(store, id => store.cancel(id, "test", "enough").await)
        }),
        case!(cancel, "a job that has ended", Nothing, |store| {
            let id = ended(&store).await;
            call!(store, id => store.cancel(id, "test", "").await)
        }),
        case!(cancel, "nobody", Nothing, |store| {
            let id = nobody(&store);
            call!(store, id => store.cancel(id, "test", "").await)
        }),
        case!(progress, "a running job", Renewed, |store| {
            let id = active(&store).await.id;
            call!(store, id => store.put_progress(id, &json!({"percent": 10}), 10.0, Some("well")).await)
        }),
        case!(progress, "a job that has ended", Nothing, |store| {
            let id = ended(&store).await;
            call!(store, id => store.put_progress(id, &json!({"percent": 10}), 10.0, None).await)
        }),
        case!(progress, "nobody", Nothing, |store| {
            let id = nobody(&store);
            call!(store, id => store.put_progress(id, &json!({"percent": 10}), 10.0, None).await)
        }),
        case!(queue_set, "a limit", Renewed, |store| {
            enqueue(&store, &plain()).await;
            let queue = QueueName::default();
            call!(store, queue => store.change_queue(&queue, &QueueChange::Concurrency(Some(1))).await)
        }),
        case!(queue_set, "a pause", Renewed, |store| {
            let queue = QueueName::default();
            call!(store, queue => store.change_queue(&queue, &QueueChange::Pause).await)
        }),
    ]
}

fn letters() -> Vec<Case> {
    vec![
        case!(revive, "a dead letter", Once, |store| {
            let id = dead(&store).await;
            call!(store, id => store.revive(id).await)
        }),
        case!(revive, "a unique dead letter that is not due", Once, |store| {
            let soon =
                json!({"type": "echo", "args": [], "expires_at": "2999-01-01T00:00:00Z", "unique": {"keys": ["type"]}});
            let id = enqueue(&store, &soon).await;
            let held = claim_one(&store).await.held;
            store.end(&[AttemptEnd { held, ending: failed(Verdict::DeadLetter) }]).await.expect("Redis is there");
            call!(store, id => store.revive(id).await)
        }),
        case!(revive, "a discarded job", Nothing, |store| {
            let held = active(&store).await;
            let end = AttemptEnd { held: held.clone(), ending: failed(Verdict::Discard) };
            store.end(&[end]).await.expect("Redis is there");
            call!(store, held => store.revive(held.id).await)
        }),
        case!(revive, "a retryable job", Nothing, |store| {
            let held = active(&store).await;
            let ending = failed(Verdict::Retry(Duration::from_secs(60)));
            store.end(&[AttemptEnd { held: held.clone(), ending }]).await.expect("Redis is there");
            call!(store, held => store.revive(held.id).await)
        }),
        case!(revive, "nobody", Nothing, |store| {
            let id = nobody(&store);
            call!(store, id => store.revive(id).await)
        }),
        case!(bury, "a dead letter", Once, |store| {
            let id = dead(&store).await;
            call!(store, id => store.bury(id).await)
        }),
        case!(bury, "a job that has ended otherwise", Nothing, |store| {
            let id = ended(&store).await;
            call!(store, id => store.bury(id).await)
        }),
        case!(bury, "nobody", Nothing, |store| {
            let id = nobody(&store);
            call!(store, id => store.bury(id).await)
        }),
    ]
}
