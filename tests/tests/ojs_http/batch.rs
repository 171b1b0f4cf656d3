//! Batches: all or none.

use carillon_tests::redis::shared;
use serde_json::{Value, json};

use crate::client::Api;
use crate::stage::fetched;

fn echo(n: usize) -> Value {
    json!({"type": "echo", "args": [n]})
}

async fn available(api: &Api) -> Value {
    api.get("/ojs/v1/queues/default/stats").await.json()["stats"]["available"].clone()
}

#[tokio::test]
async fn ten_thousand_jobs_are_taken_in_at_once_and_in_order() {
    let api = Api::start().await;
    let jobs: Vec<Value> = (0..10_000).map(echo).collect();
    let taken = api.post("/ojs/v1/jobs/batch", &json!({"jobs": jobs})).await;
    assert_eq!(taken.status, 201, "{:.300}", taken.text);
    let taken = taken.json();
    assert_eq!((&taken["count"], available(&api).await), (&json!(10_000), json!(10_000)));
    for (place, job) in taken["jobs"].as_array().expect("jobs").iter().enumerate() {
        assert_eq!((&job["args"][0], &job["state"]), (&json!(place), &json!("available")));
    }
    assert_eq!(
        (fetched(&api, "w").await["args"][0].clone(), fetched(&api, "w").await["args"][0].clone()),
        (json!(0), json!(1))
    );
    let too_many: Vec<Value> = (0..10_001).map(echo).collect();
    let refused = api.post("/ojs/v1/jobs/batch", &json!({"jobs": too_many})).await;
    refused.refused(400, "invalid_request", Some("jobs"));
}

#[tokio::test]
async fn one_bad_job_keeps_the_whole_batch_away_and_is_named() {
    let api = Api::start().await;
    let there = api.job(&json!({"type": "once", "args": [], "unique": {}})).await;
    let id = "0196f3a2-0000-7000-8000-000000000001";
    let with_id = json!({"type": "echo", "args": [], "id": id});
    for (bad, status, code, field) in [
        (json!({"type": "echo"}), 400, "invalid_request", "jobs[2].args"),
        (
            json!({"type": "echo", "args": [], "retry": {"max_attempts": -1}}),
            422,
            "invalid_request",
            "jobs[2].retry.max_attempts",
        ),
        (json!({"type": "echo", "args": [], "id": there}), 409, "duplicate", "id"),
        (json!({"type": "once", "args": [], "unique": {}}), 409, "duplicate", "unique"),
        (with_id.clone(), 409, "duplicate", "id"),
    ] {
        let jobs = json!({"jobs": [echo(0), with_id, bad, echo(3)]});
        let refused = api.post("/ojs/v1/jobs/batch", &jobs).await;
        refused.refused(status, code, Some(field));
        assert_eq!(refused.json()["error"]["details"]["index"], 2, "{}", refused.text);
        assert_eq!(available(&api).await, 1, "only the job that was there: {bad}");
        assert_eq!(api.get(&format!("/ojs/v1/jobs/{id}")).await.status, 404);
    }
}

#[tokio::test]
async fn a_job_that_is_the_same_as_another_may_be_dropped_from_its_batch() {
    let api = Api::start().await;
    let once = |n: i64| json!({"type": "once", "args": [n], "unique": {"keys": ["args"], "on_conflict": "ignore"}});
    let there = api.job(&once(1)).await;
    let taken = api.post("/ojs/v1/jobs/batch", &json!({"jobs": [once(2), once(1)]})).await.json();
    assert_eq!((&taken["jobs"][1]["id"], &taken["deduplicated"]), (&json!(there), &json!([1])));
    assert_eq!(available(&api).await, 2);
}

#[tokio::test]
async fn a_batch_over_several_partitions_is_refused_with_the_reason() {
    let api = Api::with(&shared().url(), &["--partitions", "8"]).await;
    let on = |queue: &str| json!({"type": "echo", "args": [], "queue": queue});
    let spread: Vec<Value> = ["a", "b", "c", "d", "e"].into_iter().map(on).collect();
    let refused = api.post("/ojs/v1/jobs/batch", &json!({"jobs": spread})).await;
    refused.refused(422, "unsupported", Some("jobs"));
    assert!(refused.text.contains("partitions"), "{}", refused.text);
    let same = api.post("/ojs/v1/jobs/batch", &json!({"jobs": [on("a"), on("a")]})).await;
    assert_eq!((same.status, &same.json()["count"]), (201, &json!(2)));
}
