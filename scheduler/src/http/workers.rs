//! Workers over HTTP: those that were heard of within a minute, and what they are told to do.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use carillon_shared::client::WorkerSaid;
use carillon_shared::job::{Fields, Refusal};
use carillon_shared::name::WorkerId;
use carillon_shared::store::WorkerOrder;
use serde_json::json;

use super::ApiState;
use super::body::{Json, object};
use super::error::ApiError;
use super::fetch;
use super::reply::{Answer, Reply};

const NAMES_MAX: usize = 1000;
/// What workers are asked to do; one that is silent for longer is taken for dead.
const HEARTBEAT_INTERVAL_S: u32 = 5;
const HEARTBEAT_TIMEOUT_S: u32 = 30;

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/ojs/v1/workers", get(list).post(register))
        .route("/ojs/v1/workers/register", post(register))
        .route("/ojs/v1/workers/{id}", get(health).delete(forget))
        .route("/ojs/v1/workers/{id}/health", get(health))
        .route("/ojs/v1/workers/{id}/quiet", post(quiet))
        .route("/ojs/v1/workers/{id}/terminate", post(terminate))
        .route("/ojs/v1/workers/{id}/resume", post(resume))
}

pub(super) async fn list(State(api): State<ApiState>) -> Answer {
    let workers = api.store().workers().await?;
    let total = workers.len();
    let running = workers.iter().filter(|worker| worker.order.is_none() && !worker.info.is_winding_up()).count();
    Ok(Reply::ok(json!({
        "count": total,
        "workers": workers,
        "items": workers,
        "summary": {"total": total, "running": running, "quiet": total - running},
        "pagination": {"total": total, "limit": total.max(1), "offset": 0, "has_more": false},
    })))
}

async fn register(State(api): State<ApiState>, body: Json) -> Answer {
    let body = object(body.value)?;
    let fields = Fields::new(&body, "");
    let worker = fetch::worker(&fields)?.ok_or_else(|| fields.refuse("worker_id", "the id of the worker"))?;
    api.client().note_worker(&worker, said(&fields)?, &[]).await?;
    Ok(Reply::ok(json!({
        "ok": true,
        "worker_id": worker,
        "server_time": api.store().clock().now(),
        "heartbeat_interval": HEARTBEAT_INTERVAL_S,
        "heartbeat_timeout": HEARTBEAT_TIMEOUT_S,
        "visibility_timeout_default": 1800,
    })))
}

async fn forget(State(api): State<ApiState>, Path(id): Path<String>) -> Answer {
    let worker = known(&id)?;
    if api.store().worker(&worker).await?.is_some() {
        let said = json!({"worker_id": worker, "reason": "shutdown"});
        api.store().tell("worker.stopped", "workers", worker.as_str(), &said).await?;
    }
    api.store().forget_worker(&worker).await?;
    Ok(Reply::ok(json!({"ok": true, "worker_id": worker})))
}

pub(super) async fn health(State(api): State<ApiState>, Path(id): Path<String>) -> Answer {
    let worker = known(&id)?;
    let info = api.store().worker(&worker).await?.ok_or_else(|| ApiError::no_worker(&id))?;
    let order = api.store().order_of(&worker).await?;
    let mut answer = serde_json::to_value(&info).map_err(|error| ApiError::internal(error.to_string()))?;
    answer["state"] = order.map_or(info.state.clone(), |order| order.to_string()).into();
    answer["reported_state"] = info.state.as_str().into();
    answer["active_jobs"] = info.active_job_ids.len().into();
    Ok(Reply::ok(answer))
}

pub(super) async fn quiet(State(api): State<ApiState>, Path(id): Path<String>) -> Answer {
    order(&api, &id, Some(WorkerOrder::Quiet)).await
}

pub(super) async fn terminate(State(api): State<ApiState>, Path(id): Path<String>) -> Answer {
    order(&api, &id, Some(WorkerOrder::Terminate)).await
}

pub(super) async fn resume(State(api): State<ApiState>, Path(id): Path<String>) -> Answer {
    order(&api, &id, None).await
}

async fn order(api: &ApiState, id: &str, order: Option<WorkerOrder>) -> Answer {
    let worker = known(id)?;
    if !api.client().order(&worker, order).await? {
        return Err(ApiError::no_worker(id));
    }
    Ok(Reply::ok(json!({"worker_id": worker, "state": order.map_or("running", WorkerOrder::as_str)})))
}

/// What a worker says of itself in a registration or a heartbeat.
pub(super) fn said(fields: &Fields<'_>) -> Result<WorkerSaid, Refusal> {
    Ok(WorkerSaid {
        hostname: fields.text("hostname")?.map(str::to_owned),
        state: fields.text("state")?.map(str::to_owned),
        pid: fields.integer("pid", 0, u32::MAX.into())?.and_then(|pid| u32::try_from(pid).ok()),
        concurrency: fields.integer("concurrency", 0, u32::MAX.into())?.and_then(|most| usize::try_from(most).ok()),
        queues: names(fields, "queues")?,
        job_types: names(fields, "job_types")?,
    })
}

fn names<T: std::str::FromStr<Err: std::fmt::Display>>(
    fields: &Fields<'_>,
    name: &str,
) -> Result<Option<Vec<T>>, Refusal> {
    let Some(texts) = fields.texts(name)? else { return Ok(None) };
    if texts.len() > NAMES_MAX {
        return Err(fields.refuse(name, &format!("an array of at most {NAMES_MAX} names")));
    }
    let read = |text: &String| text.parse().map_err(|error: T::Err| Refusal::field(name, format!("{name}: {error}")));
    texts.iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// An id that no worker can have is one that none has.
fn known(id: &str) -> Result<WorkerId, ApiError> {
    id.parse().map_err(|_| ApiError::no_worker(id))
}

#[cfg(test)]
mod tests {
    use carillon_shared::name::QueueName;
    use serde_json::Value;

    use super::*;

    #[test]
    fn names_that_cannot_be_are_refused() {
        let read = |value: Value| names::<QueueName>(&Fields::new(value.as_object().expect("an object"), ""), "queues");
        assert_eq!(read(json!({})), Ok(None));
        assert_eq!(read(json!({"queues": ["a"]})).map(|queues| queues.map(|queues| queues.len())), Ok(Some(1)));
        assert_eq!(read(json!({"queues": ["No Queue"]})).expect_err("no queue").field, "queues");
    }
}
