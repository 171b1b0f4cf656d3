//! Workflows over HTTP, in the shape of every client: under `workflow`, and spread.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use carillon_shared::id::JobId;
use carillon_shared::job::{Job, JobState};
use carillon_shared::store::{Flow, FlowCancel, FlowStep, FlowWork};
use serde_json::{Map, Value, json};

use super::ApiState;
use super::body::{Json, MaybeJson};
use super::error::ApiError;
use super::reply::{Answer, Reply, twice};

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/ojs/v1/workflows", post(begin))
        .route("/ojs/v1/workflows/{id}", get(show).delete(cancel))
        .route("/ojs/v1/workflows/{id}/cancel", post(cancel))
}

async fn begin(State(api): State<ApiState>, body: Json) -> Answer {
    let flow = api.client().begin_flow(&body.value).await?;
    let location = format!("/ojs/v1/workflows/{}", flow.id);
    Ok(Reply::new(StatusCode::CREATED, twice("workflow", shown(&api, &flow).await?)).at(&location))
}

async fn show(State(api): State<ApiState>, Path(id): Path<String>) -> Answer {
    let flow = found(&api, known(&id)?).await?;
    Ok(Reply::ok(twice("workflow", shown(&api, &flow).await?)))
}

async fn cancel(State(api): State<ApiState>, Path(id): Path<String>, MaybeJson(_): MaybeJson) -> Answer {
    let id = known(&id)?;
    match api.store().cancel_flow(id, "the workflow was cancelled").await? {
        FlowCancel::Gone => Err(ApiError::no_flow(&id.to_string())),
        FlowCancel::Ended(state) => Err(ApiError::ended_flow(id, &state)),
        FlowCancel::Cancelled(jobs) => {
            let flow = found(&api, id).await?;
            let answer = twice("workflow", shown(&api, &flow).await?);
            Ok(Reply::ok(answer.and("steps_cancelled", jobs.len()).and("steps_already_completed", flow.done)))
        }
    }
}

async fn found(api: &ApiState, id: JobId) -> Result<Flow, ApiError> {
    api.store().flow(id).await?.ok_or_else(|| ApiError::no_flow(&id.to_string()))
}

async fn shown(api: &ApiState, flow: &Flow) -> Result<Map<String, Value>, ApiError> {
    let begun = flow.steps.iter().filter(|step| step.state != "waiting").filter_map(FlowStep::job_id);
    let jobs = api.store().jobs(&begun.collect::<Vec<_>>()).await?;
    let jobs: HashMap<JobId, Job> = jobs.into_iter().flatten().map(|job| (job.record.id, job)).collect();
    Ok(wire(flow, &jobs))
}

fn wire(flow: &Flow, jobs: &HashMap<JobId, Job>) -> Map<String, Value> {
    let members = members(flow, None);
    let value = json!({
        "id": flow.id,
        "type": flow.kind,
        "name": flow.name,
        "state": flow.state,
        "steps_total": members,
        "steps_completed": flow.done,
        "jobs_total": members,
        "jobs_completed": flow.done,
        "job_count": members,
        "completed_count": flow.done,
        "failed_count": flow.failed,
        "steps": wire_steps(flow, None, jobs),
        "metadata": {
            "created_at": flow.created_at,
            "job_count": members,
            "completed_count": flow.done,
            "failed_count": flow.failed,
        },
        "created_at": flow.created_at,
    });
    let Value::Object(mut map) = value else { return Map::new() };
    put_callbacks(&mut map, flow, None, jobs);
    if let Some(ended_at) = flow.ended_at {
        let name = if flow.state == "cancelled" { "cancelled_at" } else { "completed_at" };
        map.insert(name.to_owned(), ended_at.to_string().into());
    }
    map
}

/// How many members a workflow has, or one within it: callbacks are none.
fn members(flow: &Flow, within: Option<usize>) -> usize {
    flow.steps.iter().filter(|step| step.within() == within && step.callback.is_none()).count()
}

/// The steps that stand within a step, or at the top.
fn wire_steps(flow: &Flow, within: Option<usize>, jobs: &HashMap<JobId, Job>) -> Vec<Value> {
    let here = flow.steps.iter().enumerate().filter(|(_, step)| step.within() == within);
    here.map(|(place, step)| wire_step(flow, place, step, jobs)).collect()
}

/// The callbacks under the names by which they were described.
fn put_callbacks(map: &mut Map<String, Value>, flow: &Flow, within: Option<usize>, jobs: &HashMap<JobId, Job>) {
    let mut callbacks = Map::new();
    for (place, step) in flow.steps.iter().enumerate().filter(|(_, step)| step.within() == within) {
        if let Some(word) = &step.callback {
            callbacks.insert(format!("on_{word}"), wire_step(flow, place, step, jobs));
        }
    }
    if !callbacks.is_empty() {
        map.insert("callbacks".to_owned(), callbacks.into());
    }
}

fn wire_step(flow: &Flow, place: usize, step: &FlowStep, jobs: &HashMap<JobId, Job>) -> Value {
    let mut map = step.outline.as_object().cloned().unwrap_or_default();
    map.remove("within");
    let job = step.job_id().and_then(|id| jobs.get(&id));
    map.insert("state".to_owned(), step_state(step, job).into());
    let job_id = step.job_id().filter(|_| step.state != "waiting").map(|id| id.to_string());
    map.insert("job_id".to_owned(), job_id.into());
    if step.callback.is_some() {
        map.insert("callback".to_owned(), true.into());
    }
    if let FlowWork::Flow { done, failed } = step.work {
        map.insert("steps_total".to_owned(), members(flow, Some(place)).into());
        map.insert("steps_completed".to_owned(), done.into());
        map.insert("failed_count".to_owned(), failed.into());
        map.insert("steps".to_owned(), wire_steps(flow, Some(place), jobs).into());
        put_callbacks(&mut map, flow, Some(place), jobs);
    }
    if let Some(job) = job {
        let json = job.to_json();
        for name in ["started_at", "completed_at", "result"] {
            if let Some(value) = json.get(name) {
                map.insert(name.to_owned(), value.clone());
            }
        }
    }
    map.into()
}

/// A step that has not begun is pending; one that has is where its job is.
fn step_state(step: &FlowStep, job: Option<&Job>) -> &'static str {
    match (step.state.as_str(), job.map(|job| job.record.state)) {
        ("waiting", _) => "pending",
        ("completed", _) => "completed",
        ("failed", _) | ("enqueued", Some(JobState::Discarded)) => "failed",
        ("cancelled", _) => "cancelled",
        (_, Some(state)) => state.as_str(),
        // A workflow within this one has no job: it runs.
        (_, None) if step.job_id().is_none() => "active",
        (_, None) => "available",
    }
}

fn known(id: &str) -> Result<JobId, ApiError> {
    id.parse().map_err(|_| ApiError::no_flow(id))
}
