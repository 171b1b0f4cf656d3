//! Queues over HTTP: paused, resumed, limited, counted.

use serde_json::{Value, json};

use crate::client::{Api, answer};
use crate::stage::{ack, dead, fetched, offered};

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

#[tokio::test]
async fn the_counters_of_a_queue_have_every_name_in_both_dialects() {
    let api = Api::start().await;
    let names = [
        "available",
        "active",
        "scheduled",
        "retryable",
        "pending",
        "discarded",
        "dead",
        "completed",
        "cancelled",
        "completed_last_hour",
        "failed_last_hour",
        "avg_duration_ms",
        "avg_wait_ms",
        "throughput_per_second",
        "depth",
    ];
    api.job(&json!({"type": "echo", "args": []})).await;
    let id = fetched(&api, "w").await["id"].clone();
    ack(&api, &json!({"job_id": id})).await;
    dead(&api, "default").await;
    let plain = api.get("/ojs/v1/queues/default/stats").await.json();
    let sdk = answer(api.request("GET", "/ojs/v1/queues/default/stats").header("OJS-Version", "1.0")).await.json();
    for counters in [&plain["queue"], &plain["stats"], &sdk, &sdk["stats"]] {
        for name in names {
            assert!(counters[name].is_number(), "{name} in {counters}");
        }
        assert_eq!((&counters["name"], &counters["paused"]), (&json!("default"), &json!(false)));
        let last_hour = ["completed_last_hour", "failed_last_hour", "dead"].map(|name| counters[name].clone());
        assert_eq!(last_hour, [json!(1), json!(1), json!(1)]);
    }
    assert_eq!((&sdk["queue"], &plain["stats"]["queue"]), (&json!("default"), &json!("default")));
}

#[tokio::test]
async fn queues_are_listed_by_the_page() {
    let api = Api::start().await;
    for queue in ["a", "b", "c"] {
        api.job(&json!({"type": "echo", "args": [], "queue": queue})).await;
    }
    let names = |answer: &Value| -> Vec<String> {
        let queues = answer["queues"].as_array().expect("queues").iter();
        queues.map(|queue| queue["name"].as_str().expect("a name").to_owned()).collect()
    };
    let page = api.get("/ojs/v1/queues?limit=2&offset=1").await.json();
    assert_eq!((names(&page), &page["pagination"]["total"]), (vec!["b".to_owned(), "c".to_owned()], &json!(3)));
    let page = api.get("/ojs/v1/queues?page=1&per_page=2").await.json();
    assert_eq!((names(&page).len(), &page["pagination"]["has_more"]), (2, &json!(true)));
    assert_eq!(names(&api.get("/ojs/v1/queues").await.json()).len(), 3);
}

#[tokio::test]
async fn a_limit_of_a_key_is_told_to_whoever_enqueues_and_shown_as_it_is_used() {
    let api = Api::start().await;
    let limit = json!({"key": "api.example.com/v1", "rate": 1, "period": "PT1H"});
    let job = json!({"type": "echo", "args": [], "options": {"rate_limit": limit}});
    let taken = api.post("/ojs/v1/jobs", &job).await;
    assert_eq!((taken.status, taken.header("x-ratelimit-limit")), (201, "1"));
    assert_eq!(taken.json()["job"]["rate_limit"]["key"], "api.example.com/v1");
    api.job(&job).await;
    assert_eq!((offered(&api, "w").await, offered(&api, "w").await), (1, 0));
    let used = api.get("/ojs/v1/rate-limits/api.example.com%2Fv1").await.json();
    assert_eq!((&used["key"], &used["active"], &used["started"]), (&json!("api.example.com/v1"), &json!(1), &json!(1)));
}
