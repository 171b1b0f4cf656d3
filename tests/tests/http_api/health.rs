//! Health over HTTP.

use carillon_tests::wait::until_some;
use serde_json::json;

use crate::client::Api;

#[tokio::test]
async fn health_says_that_redis_answers_and_who_leads() {
    let api = Api::start().await;
    let health = until_some("a leader", async || {
        let health = api.get("/ojs/v1/health").await.json();
        health["leader"].is_string().then_some(health)
    })
    .await;
    assert_eq!(
        (&health["status"], &health["version"], &health["leader"]),
        (&json!("ok"), &json!("1.0"), &json!(api.app.instance()))
    );
    let backend = &health["backend"];
    assert_eq!(
        (&backend["type"], &backend["status"], &backend["connection"]),
        (&json!("redis"), &json!("ok"), &json!("connected"))
    );
    assert!(backend["latency_ms"].is_u64() && health["uptime_seconds"].is_u64() && health["timestamp"].is_string());
    assert_eq!(api.get("/health").await.status, 200);
}

#[tokio::test]
async fn those_who_watch_are_told_that_we_live_and_can_work() {
    let api = Api::start().await;
    assert_eq!(api.get("/livez").await.json(), json!({"status": "ok"}));
    for path in ["/readyz", "/ready"] {
        assert_eq!(api.get(path).await.json(), json!({"status": "ready"}));
    }
}
