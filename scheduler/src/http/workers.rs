//! Workers over HTTP: those that were heard of within a minute, and what they are told to do.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use carillon_shared::id::JobId;
use carillon_shared::job::{Fields, Refusal};
use carillon_shared::name::{JobType, QueueName, WorkerId};
use carillon_shared::store::{WorkerInfo, WorkerOrder};
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
    let running = workers.iter().filter(|worker| worker.order.is_none() && !is_winding_up(&worker.info.state)).count();
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
    note(&api, &worker, &fields, &[]).await?;
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

/// Whether a worker is handed no jobs, because it was told to wind up or says that it does.
pub(super) async fn holds_back(api: &ApiState, worker: &WorkerId) -> Result<bool, ApiError> {
    let (order, info) = tokio::try_join!(api.store().order_of(worker), api.store().worker(worker))?;
    Ok(order.is_some() || info.is_some_and(|info| is_winding_up(&info.state)))
}

fn is_winding_up(state: &str) -> bool {
    ["quiet", "drain", "draining", "terminate", "terminating", "shutting_down", "stopping"].contains(&state)
}

/// Notes what a worker says of itself, and says what it was told to do; what it leaves out stays as it said before.
pub(super) async fn note(
    api: &ApiState,
    worker: &WorkerId,
    fields: &Fields<'_>,
    running: &[JobId],
) -> Result<Option<WorkerOrder>, ApiError> {
    let before = api.store().worker(worker).await?;
    let is_new = before.is_none();
    let mut info = before.unwrap_or_else(|| WorkerInfo::unknown(worker.clone(), api.store().clock().now()));
    update(&mut info, fields)?;
    info.active_job_ids = running.to_vec();
    info.last_heartbeat_at = api.store().clock().now();
    let order = api.store().note_worker(&info).await?;
    if is_new {
        let said = json!({"worker_id": worker, "queues": info.queues, "concurrency": info.concurrency});
        api.store().tell("worker.started", "workers", worker.as_str(), &said).await?;
    }
    Ok(order)
}

fn update(info: &mut WorkerInfo, fields: &Fields<'_>) -> Result<(), Refusal> {
    if let Some(hostname) = fields.text("hostname")? {
        info.hostname = hostname.chars().take(255).collect();
    }
    if let Some(state) = fields.text("state")? {
        info.state = state.chars().take(32).collect();
    }
    if let Some(pid) = fields.integer("pid", 0, u32::MAX.into())? {
        info.pid = u32::try_from(pid).unwrap_or(0);
    }
    if let Some(concurrency) = fields.integer("concurrency", 0, u32::MAX.into())? {
        info.concurrency = usize::try_from(concurrency).unwrap_or(0);
    }
    if let Some(queues) = names::<QueueName>(fields, "queues")? {
        info.queues = queues;
    }
    if let Some(types) = names::<JobType>(fields, "job_types")? {
        info.job_types = types;
    }
    Ok(())
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
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_worker_that_winds_up_says_so_in_several_words() {
        assert!(["quiet", "drain", "draining", "shutting_down", "terminate"].into_iter().all(is_winding_up));
        assert!(!["running", "active", "", "idle"].into_iter().any(is_winding_up));
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        let read = |value: Value| names::<QueueName>(&Fields::new(value.as_object().expect("an object"), ""), "queues");
        assert_eq!(read(json!({})), Ok(None));
        assert_eq!(read(json!({"queues": ["a"]})).map(|queues| queues.map(|queues| queues.len())), Ok(Some(1)));
        assert_eq!(read(json!({"queues": ["No Queue"]})).expect_err("no queue").field, "queues");
    }
}
