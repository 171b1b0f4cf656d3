//! Heartbeats are told, but not each: they must not push everything else out of the stream of events.

use carillon_tests::wait::until_some;
use serde_json::{Value, json};

use crate::client::Api;
use crate::stage::{fetched, nack, until_state};

async fn beat(api: &Api, id: &str) {
    let heard = api.post("/ojs/v1/workers/heartbeat", &json!({"worker_id": "w", "active_jobs": [id]})).await.json();
    assert_eq!(heard["jobs_extended"], json!([id]));
}

/// The heartbeats that were told, when there are `count` of them.
async fn told(api: &Api, count: usize) -> Vec<Value> {
    until_some(&format!("{count} events"), async || {
        let events = api.get("/ojs/v1/events?types=job.heartbeat").await.json()["events"].as_array()?.clone();
        assert!(events.len() <= count, "{events:?}");
        (events.len() == count).then_some(events)
    })
    .await
}

#[tokio::test]
async fn the_first_heartbeat_of_each_attempt_is_told_and_the_next_ones_are_not() {
    let api = Api::start().await;
    let retry = json!({"max_attempts": 3, "initial_interval": "PT0.001S"});
    let id = api.job(&json!({"type": "echo", "args": [], "retry": retry})).await;
    for attempt in 1..=2 {
        fetched(&api, "w").await;
        for _ in 0..3 {
            beat(&api, &id).await;
        }
        let data = told(&api, attempt).await.pop().expect("the last")["data"].clone();
        let said = ["job_id", "job_type", "queue", "worker_id", "attempt"].map(|name| data[name].clone());
        assert_eq!(said, [json!(id), json!("echo"), json!("default"), json!("w"), json!(attempt)]);
        assert!(data["visible_until"].as_str().is_some_and(|text| text.starts_with("20")), "{data}");
        // What was told after all beats of this attempt shows that nothing more comes of them.
        nack(&api, &id, &json!({"code": "handler_error", "message": "no"})).await;
        if attempt == 1 {
            until_state(&api, &id, "available").await;
        }
    }
    assert_eq!(told(&api, 2).await.len(), 2);
}
