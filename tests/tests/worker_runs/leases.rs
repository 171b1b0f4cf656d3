//! What is held stays held, and what is lost is let go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carillon_shared::job::JobState;
use carillon_tests::proxy::Proxy;
use carillon_tests::redis::shared;
use carillon_tests::wait::until;
use carillon_worker::{Context, HandlerError, StopReason};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use crate::stage::{Stage, start};

/// So long that a worker that stands still for a moment keeps it, and so short that its heartbeats come soon.
const LEASE: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_does_not_silence_the_heartbeats() {
    let stage = Stage::new().await;
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let (begun, mut has_begun) = mpsc::unbounded_channel();
    let block = move |_: Context, (): ()| {
        let (wait, begun) = (wait.clone(), begun.clone());
        async move {
            begun.send(()).expect("the test listens");
            // What must not be done.
            let _released = wait.lock().unwrap_or_else(PoisonError::into_inner).recv();
            Ok::<_, HandlerError>(())
        }
    };
    let _worker = start(stage.worker().handler("block", block).lease(LEASE));
    let id = stage.enqueue(&json!({"type": "block", "args": []})).await;
    has_begun.recv().await.expect("it blocks its thread");
    stage.extended(id, 2).await;
    drop(release);
    let job = stage.job_in(id, JobState::Completed).await;
    assert_eq!((job.record.attempt, job.record.crashes), (1, 0));
}

#[tokio::test]
async fn a_long_job_keeps_its_lease_through_heartbeats() {
    let stage = Stage::new().await;
    let release = Arc::new(Semaphore::new(0));
    let released = release.clone();
    let wait = move |_: Context, (): ()| {
        let released = released.clone();
        async move {
            released.acquire().await.expect("it is never closed").forget();
            Ok::<_, HandlerError>(())
        }
    };
    let _worker = start(stage.worker().handler("wait", wait).lease(LEASE * 100));
    // Its own wish is so much shorter that heartbeats come for it in time only if they follow it.
    let own_ms = u64::try_from(LEASE.as_millis()).expect("seconds");
    let own = stage.enqueue(&json!({"type": "wait", "args": [], "visibility_timeout_ms": own_ms})).await;
    let id = stage.enqueue(&json!({"type": "wait", "args": []})).await;
    for id in [own, id] {
        stage.job_in(id, JobState::Active).await;
        stage.extended(id, 2).await;
    }
    release.add_permits(2);
    for id in [id, own] {
        let job = stage.job_in(id, JobState::Completed).await;
        assert_eq!((job.record.attempt, job.record.crashes), (1, 0));
    }
}

#[tokio::test]
async fn a_worker_that_is_cut_off_stops_its_handlers_and_reports_nothing() {
    let stage = Stage::new().await;
    let proxy = Proxy::before(shared()).await;
    let mut options = stage.options.clone();
    options.connection.url = proxy.url();
    let (told, mut reasons) = mpsc::unbounded_channel();
    let patient = move |context: Context, (): ()| {
        let told = told.clone();
        async move {
            told.send(None).expect("the test listens");
            told.send(Some(context.cancelled().await)).expect("the test listens");
            Ok::<_, HandlerError>("not ours to say")
        }
    };
    let cut_off = start(stage.worker().store(options).handler("patient", patient).lease(LEASE));
    let id = stage.enqueue(&json!({"type": "patient", "args": []})).await;
    assert_eq!(reasons.recv().await, Some(None), "it runs");
    proxy.blackhole();
    assert_eq!(reasons.recv().await, Some(Some(StopReason::LeaseLost)));
    proxy.cut().await;
    proxy.heal().await;
    assert_eq!(cut_off.end().await.dropped, 1);
    assert_eq!(stage.job(id).await.record.state, JobState::Active, "it waits to be taken back");
}

#[tokio::test]
async fn replies_that_are_lost_lose_no_job_and_run_none_twice() {
    let stage = Stage::new().await;
    let proxy = Proxy::before(shared()).await;
    let mut options = stage.options.clone();
    options.connection.url = proxy.url();
    let runs = Arc::new(AtomicUsize::new(0));
    let count = runs.clone();
    let work = move |_: Context, (): ()| {
        count.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok::<_, HandlerError>(())
        }
    };
    let worker = start(stage.worker().store(options).handler("work", work).concurrency(2));
    let mut ids = Vec::new();
    for _ in 0..5 {
        for _ in 0..20 {
            ids.push(stage.enqueue(&json!({"type": "work", "args": []})).await);
        }
        proxy.lose_one_reply().await;
    }
    for id in &ids {
        stage.job_in(*id, JobState::Completed).await;
    }
    assert_eq!(runs.load(Ordering::SeqCst), ids.len());
    assert!(proxy.replies_lost() >= 5);
    worker.end().await;
}

#[tokio::test]
async fn the_registry_shows_a_worker_and_what_it_runs_until_it_ends() {
    let stage = Stage::new().await;
    let worker = start(stage.worker().lease(LEASE).queues(["a", "b"]).concurrency(7));
    let id = stage.enqueue(&json!({"type": "sleep", "args": [{"seconds": 600}], "queue": "b"})).await;
    until("the registry to show the job", async || {
        let workers = stage.store.workers().await.expect("Redis is there");
        workers.iter().any(|worker| worker.info.active_job_ids == [id])
    })
    .await;
    let workers = stage.store.workers().await.expect("Redis is there");
    let info = &workers[0].info;
    assert_eq!((workers.len(), info.concurrency, info.state.as_str()), (1, 7, "running"));
    assert_eq!(info.queues.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "b"]);
    assert!(info.job_types.iter().any(|job_type| job_type.as_str() == "sleep"));
    worker.shutdown.hurry();
    worker.end().await;
    assert!(stage.store.workers().await.expect("Redis is there").is_empty());
}
