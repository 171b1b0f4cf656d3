//! Attempts, ended by workers of any language.

use carillon_tests::wait::until_some;
use serde_json::{Value, json};

use crate::client::Api;
use crate::stage::{ack, fetched, job, nack, offered, until_state};

/// A job that was taken from `one` and is held by `two`; what each was handed.
async fn stolen(api: &Api) -> (Value, Value) {
    let id = api.job(&json!({"type": "echo", "args": [], "retry": {"max_attempts": 5}})).await;
    let fetch = json!({"queues": ["default"], "worker_id": "one", "visibility_timeout_ms": 50});
    let first = api.post("/ojs/v1/workers/fetch", &fetch).await.json()["jobs"][0].clone();
    assert_eq!(first["id"].as_str(), Some(id.as_str()));
    until_state(api, &id, "available").await;
    (first, fetched(api, "two").await)
}

#[tokio::test]
async fn a_late_end_is_refused_whichever_way_its_worker_identifies_itself() {
    let api = Api::start().await;
    let (first, second) = stolen(&api).await;
    let id = second["id"].as_str().expect("an id");
    let before = job(&api, id).await;
    let error = json!({"code": "handler_error", "message": "late"});
    for identity in ["worker_id", "attempt", "lease_token"] {
        assert_ne!(first[identity], second[identity]);
        let mut late = json!({"job_id": id, "result": "late", "error": error});
        late[identity] = first[identity].clone();
        ack(&api, &late).await.refused(409, "conflict", None);
        api.post("/ojs/v1/workers/nack", &late).await.refused(409, "conflict", None);
        late["requeue"] = true.into();
        api.post("/ojs/v1/workers/nack", &late).await.refused(409, "conflict", None);
        assert_eq!(job(&api, id).await, before, "{identity}");
    }
    let mut end = json!({"job_id": id, "result": "in time"});
    for identity in ["worker_id", "attempt", "lease_token"] {
        end[identity] = second[identity].clone();
    }
    assert_eq!(ack(&api, &end).await.json()["state"], "completed");
    assert_eq!(job(&api, id).await["result"], "in time");
}

#[tokio::test]
async fn an_attempt_that_was_cut_short_is_counted_and_told() {
    let api = Api::start().await;
    let (_, second) = stolen(&api).await;
    assert_eq!((&second["attempt"], &second["errors"][0]["attempt"]), (&json!(2), &json!(1)));
    assert_eq!(second["errors"][0]["code"], "visibility_timeout");
}

#[tokio::test]
async fn an_end_whose_answer_was_lost_may_be_reported_again_by_its_lease() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    let lease = fetched(&api, "w").await["lease_token"].clone();
    let end = json!({"job_id": id, "lease_token": lease, "result": 1});
    assert_eq!(ack(&api, &end).await.status, 200);
    let again = ack(&api, &end).await;
    assert_eq!((again.status, &again.json()["state"], &again.json()["result"]), (200, &json!("completed"), &json!(1)));
    ack(&api, &json!({"job_id": id})).await.refused(409, "conflict", None);
}

#[tokio::test]
async fn a_job_that_is_given_back_burns_no_attempt() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": [], "retry": {"max_attempts": 1}})).await;
    for _ in 0..3 {
        assert_eq!(fetched(&api, "w").await["attempt"], 1);
        let back =
            json!({"job_id": id, "requeue": true, "error": {"code": "busy", "message": "later", "retryable": false}});
        let answer = api.post("/ojs/v1/workers/nack", &back).await.json();
        assert_eq!((&answer["state"], &answer["job"]["errors"]), (&json!("available"), &Value::Null));
    }
}

#[tokio::test]
async fn what_the_handler_decides_goes_before_its_policy() {
    let api = Api::start().await;
    for (action, state, dead) in
        [("DISCARD", "discarded", 0), ("DEAD_LETTER", "discarded", 1), ("RETRY", "retryable", 1)]
    {
        let id = api.job(&json!({"type": "echo", "args": []})).await;
        fetched(&api, "w").await;
        let body = json!({"job_id": id, "action": action, "error": {"code": "handler_error", "message": "m"}});
        assert_eq!(api.post("/ojs/v1/workers/nack", &body).await.json()["state"], state, "{action}");
        assert_eq!(api.get("/ojs/v1/dead-letter").await.json()["pagination"]["total"], dead, "{action}");
    }
}

#[tokio::test]
async fn a_failure_is_kept_whole_and_its_retry_is_announced() {
    let api = Api::start().await;
    let retry = json!({"initial_interval": "PT0.1S", "jitter": false});
    let id = api.job(&json!({"type": "echo", "args": [], "retry": retry})).await;
    fetched(&api, "w").await;
    let error =
        json!({"code": "c", "type": "Net.Timeout", "message": "m", "details": {"host": "h"}, "backtrace": ["a", "b"]});
    let failed = nack(&api, &id, &error).await.json();
    assert_eq!(
        (&failed["state"], &failed["attempt"], &failed["retry_delay_ms"]),
        (&json!("retryable"), &json!(1), &json!(100))
    );
    assert!(failed["next_attempt_at"].is_string() && failed["job_id"] == id.as_str() && failed["id"] == id.as_str());
    let kept = job(&api, &id).await;
    for (name, value) in error.as_object().expect("an object") {
        assert_eq!((&kept["error"][name], &kept["errors"][0][name]), (value, value));
    }
    let again = until_some("the second attempt", async || {
        let jobs = api.post("/ojs/v1/workers/fetch", &json!({"queues": ["default"]})).await.json();
        jobs["jobs"].get(0).cloned()
    })
    .await;
    assert_eq!((&again["attempt"], &again["retry_delay_ms"]), (&json!(2), &json!(100)));
    assert_eq!(ack(&api, &json!({"job_id": id})).await.json()["job"]["error"], Value::Null);
}

