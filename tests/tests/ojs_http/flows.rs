//! Workflows over HTTP.

use serde_json::{Value, json};

use crate::client::Api;
use crate::stage::{ack, fetched, job, nack, offered};

async fn begun(api: &Api, flow: &Value) -> String {
    let answer = api.post("/ojs/v1/workflows", flow).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let body = answer.json();
    assert_eq!((&body["id"], &body["workflow"]["state"]), (&body["workflow"]["id"], &json!("running")));
    assert_eq!(answer.header("location"), format!("/ojs/v1/workflows/{}", body["id"].as_str().expect("an id")));
    body["id"].as_str().expect("an id").to_owned()
}

async fn flow(api: &Api, id: &str) -> Value {
    api.get(&format!("/ojs/v1/workflows/{id}")).await.json()["workflow"].clone()
}

/// Fetches the next step, which must be of this type, and completes it with `result`.
async fn step(api: &Api, job_type: &str, result: &Value) -> Value {
    let job = fetched(api, "w").await;
    assert_eq!(job["type"], job_type);
    assert_eq!(ack(api, &json!({"job_id": job["id"], "result": result})).await.status, 200);
    job
}

#[tokio::test]
async fn a_chain_hands_each_result_on_and_ends_with_its_last_step() {
    let api = Api::start().await;
    let steps = json!([{"type": "a.one", "args": []}, {"type": "a.two", "args": []}, {"type": "a.three", "args": []}]);
    let id = begun(&api, &json!({"type": "chain", "name": "c", "steps": steps})).await;
    let waiting = flow(&api, &id).await;
    assert_eq!((&waiting["steps"][1]["state"], &waiting["steps"][1]["job_id"]), (&json!("pending"), &Value::Null));
    step(&api, "a.one", &json!({"n": 9_007_199_254_740_993_i64})).await;
    assert_eq!(step(&api, "a.two", &json!([])).await["parent_results"], json!([{"n": 9_007_199_254_740_993_i64}]));
    assert_eq!(flow(&api, &id).await["steps_completed"], 2);
    let last = step(&api, "a.three", &json!(3)).await;
    assert_eq!((&last["parent_results"], &last["workflow_id"]), (&json!([[]]), &json!(id)));
    let ended = flow(&api, &id).await;
    assert_eq!(
        (&ended["state"], &ended["steps_total"], &ended["steps_completed"]),
        (&json!("completed"), &json!(3), &json!(3))
    );
    assert_eq!(ended["steps"][2]["result"], 3);
    assert!(ended["completed_at"].is_string());
}

#[tokio::test]
async fn a_step_that_fails_ends_its_chain() {
    let api = Api::start().await;
    let once = json!({"retry": {"max_attempts": 1}});
    let steps = json!([{"type": "a.one", "args": []}, {"type": "a.two", "args": [], "options": once}, {"type": "a.three", "args": []}]);
    let id = begun(&api, &json!({"type": "chain", "name": "c", "steps": steps})).await;
    step(&api, "a.one", &json!(1)).await;
    let second = fetched(&api, "w").await;
    nack(&api, second["id"].as_str().expect("an id"), &json!({"code": "c", "message": "m"})).await;
    let ended = flow(&api, &id).await;
    let states: Vec<_> = ended["steps"].as_array().expect("steps").iter().map(|step| step["state"].clone()).collect();
    assert_eq!((&ended["state"], &ended["steps_completed"]), (&json!("failed"), &json!(1)));
    assert_eq!(states, ["completed", "failed", "cancelled"]);
    assert_eq!(offered(&api, "w").await, 0);
}

#[tokio::test]
async fn a_batch_calls_back_when_all_of_it_has_ended() {
    let api = Api::start().await;
    let jobs = json!([{"type": "b.one", "args": []}, {"type": "b.two", "args": [], "options": {"retry": {"max_attempts": 1}}}]);
    let callback = |name: &str| json!({"type": name, "args": ["given"]});
    let callbacks =
        json!({"on_complete": callback("b.done"), "on_success": callback("b.good"), "on_failure": callback("b.bad")});
    let id = begun(&api, &json!({"type": "batch", "name": "b", "jobs": jobs, "callbacks": callbacks})).await;
    step(&api, "b.one", &json!(1)).await;
    let second = fetched(&api, "w").await;
    assert_eq!(offered(&api, "w").await, 0);
    nack(&api, second["id"].as_str().expect("an id"), &json!({"code": "c", "message": "m"})).await;
    assert_eq!(step(&api, "b.done", &json!(1)).await["args"], json!(["given"]));
    step(&api, "b.bad", &json!(1)).await;
    assert_eq!(offered(&api, "w").await, 0);
    let ended = flow(&api, &id).await;
    assert_eq!(
        (&ended["state"], &ended["jobs_total"], &ended["jobs_completed"]),
        (&json!("failed"), &json!(2), &json!(1))
    );
}

