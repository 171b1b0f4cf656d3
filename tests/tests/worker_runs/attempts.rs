//! How attempts end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use carillon_shared::job::JobState;
use carillon_shared::store::CancelReply;
use carillon_tests::store::LEASE;
use carillon_tests::wait::{until, until_some};
use carillon_worker::{Context, HandlerError, StopReason};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::stage::{Stage, last_code, start};

/// Sooner than the next heartbeat of a long lease, by seconds.
const BEFORE_THE_NEXT_BEAT: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_job_is_run_and_its_result_is_kept() {
    let stage = Stage::new().await;
    let add = |context: Context, (a, b): (u64, u64)| async move {
        Ok::<_, HandlerError>(json!({"sum": a + b, "attempt": context.attempt(), "queue": context.queue().as_str()}))
    };
    let worker = start(stage.worker().handler("add", add));
    let id = stage.enqueue(&json!({"type": "add", "args": [2, 3]})).await;
    let job = stage.job_in(id, JobState::Completed).await;
    assert_eq!(job.result, Some(json!({"sum": 5, "attempt": 1, "queue": "default"})));
    let summary = worker.end().await;
    assert_eq!((summary.claimed, summary.completed, summary.failed), (1, 1, 0));
}

#[tokio::test]
async fn a_failed_attempt_is_tried_again_until_one_succeeds() {
    let stage = Stage::new().await;
    let _worker = start(stage.worker());
    let retry = json!({"max_attempts": 5, "initial_interval_ms": 20, "jitter": false});
    let id = stage.enqueue(&json!({"type": "fail", "args": [{"times": 2}], "retry": retry})).await;
    let job = stage.job_in(id, JobState::Completed).await;
    assert_eq!((job.record.attempt, job.errors.len(), last_code(&job)), (3, 2, "asked_to"));
}

#[tokio::test]
async fn attempts_that_are_used_up_end_the_job() {
    let stage = Stage::new().await;
    let _worker = start(stage.worker());
    let retry = json!({"max_attempts": 2, "initial_interval_ms": 20, "on_exhaustion": "dead_letter"});
    let id = stage.enqueue(&json!({"type": "fail", "args": [], "retry": retry})).await;
    let job = stage.job_in(id, JobState::Discarded).await;
    assert_eq!((job.record.attempt, job.record.dead), (2, true));
}

