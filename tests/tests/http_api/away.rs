//! While Redis is away.

use std::time::{Duration, Instant};

use carillon_tests::proxy::Proxy;
use carillon_tests::redis::shared;
use carillon_tests::wait::until;
use serde_json::json;

use crate::client::Api;

/// The patience of the store, the timeout of some calls, and a slow machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn without_redis_every_answer_is_a_503_in_time_and_everything_comes_back_with_it() {
    let proxy = Proxy::before(shared()).await;
    let api = Api::with(&proxy.url(), &[]).await;
    proxy.refuse().await;
    let job = json!({"type": "echo", "args": []});
    let started = Instant::now();
    let (jobs, cron, events) =
        tokio::join!(api.post("/ojs/v1/jobs", &job), api.get("/ojs/v1/cron"), api.get("/ojs/v1/events"));
    for answer in [jobs, cron, events] {
        answer.refused(503, "backend_error", None);
        assert_eq!((&answer.json()["error"]["retryable"], answer.header("retry-after")), (&json!(true), "1"));
    }
    assert!(started.elapsed() < ANSWERED_WITHIN, "{:?}", started.elapsed());

    let health = api.get("/ojs/v1/health").await;
    assert_eq!(
        (health.status, &health.json()["status"], &health.json()["backend"]["connection"]),
        (503, &json!("degraded"), &json!("disconnected"))
    );
    assert_eq!((api.get("/readyz").await.status, api.get("/livez").await.status), (503, 200));

    proxy.heal().await;
    until("Redis to be back", async || api.get("/readyz").await.status == 200).await;
    api.job(&job).await;
}

#[tokio::test]
async fn a_redis_that_says_nothing_is_told_apart_in_time() {
    let proxy = Proxy::before(shared()).await;
    let api = Api::with(&proxy.url(), &["--redis-timeout", "2s"]).await;
    proxy.blackhole();
    let started = Instant::now();
    assert_eq!(api.get("/ojs/v1/health").await.status, 503);
    api.get("/ojs/v1/queues").await.refused(503, "backend_error", None);
    assert!(started.elapsed() < ANSWERED_WITHIN, "{:?}", started.elapsed());
    proxy.cut().await;
    proxy.heal().await;
    until("Redis to be back", async || api.get("/readyz").await.status == 200).await;
}
