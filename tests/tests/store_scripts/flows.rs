//! Scripts of workflows: flow_create, flow_cancel.

use carillon_shared::flow::Plan;
use carillon_shared::id::JobId;
use carillon_shared::store::Store;
use carillon_shared::store::{AttemptEnd, Ending};
use carillon_tests::store::claim_one;
use serde_json::json;

use crate::case::{Call, Case, call, case};
use crate::jobs::{P0, nobody};

fn plan(store: &Store) -> Plan {
    let request = json!({"type": "chain", "steps": [{"type": "a", "args": []}, {"type": "b", "args": []}]});
    Plan::read(&request, store.clock().now()).expect("a workflow")
}

pub(crate) async fn begun(store: &Store) -> JobId {
    let id = nobody(store);
    store.begin_flow(id, &plan(store), P0).await.expect("Redis is there");
    id
}

fn beginning(store: &Store, id: JobId) -> Call {
    let plan = plan(store);
    call!(store, id, plan => store.begin_flow(id, &plan, P0).await)
}

fn cancelling(store: &Store, id: JobId) -> Call {
    call!(store, id => store.cancel_flow(id, "enough").await)
}

async fn end_step(store: &Store) {
    let held = claim_one(store).await.held;
    let end = AttemptEnd { held, ending: Ending::Completed { result: None } };
    store.end(&[end]).await.expect("Redis is there");
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(flow_create, "a workflow", Once, |store| beginning(&store, nobody(&store))),
        case!(flow_create, "a workflow that has begun", Nothing, |store| {
            let id = begun(&store).await;
            beginning(&store, id)
        }),
        case!(flow_cancel, "a workflow that runs", Once, |store| {
            let id = begun(&store).await;
            cancelling(&store, id)
        }),
        case!(flow_cancel, "a workflow that has ended", Nothing, |store| {
            let id = begun(&store).await;
            end_step(&store).await;
            end_step(&store).await;
            cancelling(&store, id)
        }),
        case!(flow_cancel, "nobody", Nothing, |store| cancelling(&store, nobody(&store))),
        case!(activate, "a step that waits for another", Nothing, |store| {
            let id = begun(&store).await;
            let step =
                store.flow(id).await.expect("Redis is there").expect("it was begun").steps[1].job_id().expect("a job");
            call!(store, step => store.activate(step).await)
        }),
    ]
}
