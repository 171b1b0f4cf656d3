//! What this server offers.

use axum::Router;
use axum::routing::get;
use serde_json::json;

use super::ApiState;
use super::reply::Reply;

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/ojs/manifest", get(manifest))
}

async fn manifest() -> Reply {
    Reply::ok(json!({
        "specversion": "1.0",
        "ojs_version": "1.0",
        "implementation": {
            "name": "carillon",
            "version": env!("CARGO_PKG_VERSION"),
            "language": "rust",
            "homepage": "",
            "repository": "",
        },
        "conformance_level": 4,
        "conformance_tier": "runtime",
        "protocols": ["http", "grpc"],
        "backend": "redis",
        "capabilities": {
            "batch_enqueue": true,
            "cron_jobs": true,
            "dead_letter": true,
            "delayed_jobs": true,
            "job_ttl": true,
            "priority_queues": true,
            "rate_limiting": true,
            "schema_validation": false,
            "unique_jobs": true,
            "workflows": true,
            "pause_resume": true,
        },
        "extensions": [
            "cron-ledger", "cron-preview", "redis-inbox", "events", "quartz-dialect", "progress", "admin", "long-poll",
            "lease-tokens", "rate-limits", "nested-workflows",
        ],
        "unique_job_strength": "strong",
        "endpoints": {"base_url": "/ojs/v1", "manifest": "/ojs/manifest", "health": "/ojs/v1/health"},
    }))
}