#[tokio::test]
async fn a_graph_runs_each_step_after_those_it_depends_on() {
    let api = Api::start().await;
    let step_of = |id: &str, depends_on: Value| json!({"id": id, "type": format!("g.{id}"), "args": [], "depends_on": depends_on});
    let steps = json!([step_of("a", json!([])), step_of("b", json!([])), step_of("c", json!(["b", "a"]))]);
    let id = begun(&api, &json!({"steps": steps})).await;
    step(&api, "g.a", &json!("A")).await;
    step(&api, "g.b", &json!("B")).await;
    assert_eq!(step(&api, "g.c", &Value::Null).await["parent_results"], json!(["B", "A"]));
    let ended = flow(&api, &id).await;
    assert_eq!((&ended["type"], &ended["name"], &ended["state"]), (&json!("dag"), &json!(""), &json!("completed")));
    assert_eq!(ended["steps"][2]["depends_on"], json!(["b", "a"]));
}

#[tokio::test]
async fn a_cancelled_workflow_leaves_nothing_to_do() {
    let api = Api::start().await;
    let steps = json!([{"type": "a.one", "args": []}, {"type": "a.two", "args": []}]);
    let id = begun(&api, &json!({"type": "chain", "name": "c", "steps": steps})).await;
    let first = flow(&api, &id).await["steps"][0]["job_id"].as_str().expect("an id").to_owned();
    let cancelled = api.delete(&format!("/ojs/v1/workflows/{id}")).await.json();
    assert_eq!((&cancelled["state"], &cancelled["steps_cancelled"]), (&json!("cancelled"), &json!(2)));
    assert!(cancelled["workflow"]["cancelled_at"].is_string());
    assert_eq!((job(&api, &first).await["state"].clone(), offered(&api, "w").await), (json!("cancelled"), 0));
    api.delete(&format!("/ojs/v1/workflows/{id}")).await.refused(409, "conflict", None);
    assert_eq!(flow(&api, &id).await["state"], "cancelled");
}

#[tokio::test]
async fn what_is_no_workflow_is_refused_and_what_is_not_there_is_not_found() {
    let api = Api::start().await;
    let refused = api.post("/ojs/v1/workflows", &json!({"type": "chain", "steps": [{"args": []}]})).await;
    refused.refused(400, "invalid_request", Some("steps[0].type"));
    for id in ["0196f3a2-0000-7000-8000-000000000000", "nonsense"] {
        api.get(&format!("/ojs/v1/workflows/{id}")).await.refused(404, "not_found", None);
        api.delete(&format!("/ojs/v1/workflows/{id}")).await.refused(404, "not_found", None);
    }
}

#[tokio::test]
async fn a_workflow_within_a_workflow_is_shown_as_a_step_with_steps() {
    let api = Api::start().await;
    let callbacks = json!({"on_success": {"type": "b.good", "args": []}});
    let inner =
        json!({"type": "batch", "id": "inner", "jobs": [{"type": "b.one", "args": []}], "callbacks": callbacks});
    let steps = json!([{"type": "a.one", "args": []}, inner, {"type": "a.two", "args": []}]);
    let id = begun(&api, &json!({"type": "chain", "name": "n", "steps": steps})).await;
    let waiting = flow(&api, &id).await;
    assert_eq!((&waiting["steps_total"], waiting["steps"].as_array().map(Vec::len)), (&json!(3), Some(3)));
    let inner = &waiting["steps"][1];
    assert_eq!((&inner["id"], &inner["type"], &inner["state"]), (&json!("inner"), &json!("batch"), &json!("pending")));
    assert_eq!((&inner["job_id"], &inner["steps"][0]["type"]), (&Value::Null, &json!("b.one")));
    assert_eq!(inner["callbacks"]["on_success"]["type"], "b.good");
    step(&api, "a.one", &json!(1)).await;
    assert_eq!(flow(&api, &id).await["steps"][1]["state"], "active");
    let member = step(&api, "b.one", &json!("B")).await;
    assert_eq!((&member["step_id"], &member["meta"]["workflow_id"]), (&json!("inner/job-0"), &json!(id)));
    let inner = flow(&api, &id).await["steps"][1].clone();
    assert_eq!((&inner["state"], &inner["steps_completed"]), (&json!("completed"), &json!(1)));
    assert_eq!(step(&api, "b.good", &json!(1)).await["parent_results"], json!(["B"]));
    assert_eq!(step(&api, "a.two", &json!(1)).await["parent_results"], json!(["B"]));
    assert_eq!(flow(&api, &id).await["state"], "completed");
}

#[tokio::test]
async fn settings_of_steps_are_read_in_the_spelling_of_other_languages_too() {
    let api = Api::start().await;
    let once = json!({"retry": {"maxAttempts": 1, "initialInterval": "PT2S"}, "timeoutMs": 5000});
    begun(&api, &json!({"type": "chain", "name": "c", "steps": [{"type": "a.one", "args": [], "options": once}]}))
        .await;
    let job = fetched(&api, "w").await;
    assert_eq!((&job["max_attempts"], &job["timeout_ms"]), (&json!(1), &json!(5000)));
    assert_eq!(job["retry"]["initial_interval"], "PT2S");
}
