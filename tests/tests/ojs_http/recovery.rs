//! What goes on by itself after a loss: of everything that Redis had, or of a worker.

use std::time::{Duration, Instant};

use carillon_tests::redis::{Server, shared};
use carillon_tests::wait::until;
use serde_json::json;

use crate::client::Api;
use crate::stage::{ack, fetched, job, until_state};

/// A scheduler that leads again and has looked at what is due: sooner than its lock ends, however slow the machine.
const BACK_WITHIN: Duration = Duration::from_secs(45);

#[tokio::test]
async fn an_emptied_redis_is_worked_on_as_if_it_were_new() {
    let server = Server::start(&["--appendonly", "no"]);
    let api = Api::with(&server.url(), &["--leader-ttl", "60s"]).await;
    let mut connection = server.connection().await;
    for _ in 0..3 {
        until("a leader", async || api.get("/ojs/v1/health").await.json()["leader"].is_string()).await;
        api.job(&json!({"type": "echo", "args": [], "delay": "PT1H"})).await;
        let _: () = redis::cmd("FLUSHDB").query_async(&mut connection).await.expect("an empty database");
        let emptied = Instant::now();
        // Nobody fetches: only a leader makes the first available and takes the second back.
        let delayed = api.job(&json!({"type": "echo", "args": [], "delay": "PT0.1S", "queue": "delayed"})).await;
        let held = api.job(&json!({"type": "echo", "args": [], "queue": "held"})).await;
        let fetch = json!({"queues": ["held"], "visibility_timeout_ms": 100});
        api.post("/ojs/v1/workers/fetch", &fetch).await;
        tokio::join!(until_state(&api, &delayed, "available"), until_state(&api, &held, "available"));
        assert!(emptied.elapsed() < BACK_WITHIN, "{:?}", emptied.elapsed());
    }
}

/// Makes the last heartbeat of a worker one of long ago.
async fn silence(api: &Api, worker: &str) {
    let mut connection = shared().connection().await;
    let heard = api.store().keys().heard();
    let changed =
        redis::cmd("ZADD").arg(heard).arg("XX").arg("CH").arg(1).arg(worker).query_async(&mut connection).await;
    assert_eq!(changed, Ok(1), "the worker was heard of");
}

#[tokio::test]
async fn the_jobs_of_a_worker_that_fell_silent_are_taken_back_whatever_their_leases_say() {
    let api = Api::start().await;
    let [id, others] =
        [api.job(&json!({"type": "echo", "args": []})).await, api.job(&json!({"type": "echo", "args": []})).await];
    let lease = fetched(&api, "gone").await["lease_token"].clone();
    fetched(&api, "there").await;
    let beat = async |worker: &str| {
        api.post("/ojs/v1/workers/heartbeat", &json!({"worker_id": worker, "active_jobs": 1})).await;
    };
    beat("gone").await;
    silence(&api, "gone").await;
    until("the job to be taken back", async || {
        beat("there").await;
        job(&api, &id).await["state"] == "available"
    })
    .await;
    assert_eq!(job(&api, &id).await["errors"][0]["code"], "worker_death");
    assert_eq!(job(&api, &others).await["state"], "active");
    ack(&api, &json!({"job_id": id, "lease_token": lease})).await.refused(409, "conflict", None);
    until("the news", async || {
        let events = api.get("/ojs/v1/events?types=worker.stopped").await.json();
        events["events"].as_array().is_some_and(|events| events.len() == 1)
    })
    .await;
}
