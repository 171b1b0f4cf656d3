//! Limits on how jobs start: how much of one that jobs share by a key is used.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use carillon_shared::job::Envelope;
use serde_json::json;

use super::ApiState;
use super::reply::{Answer, Reply};

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/ojs/v1/rate-limits/{key}", get(show))
}

/// The use of a limit. A key is known by its jobs only, so one that none has is one of which nothing is used.
async fn show(State(api): State<ApiState>, Path(key): Path<String>) -> Answer {
    let used = api.store().key_use(&key).await?;
    Ok(Reply::ok(json!({"key": key, "active": used.active, "started": used.started})))
}

/// How many jobs may start under the limit of a job, or run at once if it limits only that.
pub(super) fn most(envelope: &Envelope) -> Option<u32> {
    let of_key = envelope.key_limit.as_ref().and_then(|limit| limit.rate.map(|rate| rate.starts).or(limit.concurrency));
    of_key.or(envelope.rate_limit.map(|limit| limit.starts))
}