#[tokio::test]
async fn a_job_may_also_be_ended_under_its_own_address() {
    let api = Api::start().await;
    for (end, state) in [("ack", "completed"), ("nack", "retryable")] {
        let id = api.job(&json!({"type": "echo", "args": []})).await;
        let jobs = api.post("/ojs/v1/jobs/fetch", &json!({"queues": ["default"]})).await.json();
        assert_eq!(jobs["job"]["id"].as_str(), Some(id.as_str()));
        let body = json!({"error": {"code": "c", "message": "m"}});
        let ended = api.post(&format!("/ojs/v1/jobs/{id}/{end}"), &body).await.json();
        assert_eq!((&ended["state"], &ended["job"]["state"]), (&json!(state), &json!(state)));
    }
}

#[tokio::test]
async fn jobs_that_nobody_has_are_not_found_and_requests_without_one_are_refused() {
    let api = Api::start().await;
    for id in ["0196f3a2-0000-7000-8000-000000000000", "nonsense"] {
        ack(&api, &json!({"job_id": id})).await.refused(404, "not_found", None);
        nack(&api, id, &json!({"code": "c"})).await.refused(404, "not_found", None);
    }
    ack(&api, &json!({})).await.refused(400, "invalid_request", Some("job_id"));
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    let nack = api.post("/ojs/v1/workers/nack", &json!({"job_id": id})).await;
    nack.refused(400, "invalid_request", Some("error"));
}

#[tokio::test]
async fn queues_are_served_in_the_order_of_the_request_and_priorities_within_them() {
    let api = Api::start().await;
    for (queue, priority) in [("low", 0), ("high", -5), ("high", 9), ("high", 9)] {
        api.job(&json!({"type": "echo", "args": [], "queue": queue, "priority": priority})).await;
    }
    let fetch = json!({"queues": ["high", "low"], "count": 10});
    let jobs = api.post("/ojs/v1/workers/fetch", &fetch).await.json();
    let order: Vec<_> =
        jobs["jobs"].as_array().expect("jobs").iter().map(|job| (&job["queue"], &job["priority"])).collect();
    let (high, low) = (json!("high"), json!("low"));
    assert_eq!(order, [(&high, &json!(9)), (&high, &json!(9)), (&high, &json!(-5)), (&low, &json!(0))]);
    assert_eq!(offered(&api, "w").await, 0);
}

#[tokio::test]
async fn a_pending_job_waits_until_it_is_activated() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": [], "options": {"pending": true}})).await;
    assert_eq!(offered(&api, "w").await, 0);
    let activated = api.poke(&format!("/ojs/v1/jobs/{id}/activate")).await.json();
    assert_eq!((&activated["state"], &activated["previous_state"]), (&json!("available"), &json!("pending")));
    assert!(activated["activated_at"].is_string());
    api.poke(&format!("/ojs/v1/jobs/{id}/activate")).await.refused(409, "conflict", None);
    assert_eq!(offered(&api, "w").await, 1);
}

#[tokio::test]
async fn what_a_handler_says_of_its_progress_is_shown_with_its_job() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    fetched(&api, "w").await;
    assert_eq!(job(&api, &id).await["progress"], Value::Null);
    api.post("/ojs/v1/workers/progress", &json!({"job_id": id, "percentage": 40, "message": "on it"})).await;
    let progress = job(&api, &id).await["progress"].clone();
    assert_eq!((&progress["percentage"], &progress["message"]), (&json!(40.0), &json!("on it")));
}

#[tokio::test]
async fn nobody_is_named_who_did_not_say_who_asked() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    api.post("/ojs/v1/workers/fetch", &json!({"queues": ["default"]})).await;
    assert_eq!(job(&api, &id).await["worker_id"], Value::Null);
}

#[tokio::test]
async fn details_of_an_error_are_kept_as_an_object() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    fetched(&api, "w").await;
    nack(&api, &id, &json!({"code": "c", "message": "m", "details": ["x"]})).await;
    assert_eq!(job(&api, &id).await["error"]["details"], json!({"value": ["x"]}));
}

#[tokio::test]
async fn a_heartbeat_that_asks_for_a_time_is_given_it() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": [], "visibility_timeout_ms": 3_600_000})).await;
    fetched(&api, "w").await;
    let beat = json!({"worker_id": "w", "active_jobs": [id], "visibility_timeout_ms": 50});
    assert_eq!(api.post("/ojs/v1/workers/heartbeat", &beat).await.json()["jobs_extended"], json!([id]));
    until_state(&api, &id, "available").await;
}
