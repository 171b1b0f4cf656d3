//! Queues over HTTP: paused, resumed, limited, counted.

use serde_json::{Value, json};

use crate::client::{Api, answer};
use crate::stage::{ack, fetched, offered};

#[tokio::test]
async fn a_paused_queue_takes_jobs_and_gives_none() {
    let api = Api::start().await;
    let paused = api.poke("/ojs/v1/queues/default/pause").await.json();
    assert_eq!(
        (&paused["queue"]["name"], &paused["queue"]["paused"], &paused["status"]),
        (&json!("default"), &json!(true), &json!("paused"))
    );
    assert!(paused["paused_at"].is_string());
    api.job(&json!({"type": "echo", "args": []})).await;
    assert_eq!(offered(&api, "w").await, 0);
    let resume = api.request("POST", "/ojs/v1/queues/default/resume").header("OJS-Version", "1.0");
    let resumed = answer(resume).await.json();
    assert_eq!(
        (&resumed["queue"], &resumed["name"], &resumed["paused"]),
        (&json!("default"), &json!("default"), &json!(false))
    );
    assert_eq!(offered(&api, "w").await, 1);
}

#[tokio::test]
async fn counters_are_exact_after_every_step() {
    let api = Api::start().await;
    let counts = async |available: u64, active: u64, completed: u64| {
        let queue = api.get("/ojs/v1/queues/default/stats").await.json()["queue"].clone();
        let found = ["available", "active", "completed"].map(|name| queue[name].clone());
        assert_eq!(found, [json!(available), json!(active), json!(completed)]);
    };
    counts(0, 0, 0).await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    counts(1, 0, 0).await;
    fetched(&api, "w").await;
    counts(0, 1, 0).await;
    ack(&api, &json!({"job_id": id})).await;
    counts(0, 0, 1).await;
}

#[tokio::test]
async fn a_queue_runs_only_as_many_jobs_at_once_as_it_may() {
    let api = Api::start().await;
    for _ in 0..5 {
        api.job(&json!({"type": "echo", "args": []})).await;
    }
    let limited = api.patch("/ojs/v1/queues/default", &json!({"concurrency": 2})).await.json();
    assert_eq!((&limited["queue"]["concurrency"], offered(&api, "w").await), (&json!(2), 2));
    assert_eq!(offered(&api, "w").await, 0);
    let unlimited = api.patch("/ojs/v1/queues/default", &json!({"concurrency": null})).await.json();
    assert_eq!((&unlimited["queue"]["concurrency"], offered(&api, "w").await), (&Value::Null, 3));
}

#[tokio::test]
async fn a_queue_starts_only_as_many_jobs_in_a_span_as_it_may() {
    let api = Api::start().await;
    for _ in 0..3 {
        api.job(&json!({"type": "echo", "args": [], "rate_limit": {"rate": 1, "period": "PT1H"}})).await;
    }
    assert_eq!((offered(&api, "w").await, offered(&api, "w").await), (1, 0));
    api.patch("/ojs/v1/queues/default", &json!({"rate_limit": null})).await;
    assert_eq!(offered(&api, "w").await, 2);
}

#[tokio::test]
async fn what_is_wrong_with_a_change_is_named() {
    let api = Api::start().await;
    for (body, field) in [
        (json!({}), None),
        (json!({"concurrency": 0}), Some("concurrency")),
        (json!({"rate_limit": {"max_per_second": 0}}), Some("rate_limit.max_per_second")),
    ] {
        api.patch("/ojs/v1/queues/default", &body).await.refused(400, "invalid_request", field);
    }
    api.poke("/ojs/v1/queues/No%20Queue/pause").await.refused(400, "invalid_request", Some("queue"));
}

#[tokio::test]
async fn a_queue_says_when_it_was_first_used() {
    let api = Api::start().await;
    api.job(&json!({"type": "echo", "args": []})).await;
    let queue = api.get("/ojs/v1/queues/default").await.json()["queue"].clone();
    assert_eq!(
        (&queue["name"], &queue["status"], &queue["available"]),
        (&json!("default"), &json!("active"), &json!(1))
    );
    assert!(queue["created_at"].as_str().is_some_and(|at| at.parse::<carillon_shared::clock::Timestamp>().is_ok()));
}
