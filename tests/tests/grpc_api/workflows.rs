//! Workflows: begun, advanced by the ends of their steps, cancelled.

use carillon_scheduler::grpc::proto::{
    CancelWorkflowRequest, CreateWorkflowRequest, GetWorkflowRequest, Workflow, WorkflowState, WorkflowStep,
    WorkflowStepState,
};
use prost_types::value::Kind;
use tonic::Code;

use crate::client::{Api, ack, members, number, refused};

fn step(id: &str, depends_on: &[&str]) -> WorkflowStep {
    let depends_on = depends_on.iter().map(|name| (*name).to_owned()).collect();
    WorkflowStep { id: id.to_owned(), r#type: format!("step.{id}"), depends_on, ..Default::default() }
}

async fn begin(api: &Api) -> Workflow {
    let steps = vec![step("a", &[]), step("b", &["a"])];
    let request = CreateWorkflowRequest { name: "pair".to_owned(), steps };
    api.client().create_workflow(request).await.expect("begun").into_inner().workflow.expect("a workflow")
}

async fn get(api: &Api, id: &str) -> Workflow {
    let request = GetWorkflowRequest { workflow_id: id.to_owned() };
    api.client().get_workflow(request).await.expect("a workflow").into_inner().workflow.expect("a workflow")
}

fn states(flow: &Workflow) -> Vec<WorkflowStepState> {
    flow.steps.iter().map(|step| step.state()).collect()
}

#[tokio::test]
async fn a_workflow_advances_and_hands_results_on() {
    let api = Api::start().await;
    let flow = begin(&api).await;
    assert_eq!((flow.name.as_str(), flow.state()), ("pair", WorkflowState::Running));
    assert_eq!(states(&flow), [WorkflowStepState::Pending, WorkflowStepState::Waiting]);
    assert_eq!((flow.steps[1].job_id.as_str(), &flow.steps[1].depends_on), ("", &vec!["a".to_owned()]));
    let first = api.fetch().await.expect("the first step");
    assert_eq!((first.workflow_id.as_str(), first.id.as_str()), (flow.id.as_str(), flow.steps[0].job_id.as_str()));
    assert_eq!(states(&get(&api, &flow.id).await)[0], WorkflowStepState::Active);
    let mut end = ack(&first.id);
    end.result = Some(members(&[("n", number(1.0))]));
    api.client().ack(end.clone()).await.expect("the end is taken");
    let second = api.fetch().await.expect("the second step");
    let Some(Kind::ListValue(results)) = second.meta.expect("meta").fields["parent_results"].kind.clone() else {
        panic!("no list of results");
    };
    assert_eq!(results.values[0].kind, end.result.map(Kind::StructValue));
    api.ack(&second.id).await;
    let flow = get(&api, &flow.id).await;
    assert_eq!((flow.state(), flow.completed_at.is_some()), (WorkflowState::Completed, true));
    assert_eq!(states(&flow), [WorkflowStepState::Completed, WorkflowStepState::Completed]);
}

#[tokio::test]
async fn a_workflow_is_cancelled_with_its_steps_once() {
    let api = Api::start().await;
    let cancel = CancelWorkflowRequest { workflow_id: begin(&api).await.id, reason: String::new() };
    let flow = api.client().cancel_workflow(cancel.clone()).await.expect("cancelled").into_inner().workflow;
    assert_eq!(flow.expect("a workflow").state(), WorkflowState::Cancelled);
    assert!(api.fetch().await.is_none());
    let status = api.client().cancel_workflow(cancel).await.expect_err("cancelled already");
    refused(&status, Code::FailedPrecondition, "conflict", None);
}

#[tokio::test]
async fn mistakes_are_refused_by_their_field_and_strangers_not_found() {
    let api = Api::start().await;
    for (steps, field) in [
        (vec![], "steps"),
        (vec![step("a", &["b"])], "steps[0].depends_on"),
        (vec![WorkflowStep { r#type: "No".to_owned(), ..step("a", &[]) }], "steps[0].type"),
    ] {
        let request = CreateWorkflowRequest { steps, ..Default::default() };
        let status = api.client().create_workflow(request).await.expect_err(field);
        refused(&status, Code::InvalidArgument, "invalid_request", Some(field));
    }
    let status = api.client().get_workflow(GetWorkflowRequest { workflow_id: "x".to_owned() }).await.expect_err("none");
    refused(&status, Code::NotFound, "not_found", None);
}
