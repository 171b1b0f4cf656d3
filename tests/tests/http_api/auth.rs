//! The key.

use carillon_tests::redis::shared;
use serde_json::json;

use crate::client::{Api, answer};

const KEY: &str = "a-key-of-some-length";

#[tokio::test]
async fn with_a_key_every_route_but_health_needs_it() {
    let api = Api::with(&shared().url(), &["--api-key", KEY]).await;
    let guarded = [
        ("GET", "/ojs/v1/cron"),
        ("POST", "/ojs/v1/cron"),
        ("POST", "/ojs/v1/cron/preview"),
        ("GET", "/ojs/v1/cron/x"),
        ("PATCH", "/ojs/v1/cron/x"),
        ("DELETE", "/ojs/v1/cron/x"),
        ("POST", "/ojs/v1/cron/x/trigger"),
        ("POST", "/ojs/v1/cron/x/pause"),
        ("POST", "/ojs/v1/cron/x/resume"),
        ("GET", "/ojs/v1/cron/x/ledger"),
        ("GET", "/ojs/v1/cron/x/why"),
        ("GET", "/ojs/v1/leader"),
        ("GET", "/ojs/v1/cron/x/history"),
        ("POST", "/ojs/v1/jobs"),
        ("GET", "/ojs/v1/jobs/x"),
        ("DELETE", "/ojs/v1/jobs/x"),
        ("POST", "/ojs/v1/jobs/x/cancel"),
        ("GET", "/ojs/v1/queues"),
        ("GET", "/ojs/v1/queues/x/stats"),
        ("GET", "/ojs/v1/workers"),
        ("GET", "/ojs/v1/inbox/rejected"),
        ("GET", "/ojs/v1/events"),
        ("GET", "/ojs/v1/events/stream"),
        ("GET", "/ojs/manifest"),
        ("GET", "/metrics"),
        ("GET", "/nowhere"),
        ("PUT", "/ojs/v1/cron"),
    ];
    for (method, path) in guarded {
        let refused = answer(api.request(method, path)).await;
        assert_eq!(refused.status, 401, "{method} {path}");
        refused.refused(401, "unauthorized", None);
        assert!(refused.header("www-authenticate").starts_with("Bearer"), "{path}");
    }
    for path in ["/ojs/v1/health", "/health", "/livez", "/readyz", "/ready"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
        assert_eq!(answer(api.request("HEAD", path)).await.status, 200, "{path}");
        answer(api.request("POST", path)).await.refused(405, "invalid_request", None);
        let strange = answer(api.request("GET", path).header("ojs-version", "2.0")).await;
        strange.refused(422, "unsupported", None);
    }
    for path in ["/health/", "/livez/x", "/ready/", "/%6civez", "//livez"] {
        assert_eq!(api.get(path).await.status, 401, "{path}");
    }
    // Who speaks another language is told that first.
    let strange = answer(api.request("GET", "/ojs/v1/cron").header("ojs-version", "2.0")).await;
    strange.refused(422, "unsupported", None);
}

#[tokio::test]
async fn the_key_opens_and_anything_like_it_does_not() {
    let api = Api::with(&shared().url(), &["--api-key", KEY]).await;
    let with = |header: String| answer(api.request("GET", "/ojs/v1/cron").header("authorization", header));
    assert_eq!(with(format!("Bearer {KEY}")).await.status, 200);
    assert_eq!(with(format!("bearer {KEY}")).await.status, 200);
    for header in [format!("Bearer {KEY}x"), format!("Basic {KEY}"), KEY.to_owned(), "Bearer".to_owned()] {
        let refused = with(header).await;
        refused.refused(401, "unauthorized", None);
        assert!(!refused.text.contains(KEY));
    }
    let job = api.request("POST", "/ojs/v1/jobs").bearer_auth(KEY).json(&json!({"type": "echo", "args": []}));
    assert_eq!(answer(job).await.status, 201);
}
