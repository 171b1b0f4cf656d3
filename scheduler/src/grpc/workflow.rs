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
    let begun: Vec<JobId> = flow.steps.iter().filter(|step| step.state == "enqueued").map(|step| step.job_id).collect();
    let jobs = api.store().jobs(&begun).await?;
    let states: HashMap<JobId, JobState> = jobs.iter().flatten().map(|job| (job.record.id, job.record.state)).collect();
    Ok(proto::Workflow {
        id: flow.id.to_string(),
        name: flow.name.clone(),
        state: state(&flow.state).into(),
        steps: flow.steps.iter().map(|step| status(step, states.get(&step.job_id).copied())).collect(),
        created_at: Some(time::message(flow.created_at)),
        completed_at: flow.ended_at.map(time::message),
    })
}

fn status(step: &FlowStep, job: Option<JobState>) -> proto::WorkflowStepStatus {
    let text = |name: &str| step.outline.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let depends_on = step.outline.get("depends_on").and_then(Value::as_array);
    let state = step_state(&step.state, job);
    proto::WorkflowStepStatus {
        id: text("id"),
        r#type: text("type"),
        state: state.into(),
        job_id: if state == WorkflowStepState::Waiting { String::new() } else { step.job_id.to_string() },
        depends_on: depends_on.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
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
