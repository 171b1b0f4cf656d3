//! What is held stays held, and what is lost is let go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use carillon_shared::job::JobState;
use carillon_tests::proxy::Proxy;
use carillon_tests::redis::shared;
use carillon_tests::wait::until;
use carillon_worker::{Context, HandlerError, StopReason};
use serde_json::json;
use tokio::sync::mpsc;

use crate::stage::{Stage, start};

const LEASE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_does_not_silence_the_heartbeats() {
    let stage = Stage::new().await;
    let _reclaimer = stage.reclaimer();
    let block = |_: Context, (): ()| async {
        // What must not be done, for three leases.
        std::thread::sleep(LEASE * 3);
        Ok::<_, HandlerError>(())
    };
    let _worker = start(stage.worker().handler("block", block).lease(LEASE));
    let id = stage.enqueue(&json!({"type": "block", "args": []})).await;
    let job = stage.job_in(id, JobState::Completed).await;
    assert_eq!((job.record.attempt, job.record.crashes), (1, 0));
}

#[tokio::test]
async fn a_long_job_keeps_its_lease_through_heartbeats() {
    let stage = Stage::new().await;
    let _reclaimer = stage.reclaimer();
    let _worker = start(stage.worker().lease(LEASE));
    let id = stage.enqueue(&json!({"type": "sleep", "args": [{"seconds": 2.5}]})).await;
    let own = stage.enqueue(&json!({"type": "sleep", "args": [{"seconds": 1.5}], "visibility_timeout_ms": 600})).await;
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
