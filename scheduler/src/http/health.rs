//! Whether this server lives, and whether it can work. These routes ask for no key, since those who watch have
//! none; `/metrics` asks for it.

use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use carillon_shared::store::LeaderToken;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::ApiState;
use super::error::ApiError;
use super::reply::Reply;

/// The routes that ask for no key.
const OPEN: [&str; 5] = ["/ojs/v1/health", "/health", "/livez", "/readyz", "/ready"];

/// Whether a route, as it is declared, asks for no key.
pub(super) fn is_open(route: &str) -> bool {
    OPEN.contains(&route)
}

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/ojs/v1/health", get(health))
        .route("/health", get(health))
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
}

/// What Redis answered, if it did.
struct Pulse {
    latency_ms: u64,
    leader: Option<LeaderToken>,
    /// By how much Redis's clock jumped, while nothing fires because of it.
    clock_jump_ms: Option<i64>,
}

async fn health(State(api): State<ApiState>) -> Reply {
    let pulse = pulse(&api).await;
    let status = if pulse.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let alarms: Vec<Value> = pulse.iter().filter_map(|pulse| pulse.clock_jump_ms).map(clock_alarm).collect();
    let is_well = pulse.is_ok() && alarms.is_empty();
    Reply::new(
        status,
        json!({
            "status": if is_well { "ok" } else { "degraded" },
            "alarms": alarms,
            "version": "1.0",
            "uptime_seconds": api.0.started.elapsed().as_secs(),
            "backend": backend(&pulse),
            "leader": pulse.as_ref().ok().and_then(|pulse| pulse.leader.as_ref()).map(LeaderToken::instance),
            "timestamp": api.store().clock().now(),
        }),
    )
}

fn clock_alarm(jump_ms: i64) -> Value {
    json!({
        "code": "clock_jumped",
        "jump_ms": jump_ms,
        "message": "Redis's clock has jumped, and nothing fires: set it right, or POST /ojs/v1/admin/clock/accept",
    })
}

async fn alive() -> Reply {
    Reply::ok(json!({"status": "ok"}))
}

/// Ready while Redis answers and nobody has asked us to stop.
async fn ready(State(api): State<ApiState>) -> Reply {
    if api.0.stop.is_cancelled() {
        return Reply::new(StatusCode::SERVICE_UNAVAILABLE, json!({"status": "stopping"}));
    }
    match pulse(&api).await {
        Ok(_) => Reply::ok(json!({"status": "ready"})),
        Err(error) => Reply::new(StatusCode::SERVICE_UNAVAILABLE, json!({"status": "unavailable", "error": error})),
    }
}

/// Asks Redis once, without the patience that use cases have.
async fn pulse(api: &ApiState) -> Result<Pulse, String> {
    let started = Instant::now();
    let asked = timeout(api.0.redis_timeout, async {
        api.store().now().await?;
        let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Pulse { latency_ms, leader: api.store().leader().await?, clock_jump_ms: api.store().clock_alarm().await? })
    });
    match asked.await {
        Ok(pulse) => pulse.map_err(|error: carillon_shared::store::StoreError| error.to_string()),
        Err(_) => Err("Redis does not answer in time".to_owned()),
    }
}

fn backend(pulse: &Result<Pulse, String>) -> Value {
    match pulse {
        Ok(pulse) => {
            json!({"type": "redis", "status": "ok", "connection": "connected", "latency_ms": pulse.latency_ms})
        }
        Err(error) => {
            json!({"type": "redis", "status": "error", "connection": "disconnected", "latency_ms": 0, "error": error})
        }
    }
}

async fn metrics(State(api): State<ApiState>) -> Response {
    let Some(handle) = &api.0.metrics else {
        return ApiError::no_route("/metrics: this process collects no metrics").into_response();
    };
    let mut response = Response::new(handle.render().into());
    // Without parameters: scrapers of the specification's suite compare the whole text.
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
