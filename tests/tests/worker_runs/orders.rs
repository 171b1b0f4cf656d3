//! Operators tell a worker to be quiet, to go on, or to terminate; it hears of it at once and the registry shows it.

use std::sync::Arc;

use carillon_shared::client::Client;
use carillon_shared::job::JobState;
use carillon_shared::name::WorkerId;
use carillon_shared::store::{KnownWorker, WorkerOrder};
use carillon_tests::process::Process;
use carillon_tests::wait::{until, until_some};
use carillon_worker::{Context, HandlerError, Shutdown};
use serde_json::json;
use tokio::sync::Notify;

use crate::program::program;
use crate::stage::{Stage, start};

fn id(text: &str) -> WorkerId {
    text.parse().expect("a worker id")
}

async fn order(stage: &Stage, worker: &str, order: Option<WorkerOrder>) {
    let known = Client::new(stage.store.clone()).order(&id(worker), order).await.expect("Redis is there");
    assert!(known, "{worker} is in the registry");
}

/// Waits until the registry shows the worker in this state.
async fn shown(stage: &Stage, worker: &str, state: &str) -> KnownWorker {
    until_some(&format!("{worker} to be {state}"), async || {
        let workers = stage.store.workers().await.expect("Redis is there");
        workers.into_iter().find(|known| known.info.worker_id == id(worker) && known.info.state == state)
    })
    .await
}

#[tokio::test]
async fn a_quiet_worker_finishes_what_it_runs_and_claims_nothing_until_the_order_is_taken_back() {
    let stage = Stage::new().await;
    let release = Arc::new(Notify::new());
    let released = release.clone();
    let wait = move |_: Context, (): ()| {
        let released = released.clone();
        async move {
            released.notified().await;
            Ok::<_, HandlerError>(())
        }
    };
    let worker = start(stage.worker().worker_id(id("w")).handler("wait", wait));
    let running = stage.enqueue(&json!({"type": "wait", "args": []})).await;
    stage.job_in(running, JobState::Active).await;
    // It may claim before its first heartbeat, by which it enters the registry.
    shown(&stage, "w", "running").await;
    order(&stage, "w", Some(WorkerOrder::Quiet)).await;
    assert_eq!(shown(&stage, "w", "quiet").await.order, Some(WorkerOrder::Quiet));
    let later = stage.enqueue(&json!({"type": "echo", "args": []})).await;
    release.notify_one();
    stage.job_in(running, JobState::Completed).await;
    // Another worker takes what the quiet one leaves, and would come second if that one did not leave it.
    let other = start(stage.worker().worker_id(id("other")));
    assert_eq!(stage.job_in(later, JobState::Completed).await.record.worker.as_deref(), Some("other"));
    other.end().await;
    order(&stage, "w", None).await;
    assert_eq!(shown(&stage, "w", "running").await.order, None);
    let last = stage.enqueue(&json!({"type": "echo", "args": []})).await;
    assert_eq!(stage.job_in(last, JobState::Completed).await.record.worker.as_deref(), Some("w"));
    assert_eq!(worker.end().await.claimed, 2);
}

#[tokio::test]
async fn a_worker_that_is_told_to_terminate_ends_as_on_sigterm_and_no_other_does() {
    let stage = Stage::new().await;
    // One word to two workers: what one of them is told must not reach the other by it.
    let shutdown = Shutdown::new();
    let run = |name: &str| {
        let worker = stage.worker().worker_id(id(name)).build().expect("a worker");
        let told = shutdown.clone();
        tokio::spawn(async move { worker.run(told).await.expect("Redis is there") })
    };
    let (doomed, other) = (run("doomed"), run("other"));
    for name in ["doomed", "other"] {
        shown(&stage, name, "running").await;
    }
    order(&stage, "doomed", Some(WorkerOrder::Terminate)).await;
    doomed.await.expect("it ends by itself");
    until("the registry to forget it and its order", async || {
        stage.store.worker(&id("doomed")).await.expect("Redis is there").is_none()
            && stage.store.order_of(&id("doomed")).await.expect("Redis is there").is_none()
    })
    .await;
    shown(&stage, "other", "running").await;
    assert!(!other.is_finished());
    shutdown.drain();
    other.await.expect("it ends when all are told");
}

#[tokio::test]
async fn a_worker_that_is_killed_while_quiet_is_quiet_when_it_is_started_again() {
    let stage = Stage::new().await;
    let mut first = Process::start(&program(&stage, "steady"));
    shown(&stage, "steady", "running").await;
    order(&stage, "steady", Some(WorkerOrder::Quiet)).await;
    first.printed("told to be quiet").await;
    first.kill();
    stage.enqueue(&json!({"type": "echo", "args": []})).await;
    let mut second = Process::start(&program(&stage, "steady"));
    second.printed("told to be quiet").await;
    second.printed("the worker is ready").await;
    order(&stage, "steady", Some(WorkerOrder::Terminate)).await;
    assert_eq!(second.ended().await.code(), Some(0));
    assert!(second.output().contains("told to terminate") && second.output().contains("claimed: 0"));
}
