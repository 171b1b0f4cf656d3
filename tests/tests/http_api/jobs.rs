//! Jobs over HTTP.

use carillon_tests::wait::until_some;
use serde_json::{Value, json};

use crate::client::{Api, answer};

#[tokio::test]
async fn a_job_is_taken_in_and_shown_wrapped_and_flat() {
    let api = Api::start().await;
    let body = r#"{"type":"mail.send","args":[{"to":"a@b.c"},9007199254740993,1.50,{},[]],"x_custom":{"a":[]},"options":{"queue":"mail","retry":{"max_attempts":4}}}"#;
    let created = answer(api.request("POST", "/ojs/v1/jobs").body(body)).await;
    let job = created.json();
    assert_eq!(
        (created.status, &job["state"], &job["queue"], &job["max_attempts"]),
        (201, &json!("available"), &json!("mail"), &json!(4))
    );
    let id = job["id"].as_str().expect("an id");
    assert_eq!(created.header("location"), format!("/ojs/v1/jobs/{id}"));
    assert!(created.text.contains("9007199254740993") && created.text.contains("1.50"), "{}", created.text);
    assert_eq!((&job["x_custom"], &job["job"]["args"]), (&json!({"a": []}), &job["args"]));
    let shown = api.get(&format!("/ojs/v1/jobs/{id}")).await;
    assert_eq!((shown.status, shown.json()), (200, job));
    assert!(!shown.json().as_object().expect("an object").contains_key("started_at"));
}

#[tokio::test]
async fn a_job_for_later_is_scheduled_and_comes() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": [], "options": {"delay": "PT0.3S"}})).await;
    until_some("its time", async || {
        let state = api.get(&format!("/ojs/v1/jobs/{id}")).await.json()["state"].clone();
        (state == "available").then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_mistake_in_a_job_is_refused_by_its_field() {
    let api = Api::start().await;
    let wrong = [
        (json!({"args": []}), 400, "type"),
        (json!({"type": "Not Valid", "args": []}), 400, "type"),
        (json!({"type": "echo"}), 400, "args"),
        (json!({"type": "echo", "args": {}}), 400, "args"),
        (json!({"type": "echo", "args": [], "id": "x"}), 400, "id"),
        (json!({"type": "echo", "args": [], "queue": "No Queue"}), 400, "queue"),
        (json!({"type": "echo", "args": [], "options": {"queue": 5}}), 400, "options.queue"),
        (json!({"type": "echo", "args": [], "priority": 101}), 400, "priority"),
        (json!({"type": "echo", "args": [], "scheduled_at": "soon"}), 400, "scheduled_at"),
        (json!({"type": "echo", "args": [], "timeout_ms": -1}), 400, "timeout_ms"),
        (json!({"type": "echo", "args": [], "meta": []}), 400, "meta"),
        (json!({"type": "echo", "args": [], "tags": "x"}), 400, "tags"),
        (json!({"type": "echo", "args": [], "retry": {"max_attempts": -1}}), 422, "retry.max_attempts"),
    ];
    for (body, status, field) in wrong {
        let refused = api.post("/ojs/v1/jobs", &body).await;
        assert_eq!(refused.json()["error"]["type"], "validation_error", "{body}");
        refused.refused(status, "invalid_request", Some(field));
    }
    assert_eq!(api.get("/ojs/v1/queues").await.json()["count"], 0, "nothing was taken in");
}

#[tokio::test]
async fn an_id_is_used_once() {
    let api = Api::start().await;
    let body = json!({"type": "echo", "args": [], "id": "019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f6a"});
    api.job(&body).await;
    let again = api.post("/ojs/v1/jobs", &body).await;
    again.refused(409, "duplicate", Some("id"));
    assert_eq!(again.json()["error"]["details"]["existing_job_id"], body["id"]);
}

#[tokio::test]
async fn a_job_that_does_not_exist_is_not_found() {
    let api = Api::start().await;
    for id in ["019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f6a", "nonsense", "%7Bp00%7D"] {
        for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/cancel")] {
            let missing = answer(api.request(method, &format!("/ojs/v1/jobs/{id}{path}"))).await;
            assert_eq!(missing.json()["error"]["details"]["resource_type"], "job");
            missing.refused(404, "not_found", None);
        }
    }
}

#[tokio::test]
async fn a_job_is_cancelled_once() {
    let api = Api::start().await;
    for (method, path) in [("DELETE", ""), ("POST", "/cancel")] {
        let id = api.job(&json!({"type": "echo", "args": []})).await;
        let cancel = || {
            answer(
                api.request(method, &format!("/ojs/v1/jobs/{id}{path}")).json(&json!({"reason": "no \"need\"\u{1b}"})),
            )
        };
        let cancelled = cancel().await;
        let job = cancelled.json();
        assert_eq!(
            (cancelled.status, &job["state"], &job["job"]["previous_state"]),
            (200, &json!("cancelled"), &json!("available"))
        );
        assert!(job["cancelled_at"].is_string() && job["completed_at"].is_null());
        let again = cancel().await;
        again.refused(409, "conflict", None);
        let details = again.json()["error"]["details"].clone();
        assert_eq!((&details["current_state"], &details["job_id"]), (&json!("cancelled"), &json!(id)));
    }
    let events = api.get("/ojs/v1/events?types=job.cancelled").await.json();
    assert_eq!(
        (events["events"].as_array().map(Vec::len), &events["events"][0]["data"]["reason"]),
        (Some(2), &json!("no \"need\"\u{1b}"))
    );
}

#[tokio::test]
async fn a_reason_that_is_no_text_is_refused_and_cancels_nothing() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    let refused = answer(api.request("DELETE", &format!("/ojs/v1/jobs/{id}")).json(&json!({"reason": 5}))).await;
    refused.refused(400, "invalid_request", Some("reason"));
    assert_eq!(api.get(&format!("/ojs/v1/jobs/{id}")).await.json()["state"], Value::from("available"));
}
