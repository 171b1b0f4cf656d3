//! A worker ends in phases, and burns nobody's attempt.

use std::collections::HashSet;
use std::time::Duration;

use carillon_shared::job::JobState;
use carillon_tests::wait::{until, until_some};
use carillon_worker::{Context, HandlerError, StopReason};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::stage::{Stage, start};

#[tokio::test]
async fn a_drain_lets_running_jobs_end_and_claims_no_more() {
    let stage = Stage::new().await;
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Mutex::new(Some(released));
    let (begun, mut has_begun) = mpsc::unbounded_channel();
    let wait = move |_: Context, (): ()| {
        let released = released.lock().expect("no panic").take().expect("one job");
        begun.send(()).expect("the test listens");
        async move { released.await.map_err(HandlerError::from) }
    };
    let worker = start(stage.worker().handler("wait", wait));
    let running = stage.enqueue(&json!({"type": "wait", "args": []})).await;
    // A job that is claimed and has not begun is given back.
    has_begun.recv().await.expect("it begins");
    worker.shutdown.drain();
    until_some("the worker to be quiet", async || {
        let workers = stage.store.workers().await.expect("Redis is there");
        workers.into_iter().find(|worker| worker.info.state == "quiet")
    })
    .await;
    let later = stage.enqueue(&json!({"type": "echo", "args": []})).await;
    release.send(()).expect("the handler waits");
    let summary = worker.end().await;
    assert_eq!((summary.claimed, summary.completed, summary.returned), (1, 1, 0));
    assert_eq!(stage.job(running).await.record.state, JobState::Completed);
    assert_eq!(stage.job(later).await.record.state, JobState::Available);
}

#[tokio::test]
async fn what_does_not_end_within_the_grace_is_told_then_given_back() {
    let stage = Stage::new().await;
    let (told, mut reasons) = mpsc::unbounded_channel();
    let deaf = move |context: Context, (): ()| {
        let told = told.clone();
        async move {
            told.send(None).expect("the test listens");
            told.send(Some(context.cancelled().await)).expect("the test listens");
            std::future::pending::<()>().await;
            Ok::<_, HandlerError>(())
        }
    };
    let worker = start(stage.worker().handler("deaf", deaf).grace(Duration::from_millis(200)));
    let deaf = stage.enqueue(&json!({"type": "deaf", "args": []})).await;
    let polite = stage.enqueue(&json!({"type": "sleep", "args": [{"seconds": 600}]})).await;
    for id in [deaf, polite] {
        stage.job_in(id, JobState::Active).await;
    }
    assert_eq!(reasons.recv().await, Some(None), "it runs");
    assert_eq!(worker.end().await.returned, 2);
    assert_eq!(reasons.recv().await, Some(Some(StopReason::Shutdown)));
    for id in [deaf, polite] {
        let record = stage.job(id).await.record;
        assert_eq!((record.state, record.attempt, record.returns), (JobState::Available, 0, 1));
    }
}

#[tokio::test]
async fn a_drain_in_the_midst_of_many_jobs_loses_none() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for _ in 0..600 {
        ids.push(stage.enqueue(&json!({"type": "count", "args": []})).await);
    }
    let (ran, mut runs) = mpsc::unbounded_channel();
    let count = move |context: Context, (): ()| {
        ran.send(context.job_id()).expect("the test listens");
        async { Ok::<_, HandlerError>(()) }
    };
    let worker = start(stage.worker().handler("count", count).concurrency(400));
    // More calls are on the way by then.
    let mut seen = vec![runs.recv().await.expect("the worker runs")];
    let summary = worker.end().await;
    seen.extend(std::iter::from_fn(|| runs.try_recv().ok()));
    assert_eq!(summary.claimed, summary.completed + summary.returned);
    assert_eq!(summary.completed, u64::try_from(seen.len()).expect("few"));
    let distinct = seen.iter().copied().collect::<HashSet<_>>();
    assert_eq!(distinct.len(), seen.len(), "each ran once");
    for job in stage.store.jobs(&ids).await.expect("Redis is there") {
        let record = job.expect("the job is kept").record;
        let expected = if distinct.contains(&record.id) { (JobState::Completed, 1) } else { (JobState::Available, 0) };
        assert_eq!((record.state, record.attempt), expected);
    }
}

#[tokio::test]
async fn a_hurry_gives_back_at_once() {
    let stage = Stage::new().await;
    let worker = start(stage.worker().grace(Duration::from_secs(3600)));
    let id = stage.enqueue(&json!({"type": "sleep", "args": [{"seconds": 600}]})).await;
    stage.job_in(id, JobState::Active).await;
    worker.shutdown.hurry();
    assert_eq!(worker.end().await.returned, 1);
    assert_eq!(stage.job(id).await.record.attempt, 0);
}

#[test]
fn handlers_that_block_all_threads_hold_up_neither_time_limits_nor_a_drain() {
    // The threads of the handlers, and others to look at what happens.
    let handlers = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let onlooker = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    let (begun, mut has_begun) = mpsc::unbounded_channel();
    let block = move |_: Context, (): ()| {
        let (wait, begun) = (wait.clone(), begun.clone());
        async move {
            begun.send(()).expect("the test listens");
            let _released = wait.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
            Ok::<_, HandlerError>(())
        }
    };
    onlooker.block_on(async {
        let stage = Stage::new().await;
        let builder = stage.worker().handler("block", block).grace(Duration::ZERO).stop_grace(Duration::ZERO);
        let patient = stage
            .enqueue(
                &json!({"type": "sleep", "args": [{"seconds": 600}], "timeout_ms": 4000, "retry": {"max_attempts": 1}}),
            )
            .await;
        let (worker, shutdown) = (builder.build().expect("a worker"), carillon_worker::Shutdown::new());
        let told = shutdown.clone();
        let running = handlers.spawn(async move { worker.run(told).await });
        let state = async || stage.job(patient).await.record.state;
        until("the patient job to be claimed", async || state().await != JobState::Available).await;
        let mut blockers = Vec::new();
        for _ in 0..2 {
            blockers.push(stage.enqueue(&json!({"type": "block", "args": []})).await);
        }
        for _ in &blockers {
            has_begun.recv().await.expect("each blocks its thread");
        }
        let ended = stage.job_in(patient, JobState::Discarded).await;
        assert_eq!(crate::stage::last_code(&ended), "timeout");
        shutdown.drain();
        for id in blockers {
            let record = stage.job_in(id, JobState::Available).await.record;
            assert_eq!((record.attempt, record.returns), (0, 1));
        }
        drop(release);
        running.await.expect("no panic").expect("Redis is there");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_does_not_hold_up_the_end() {
    let stage = Stage::new().await;
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    let (begun, mut has_begun) = mpsc::unbounded_channel();
    let block = move |_: Context, (): ()| {
        let (wait, begun) = (wait.clone(), begun.clone());
        async move {
            begun.send(()).expect("the test listens");
            let _released = wait.lock().expect("no panic").recv();
            Ok::<_, HandlerError>(())
        }
    };
    let worker = start(stage.worker().handler("block", block).grace(Duration::ZERO));
    let id = stage.enqueue(&json!({"type": "block", "args": []})).await;
    has_begun.recv().await.expect("it blocks its thread");
    let summary = worker.end().await;
    assert_eq!((summary.returned, summary.abandoned), (1, 1));
    assert_eq!(stage.job(id).await.record.state, JobState::Available);
    drop(release);
}
