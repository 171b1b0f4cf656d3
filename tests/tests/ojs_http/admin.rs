//! What dashboards ask for, and what is not offered.

use carillon_tests::redis::shared;
use serde_json::json;

use crate::client::{Api, answer};
use crate::stage::dead;

#[tokio::test]
async fn dashboards_find_what_they_ask_for() {
    let api = Api::start().await;
    let id = dead(&api, "a").await;
    api.job(&json!({"type": "echo", "args": [], "queue": "a"})).await;
    let stats = api.get("/ojs/v1/admin/stats").await.json();
    assert_eq!(
        (&stats["jobs"]["available"], &stats["queues"], &stats["dead_letters"]),
        (&json!(1), &json!(1), &json!(1))
    );
    for (path, items) in [("queues", 1), ("workers", 0), ("jobs", 2), ("dead-letter", 1)] {
        let list = api.get(&format!("/ojs/v1/admin/{path}")).await.json();
        assert_eq!(list["items"].as_array().map(Vec::len), Some(items), "{path}");
        assert!(list["pagination"].is_object(), "{path}");
    }
    assert_eq!(api.get("/ojs/v1/admin/dead-letter/stats").await.json()["total"], 1);
    assert_eq!(api.get(&format!("/ojs/v1/admin/jobs/{id}")).await.json()["state"], "discarded");
    assert_eq!(api.poke("/ojs/v1/admin/queues/a/pause").await.json()["paused"], true);
    let unconfirmed = api.post("/ojs/v1/admin/jobs/bulk/retry", &json!({"all": true})).await;
    unconfirmed.refused(400, "invalid_request", Some("confirm"));
    let retried = api.post("/ojs/v1/admin/jobs/bulk/retry", &json!({"all": true, "confirm": true})).await;
    assert_eq!(retried.json()["retried"], 1);
}

#[tokio::test]
async fn everything_is_deleted_only_where_that_is_allowed() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    api.poke("/ojs/v1/admin/reset").await.refused(403, "forbidden", None);
    assert_eq!(api.get(&format!("/ojs/v1/jobs/{id}")).await.status, 200);

    let api = Api::with(&shared().url(), &["--admin-reset"]).await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    assert_eq!(api.poke("/ojs/v1/admin/reset").await.json()["reset"], true);
    assert_eq!(api.get(&format!("/ojs/v1/jobs/{id}")).await.status, 404);
    assert_eq!(api.get("/ojs/v1/queues").await.json()["count"], 0);
    api.job(&json!({"type": "echo", "args": []})).await;
}

#[tokio::test]
async fn what_is_not_offered_says_so() {
    let api = Api::start().await;
    for (method, path) in [
        ("GET", "schemas"),
        ("POST", "schemas"),
        ("GET", "schemas/urn:ojs:schema:x:v1"),
        ("PUT", "admin/schemas/a.b/1"),
        ("PUT", "jobs/x/checkpoint"),
        ("GET", "ojs/v1/checkpoints/x/resume"),
        ("POST", "checkpoints/x"),
        ("GET", "webhooks/subscriptions"),
        ("GET", "ws"),
    ] {
        let refused = answer(api.request(method, &format!("/ojs/v1/{path}"))).await;
        refused.refused(422, "unsupported", None);
        assert!(refused.text.contains("does not offer"), "{}", refused.text);
    }
    let capabilities = api.get("/ojs/manifest").await.json()["capabilities"].clone();
    assert_eq!((&capabilities["schema_validation"], &capabilities["workflows"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn with_a_key_none_of_this_is_open() {
    let api = Api::with(&shared().url(), &["--api-key", "a-key-of-some-length"]).await;
    for (method, path) in [
        ("GET", "jobs"),
        ("POST", "jobs/batch"),
        ("POST", "jobs/x/activate"),
        ("PUT", "jobs/x/progress"),
        ("POST", "jobs/x/ack"),
        ("POST", "workers/fetch"),
        ("POST", "workers/ack"),
        ("POST", "workers/nack"),
        ("POST", "workers/heartbeat"),
        ("POST", "workers/progress"),
        ("POST", "workers"),
        ("DELETE", "workers/x"),
        ("GET", "workers/x/health"),
        ("POST", "workers/x/quiet"),
        ("PATCH", "queues/x"),
        ("POST", "queues/x/pause"),
        ("GET", "dead-letter"),
        ("POST", "dead-letter/retry"),
        ("DELETE", "dead-letter/x"),
        ("POST", "workflows"),
        ("DELETE", "workflows/x"),
        ("GET", "admin/stats"),
        ("POST", "admin/reset"),
        ("GET", "schemas"),
    ] {
        answer(api.request(method, &format!("/ojs/v1/{path}"))).await.refused(401, "unauthorized", None);
    }
}
