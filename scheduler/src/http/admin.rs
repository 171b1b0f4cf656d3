//! What dashboards ask for, under the names that they ask by. Everything here is also offered elsewhere, but the reset.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use carillon_shared::job::{Fields, JobState};
use serde_json::{Map, Value, json};

use super::ApiState;
use super::body::{Json, object};
use super::error::ApiError;
use super::reply::{Answer, Reply};
use super::{dead_letter, jobs, listing, queues, workers};

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/ojs/v1/admin/stats", get(stats))
        .route("/ojs/v1/admin/queues", get(queues::list))
        .route("/ojs/v1/admin/queues/{name}", get(queues::show).patch(queues::change))
        .route("/ojs/v1/admin/queues/{name}/pause", post(queues::pause))
        .route("/ojs/v1/admin/queues/{name}/resume", post(queues::resume))
        .route("/ojs/v1/admin/workers", get(workers::list))
        .route("/ojs/v1/admin/workers/{id}", get(workers::health))
        .route("/ojs/v1/admin/workers/{id}/quiet", post(workers::quiet))
        .route("/ojs/v1/admin/workers/{id}/terminate", post(workers::terminate))
        .route("/ojs/v1/admin/workers/{id}/resume", post(workers::resume))
        .route("/ojs/v1/admin/jobs", get(listing::list))
        .route("/ojs/v1/admin/jobs/{id}", get(jobs::show).delete(jobs::cancel))
        .route("/ojs/v1/admin/jobs/{id}/cancel", post(jobs::cancel))
        .route("/ojs/v1/admin/jobs/{id}/retry", post(dead_letter::retry))
        .route("/ojs/v1/admin/jobs/bulk/retry", post(retry_many))
        .route("/ojs/v1/admin/dead-letter", get(dead_letter::list))
        .route("/ojs/v1/admin/dead-letter/stats", get(dead_letters))
        .route("/ojs/v1/admin/dead-letter/{id}/retry", post(dead_letter::retry))
        .route("/ojs/v1/admin/dead-letter/{id}", axum::routing::delete(bury))
        .route("/ojs/v1/admin/clock/accept", post(accept_clock))
        .route("/ojs/v1/admin/reset", post(reset))
}

async fn stats(State(api): State<ApiState>) -> Answer {
    let queues = api.store().queues().await?;
    let jobs: Map<String, Value> = JobState::ALL
        .into_iter()
        .map(|state| (state.as_str().to_owned(), queues.iter().map(|queue| queue.count(state)).sum::<u64>().into()))
        .collect();
    Ok(Reply::ok(json!({
        "queues": queues.len(),
        "workers": api.store().workers().await?.len(),
        "jobs": jobs,
        "dead_letters": api.store().dead_letters(None, 0, 0).await?.total,
        "uptime_seconds": api.0.started.elapsed().as_secs(),
        "computed_at": api.store().clock().now(),
    })))
}

async fn dead_letters(State(api): State<ApiState>) -> Answer {
    Ok(Reply::ok(json!({"total": api.store().dead_letters(None, 0, 0).await?.total})))
}

/// What cannot be taken back needs a word more.
async fn retry_many(state: State<ApiState>, body: Json) -> Answer {
    let map = object(body.value)?;
    let fields = Fields::new(&map, "");
    if fields.boolean("confirm")? != Some(true) {
        return Err(fields.refuse("confirm", "true").into());
    }
    let value = Value::Object(map);
    dead_letter::retry_many(state, Json { size: body.size, value }).await
}

async fn bury(state: State<ApiState>, id: Path<String>) -> Result<Response, ApiError> {
    dead_letter::remove(state, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Takes Redis's clock to be right after a jump: firing goes on, and catches up with what has come by that clock.
async fn accept_clock(State(api): State<ApiState>) -> Answer {
    let jump_ms = api.store().clock_alarm().await?;
    let accepted_at = api.store().accept_clock().await?;
    Ok(Reply::ok(json!({"accepted_at": accepted_at, "jump_ms": jump_ms})))
}

async fn reset(State(api): State<ApiState>) -> Answer {
    if !api.0.admin_reset {
        let error = ApiError::forbidden("this server is configured not to delete everything");
        return Err(error.hint("start it with --admin-reset, on a Redis of its own"));
    }
    api.store().reset().await?;
    Ok(Reply::ok(json!({"reset": true})))
}