#[tokio::test]
async fn a_permanent_error_ends_the_job_at_once() {
    let stage = Stage::new().await;
    let _worker = start(stage.worker());
    let id = stage.enqueue(&json!({"type": "fail", "args": [{"retryable": false, "code": "no_use"}]})).await;
    let misfit = stage.enqueue(&json!({"type": "sleep", "args": ["soon"]})).await;
    for (id, code) in [(id, "no_use"), (misfit, "invalid_args")] {
        let job = stage.job_in(id, JobState::Discarded).await;
        assert_eq!((job.record.attempt, last_code(&job)), (1, code));
    }
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt_and_ends_nothing_else() {
    let stage = Stage::new().await;
    let broken = |_: Context, wanted: Vec<u64>| async move {
        Ok::<_, HandlerError>(*wanted.first().expect("something is there"))
    };
    let _worker = start(stage.worker().handler("broken", broken));
    let once = json!({"max_attempts": 1});
    let id = stage.enqueue(&json!({"type": "broken", "args": [], "retry": once})).await;
    let job = stage.job_in(id, JobState::Discarded).await;
    assert_eq!(last_code(&job), "panic");
    assert!(
        job.errors[0]["message"].as_str().is_some_and(|message| message.contains("something is there")),
        "{:?}",
        job.errors
    );
    let next = stage.enqueue(&json!({"type": "echo", "args": [1]})).await;
    stage.job_in(next, JobState::Completed).await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_fails_and_its_handler_is_told() {
    let stage = Stage::new().await;
    let (told, mut reasons) = mpsc::unbounded_channel();
    let slow = move |context: Context, (): ()| {
        let told = told.clone();
        async move {
            let reason = context.cancelled().await;
            told.send(reason).expect("the test listens");
            Ok::<_, HandlerError>("too late")
        }
    };
    let _worker = start(stage.worker().handler("slow", slow));
    let id = stage.enqueue(&json!({"type": "slow", "args": [], "timeout_ms": 50, "retry": {"max_attempts": 1}})).await;
    assert_eq!(reasons.recv().await, Some(StopReason::Timeout));
    assert_eq!(last_code(&stage.job_in(id, JobState::Discarded).await), "timeout");
}

#[tokio::test]
async fn a_cancelled_job_stops_its_handler_before_the_next_heartbeat() {
    let stage = Stage::new().await;
    let (told, mut reasons) = mpsc::unbounded_channel();
    let patient = move |context: Context, (): ()| {
        let told = told.clone();
        async move {
            told.send(None).expect("the test listens");
            told.send(Some(context.cancelled().await)).expect("the test listens");
            Ok::<_, HandlerError>(())
        }
    };
    let worker = start(stage.worker().handler("patient", patient).lease(LEASE));
    let id = stage.enqueue(&json!({"type": "patient", "args": []})).await;
    assert_eq!(reasons.recv().await, Some(None), "it runs");
    // One heartbeat has just gone out.
    stage.extended(id, 1).await;
    let reply = stage.store.cancel(id, "test", "no more need").await.expect("Redis is there");
    assert_eq!(reply, CancelReply::Cancelled(JobState::Active));
    let told = timeout(BEFORE_THE_NEXT_BEAT, reasons.recv()).await;
    assert_eq!(told, Ok(Some(Some(StopReason::Cancelled))));
    assert_eq!(worker.end().await.dropped, 1, "nothing is reported of it");
    assert_eq!(stage.job(id).await.record.state, JobState::Cancelled);
}

#[tokio::test]
async fn a_cancelled_handler_that_does_not_listen_is_aborted() {
    let stage = Stage::new().await;
    let running = Arc::new(AtomicUsize::new(0));
    let count = running.clone();
    let deaf = move |_: Context, (): ()| {
        let guard = Counted::new(&count);
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok::<_, HandlerError>(())
        }
    };
    let _worker = start(stage.worker().handler("deaf", deaf).stop_grace(Duration::from_millis(50)));
    let id = stage.enqueue(&json!({"type": "deaf", "args": []})).await;
    until("the handler to run", async || running.load(Ordering::SeqCst) == 1).await;
    stage.store.cancel(id, "test", "").await.expect("Redis is there");
    until("the handler to be aborted", async || running.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_job_without_handler_is_given_back_then_goes_to_the_dead_letters() {
    let stage = Stage::new().await;
    let _worker = start(stage.worker().unhandled_max(1));
    let id = stage.enqueue(&json!({"type": "nobody.knows", "args": []})).await;
    let dead = stage.job_in(id, JobState::Discarded).await;
    assert!(dead.record.dead && last_code(&dead) == "no_handler");
    let record = &dead.record;
    assert_eq!((record.returns, record.attempt, dead.errors.len()), (1, 1, 1), "what was given back burned no attempt");
    assert!(
        dead.errors[0]["message"].as_str().is_some_and(|message| message.contains("`nobody.knows`")),
        "{:?}",
        dead.errors
    );
}

#[tokio::test]
async fn a_job_that_one_worker_cannot_run_is_run_by_another() {
    let stage = Stage::new().await;
    let _old = start(stage.worker().queues(["old", "default"]).concurrency(1));
    let id = stage.enqueue(&json!({"type": "new.type", "args": []})).await;
    until("the job to be given back", async || stage.job(id).await.record.returns > 0).await;
    // The old one is kept busy: which of two idle workers gets a job is a matter of luck.
    let hour = stage.enqueue(&json!({"type": "sleep", "args": [3_600_000], "queue": "old"})).await;
    stage.job_in(hour, JobState::Active).await;
    let _new = start(stage.worker().handler("new.type", |_: Context, (): ()| async { Ok::<_, HandlerError>(1) }));
    let job = stage.job_in(id, JobState::Completed).await;
    assert_eq!(job.record.attempt, 1);
}

#[tokio::test]
async fn no_more_is_claimed_than_there_are_free_slots() {
    let stage = Stage::new().await;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, peak) = (running.clone(), most.clone());
    let work = move |_: Context, (): ()| {
        let (guard, peak) = (Counted::new(&count), peak.clone());
        async move {
            peak.fetch_max(guard.0.load(Ordering::SeqCst), Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(guard);
            Ok::<_, HandlerError>(())
        }
    };
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(stage.enqueue(&json!({"type": "work", "args": []})).await);
    }
    let worker = start(stage.worker().handler("work", work).concurrency(3));
    until_some("all jobs to end", async || {
        let stats = stage.store.queue("default".parse().expect("a queue")).await.expect("Redis is there");
        let count = |state| stats.counts.iter().find(|(other, _)| *other == state).map_or(0, |(_, count)| *count);
        assert!(count(JobState::Active) <= 3, "{stats:?}");
        (count(JobState::Completed) == 40).then_some(())
    })
    .await;
    assert_eq!((worker.end().await.completed, most.load(Ordering::SeqCst)), (40, 3));
}

#[tokio::test]
async fn an_idle_worker_is_woken_by_its_bell() {
    let stage = Stage::new().await;
    // So long that only the bell can explain what happens.
    let _worker = start(stage.worker().poll_interval(Duration::from_secs(3600)));
    let first = stage.enqueue(&json!({"type": "echo", "args": []})).await;
    stage.job_in(first, JobState::Completed).await;
    let second = stage.enqueue(&json!({"type": "echo", "args": [Value::Null]})).await;
    stage.job_in(second, JobState::Completed).await;
}

/// Counts how many of it there are.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
