//! Workers over HTTP: heartbeats, the registry, orders.

use carillon_tests::redis::shared;
use carillon_tests::store::a_millisecond;
use carillon_tests::wait::until;
use serde_json::{Value, json};

use crate::client::{Answer, Api};
use crate::stage::{fetched, job, offered, until_state};

async fn beat(api: &Api, body: &Value) -> Value {
    let answer: Answer = api.post("/ojs/v1/workers/heartbeat", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_heartbeat_extends_what_is_held_and_tells_what_is_not() {
    let api = Api::start().await;
    let mut ids = Vec::new();
    for worker in ["mine", "mine", "other"] {
        ids.push(api.job(&json!({"type": "echo", "args": []})).await);
        fetched(&api, worker).await;
    }
    api.delete(&format!("/ojs/v1/jobs/{}", ids[1])).await;
    let named = json!([ids[0], ids[1], ids[2], "nonsense"]);
    for body in [
        json!({"worker_id": "mine", "active_jobs": named}),
        json!({"worker_id": "mine", "active_jobs": 4, "active_job_ids": named}),
    ] {
        let heard = beat(&api, &body).await;
        assert_eq!((&heard["jobs_extended"], &heard["cancelled_jobs"]), (&json!([ids[0]]), &json!([ids[1]])));
        assert_eq!((&heard["jobs_lost"], &heard["state"]), (&json!([ids[2], "nonsense"]), &json!("running")));
    }
    assert_eq!(beat(&api, &json!({"worker_id": "mine"})).await["jobs_extended"], json!([ids[0]]), "all it holds");
    let none = json!({"worker_id": "mine", "active_jobs": 0, "active_job_ids": null});
    assert_eq!(beat(&api, &none).await["jobs_extended"], json!([]));
}

/// Asks the index of leases something.
async fn leases(api: &Api, command: &str, args: &[&str]) -> i64 {
    let key = api.store().keys().partition(carillon_shared::id::Partition(0)).leases();
    let mut ask = redis::cmd(command);
    ask.arg(key).arg(args);
    ask.query_async(&mut shared().connection().await).await.expect("Redis is there")
}

#[tokio::test]
async fn a_job_is_held_for_as_long_as_heartbeats_say() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": [], "retry": {"max_attempts": 9}})).await;
    let fetch = json!({"queues": ["default"], "worker_id": "w", "visibility_timeout_ms": 600_000});
    api.post("/ojs/v1/workers/fetch", &fetch).await;
    let now_ms = async || api.store().now().await.expect("Redis is there").as_ms();
    for _ in 0..3 {
        a_millisecond(api.store()).await;
        let before = now_ms().await;
        assert_eq!(beat(&api, &json!({"worker_id": "w", "active_jobs": [id]})).await["jobs_extended"], json!([id]));
        let deadline = leases(&api, "ZSCORE", &[&id]).await;
        assert!((before + 600_000..=now_ms().await + 600_000).contains(&deadline), "{before} {deadline}");
    }
    // As if no heartbeat had come for so long.
    assert_eq!(leases(&api, "ZADD", &["XX", "CH", "1", &id]).await, 1);
    until_state(&api, &id, "available").await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_be_quiet_hears_it_and_gets_no_more_jobs() {
    let api = Api::start().await;
    api.job(&json!({"type": "echo", "args": []})).await;
    api.poke("/ojs/v1/workers/w/quiet").await.refused(404, "not_found", None);
    beat(&api, &json!({"worker_id": "w", "active_jobs": []})).await;
    for (order, state) in [("quiet", "quiet"), ("terminate", "terminate")] {
        assert_eq!(api.poke(&format!("/ojs/v1/workers/w/{order}")).await.status, 200);
        let heard = beat(&api, &json!({"worker_id": "w", "active_jobs": []})).await;
        assert_eq!((&heard["state"], &heard["directive"], offered(&api, "w").await), (&json!(state), &json!(state), 0));
    }
    api.poke("/ojs/v1/workers/w/resume").await;
    let heard = beat(&api, &json!({"worker_id": "w", "active_jobs": []})).await;
    assert_eq!((&heard["state"], offered(&api, "w").await), (&json!("running"), 1));
}

#[tokio::test]
async fn a_worker_that_says_that_it_drains_gets_no_more_jobs() {
    let api = Api::start().await;
    api.job(&json!({"type": "echo", "args": []})).await;
    let heard = api.post("/ojs/v1/workers/beat", &json!({"worker_id": "w", "state": "drain", "active_jobs": []})).await;
    assert_eq!(heard.json()["acknowledged"], true);
    assert_eq!(api.get("/ojs/v1/workers/w/health").await.json()["state"], "drain");
    assert_eq!((offered(&api, "w").await, offered(&api, "other").await), (0, 1));
}

#[tokio::test]
async fn a_worker_is_registered_remembered_and_struck_off() {
    let api = Api::start().await;
    let said = json!({"worker_id": "w", "hostname": "h", "pid": 7, "queues": ["a"], "concurrency": 3});
    let registered = api.post("/ojs/v1/workers", &said).await.json();
    assert_eq!((&registered["ok"], &registered["heartbeat_interval"]), (&json!(true), &json!(5)));
    beat(&api, &json!({"worker_id": "w", "active_jobs": []})).await;
    let known = api.get("/ojs/v1/workers").await.json()["workers"][0].clone();
    for name in ["worker_id", "hostname", "pid", "queues", "concurrency"] {
        assert_eq!(known[name], said[name], "{name} is kept although heartbeats leave it out");
    }
    assert_eq!(api.delete("/ojs/v1/workers/w").await.json()["ok"], true);
    api.get("/ojs/v1/workers/w/health").await.refused(404, "not_found", None);
    until("both events", async || {
        let events = api.get("/ojs/v1/events?types=worker.started,worker.stopped").await.json();
        events["events"].as_array().is_some_and(|events| events.len() == 2)
    })
    .await;
}

#[tokio::test]
async fn a_job_directs_its_worker_only_where_that_is_allowed() {
    for (flags, state) in [(&[][..], "running"), (&["--conformance-directives"][..], "quiet")] {
        let api = Api::with(&shared().url(), flags).await;
        let id =
            api.job(&json!({"type": "echo", "args": [], "options": {"metadata": {"test_directive": "quiet"}}})).await;
        fetched(&api, "w").await;
        assert_eq!(beat(&api, &json!({"worker_id": "w", "active_jobs": [id]})).await["state"], state);
        assert_eq!(job(&api, &id).await["state"], "active");
        assert_eq!(beat(&api, &json!({"worker_id": "w", "active_jobs": []})).await["state"], "running", "not for long");
    }
}

#[tokio::test]
async fn a_heartbeat_says_who_sends_it() {
    let api = Api::start().await;
    api.post("/ojs/v1/workers/heartbeat", &json!({"active_jobs": []})).await.refused(
        400,
        "invalid_request",
        Some("worker_id"),
    );
    let strange = json!({"worker_id": "with space", "active_jobs": []});
    api.post("/ojs/v1/workers/heartbeat", &strange).await.refused(400, "invalid_request", Some("worker_id"));
}
