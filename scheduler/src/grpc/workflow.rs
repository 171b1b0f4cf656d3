//! Workflows: graphs of steps, begun, looked at, cancelled.

use std::collections::HashMap;

use carillon_shared::id::JobId;
use carillon_shared::job::JobState;
use carillon_shared::store::{Flow, FlowCancel, FlowStep};
use serde_json::{Map, Value};

use super::error::RpcError;
use super::job::{known, reason};
use super::proto::{WorkflowState, WorkflowStepState};
use super::{GrpcState, options, proto, time, value};

const RESOURCE: &str = "workflow";

pub(super) async fn create(
    api: &GrpcState,
    request: proto::CreateWorkflowRequest,
) -> Result<proto::CreateWorkflowResponse, RpcError> {
    let steps = request
        .steps
        .into_iter()
        .enumerate()
        .map(|(place, step)| wish(step).map_err(|refused| refused.within(&format!("steps[{place}]"))));
    let steps: Vec<Value> = steps.collect::<Result<_, _>>()?;
    let mut map = Map::new();
    map.insert("name".to_owned(), request.name.into());
    map.insert("steps".to_owned(), steps.into());
    let flow = api.client().begin_flow(&map.into()).await?;
    Ok(proto::CreateWorkflowResponse { workflow: Some(message(api, &flow).await?) })
}

pub(super) async fn get(
    api: &GrpcState,
    request: &proto::GetWorkflowRequest,
) -> Result<proto::GetWorkflowResponse, RpcError> {
    let flow = found(api, known(RESOURCE, &request.workflow_id)?).await?;
    Ok(proto::GetWorkflowResponse { workflow: Some(message(api, &flow).await?) })
}

pub(super) async fn cancel(
    api: &GrpcState,
    request: &proto::CancelWorkflowRequest,
) -> Result<proto::CancelWorkflowResponse, RpcError> {
    let id = known(RESOURCE, &request.workflow_id)?;
    match api.store().cancel_flow(id, reason(&request.reason)?).await? {
        FlowCancel::Gone => Err(RpcError::not_found(RESOURCE, &request.workflow_id)),
        FlowCancel::Ended(state) => {
            let message = format!("workflow {id} is {state}, but this needs it to be running");
            Err(RpcError::conflict(message).told("workflow_id", id.to_string()).told("current_state", state))
        }
        FlowCancel::Cancelled(_) => {
            api.0.ended.notify_waiters();
            let flow = found(api, id).await?;
            Ok(proto::CancelWorkflowResponse { workflow: Some(message(api, &flow).await?) })
        }
    }
}

/// The step as HTTP would spell it.
fn wish(step: proto::WorkflowStep) -> Result<Value, RpcError> {
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
    put("id", step.id.into());
    put("type", step.r#type.into());
    put("args", value::array("args", step.args)?.into());
    put("depends_on", step.depends_on.into());
    put("options", options::json("options", step.options.unwrap_or_default())?.into());
    Ok(map.into())
}

async fn found(api: &GrpcState, id: JobId) -> Result<Flow, RpcError> {
    api.store().flow(id).await?.ok_or_else(|| RpcError::not_found(RESOURCE, &id.to_string()))
}

async fn message(api: &GrpcState, flow: &Flow) -> Result<proto::Workflow, RpcError> {
    let begun = flow.steps.iter().filter(|step| step.state == "enqueued").filter_map(FlowStep::job_id);
    let jobs = api.store().jobs(&begun.collect::<Vec<_>>()).await?;
    let states: HashMap<JobId, JobState> = jobs.iter().flatten().map(|job| (job.record.id, job.record.state)).collect();
    Ok(proto::Workflow {
        id: flow.id.to_string(),
        name: flow.name.clone(),
        state: state(&flow.state).into(),
        steps: flow.steps.iter().map(|step| status(flow, step, &states)).collect(),
        created_at: Some(time::message(flow.created_at)),
        completed_at: flow.ended_at.map(time::message),
    })
}

/// The message knows no workflows within others: their steps stand in one row with it, named by their path.
fn status(flow: &Flow, step: &FlowStep, jobs: &HashMap<JobId, JobState>) -> proto::WorkflowStepStatus {
    let depends_on = step.outline.get("depends_on").and_then(Value::as_array);
    let outer = step.within().and_then(|place| flow.steps.get(place)).map(|outer| path(flow, outer));
    let beside = |name: &str| outer.as_ref().map_or_else(|| name.to_owned(), |outer| format!("{outer}/{name}"));
    let job = step.job_id().map_or(Some(JobState::Active), |id| jobs.get(&id).copied());
    let state = step_state(&step.state, job);
    let job_id = step.job_id().filter(|_| state != WorkflowStepState::Waiting);
    proto::WorkflowStepStatus {
        id: beside(text(step, "id")),
        r#type: text(step, "type").to_owned(),
        state: state.into(),
        job_id: job_id.map(|id| id.to_string()).unwrap_or_default(),
        depends_on: depends_on.into_iter().flatten().filter_map(Value::as_str).map(beside).collect(),
    }
}

fn text<'a>(step: &'a FlowStep, name: &str) -> &'a str {
    step.outline.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn path(flow: &Flow, step: &FlowStep) -> String {
    let outer = step.within().and_then(|place| flow.steps.get(place));
    outer.map_or_else(|| text(step, "id").to_owned(), |outer| format!("{}/{}", path(flow, outer), text(step, "id")))
}

fn state(word: &str) -> WorkflowState {
    match word {
        "running" => WorkflowState::Running,
        "completed" => WorkflowState::Completed,
        "failed" => WorkflowState::Failed,
        "cancelled" => WorkflowState::Cancelled,
        _ => WorkflowState::Unspecified,
    }
}

fn step_state(word: &str, job: Option<JobState>) -> WorkflowStepState {
    match (word, job) {
        ("waiting", _) => WorkflowStepState::Waiting,
        ("completed", _) => WorkflowStepState::Completed,
        ("failed", _) => WorkflowStepState::Failed,
        ("cancelled", _) => WorkflowStepState::Cancelled,
        (_, Some(JobState::Active)) => WorkflowStepState::Active,
        _ => WorkflowStepState::Pending,
    }
}
