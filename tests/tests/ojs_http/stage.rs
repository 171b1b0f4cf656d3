//! What many of these tests do first.

use carillon_tests::wait::until;
use serde_json::{Value, json};

use crate::client::{Answer, Api};

/// Fetches one job of the queue `default` as `worker`.
pub(crate) async fn fetched(api: &Api, worker: &str) -> Value {
    let fetch = json!({"queues": ["default"], "worker_id": worker});
    let answer = api.post("/ojs/v1/workers/fetch", &fetch).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut jobs = answer.json()["jobs"].as_array().expect("an array").clone();
    assert_eq!(jobs.len(), 1, "{}", answer.text);
    jobs.remove(0)
}

/// How many jobs of the queue `default` are handed out to `worker` when it asks for ten.
pub(crate) async fn offered(api: &Api, worker: &str) -> usize {
    let fetch = json!({"queues": ["default"], "worker_id": worker, "count": 10});
    api.post("/ojs/v1/workers/fetch", &fetch).await.json()["jobs"].as_array().map_or(0, Vec::len)
}

pub(crate) async fn ack(api: &Api, body: &Value) -> Answer {
    api.post("/ojs/v1/workers/ack", body).await
}

pub(crate) async fn nack(api: &Api, id: &str, error: &Value) -> Answer {
    api.post("/ojs/v1/workers/nack", &json!({"job_id": id, "error": error})).await
}

/// The job as it stands.
pub(crate) async fn job(api: &Api, id: &str) -> Value {
    api.get(&format!("/ojs/v1/jobs/{id}")).await.json()["job"].clone()
}

/// Waits until a job is in a state.
pub(crate) async fn until_state(api: &Api, id: &str, state: &str) {
    until(&format!("the job to be {state}"), async || job(api, id).await["state"] == state).await;
}

/// A job that failed for good and is among the dead letters.
pub(crate) async fn dead(api: &Api, queue: &str) -> String {
    let retry = json!({"max_attempts": 1, "on_exhaustion": "dead_letter"});
    let id = api.job(&json!({"type": "echo", "args": [], "queue": queue, "retry": retry})).await;
    api.post("/ojs/v1/workers/fetch", &json!({"queues": [queue]})).await;
    let ended = nack(api, &id, &json!({"code": "handler_error", "message": "no"})).await;
    assert_eq!(ended.json()["state"], "discarded", "{}", ended.text);
    id
}
