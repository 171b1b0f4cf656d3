//! Workflows against a real Redis: advanced by the script that ends a step.

use carillon_shared::client::Client;
use carillon_shared::id::Partition;
use carillon_shared::job::{Failure, Verdict};
use carillon_shared::store::{AttemptEnd, Claimed, EndReply, Ending, EventCursor, Flow, FlowCancel, Store};
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::redis::{Server, shared};
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{LEASE, claim, options, store};
use carillon_tests::wait::until;
use serde_json::{Value, json};

async fn begin(store: &Store, request: Value) -> Flow {
    Client::new(store.clone()).begin_flow(&request).await.expect("a workflow")
}

async fn fetch(store: &Store) -> Vec<Claimed> {
    store.claim(&claim(10, LEASE)).await.expect("Redis is there")
}

async fn end(store: &Store, claimed: &Claimed, ending: Ending) {
    let end = AttemptEnd { held: claimed.held.clone(), ending };
    assert_eq!(store.end(&[end]).await.expect("Redis is there"), [EndReply::Ended]);
}

async fn complete(store: &Store, claimed: &Claimed, result: Value) {
    end(store, claimed, Ending::Completed { result: Some(result) }).await;
}

async fn fail(store: &Store, claimed: &Claimed) {
    let failure = Failure::new("handler_error", "no");
    end(store, claimed, Ending::Failed { failure, attempt: 1, verdict: Verdict::Discard }).await;
}

async fn state(store: &Store, flow: &Flow) -> (String, u64, u64, Vec<String>) {
    let flow = store.flow(flow.id).await.expect("Redis is there").expect("the workflow is kept");
    assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
    (flow.state, flow.done, flow.failed, flow.steps.into_iter().map(|step| step.state).collect())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn types(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|one| one.job.record.job_type.as_str()).collect()
}

#[tokio::test]
async fn a_chain_hands_each_result_to_the_next_step() {
    let store = store().await;
    let flow = begin(&store, json!({"type": "chain", "steps": [{"type": "a"}, {"type": "b"}, {"type": "c"}]})).await;
    for (expected, result) in [("a", json!({"n": 1})), ("b", json!([])), ("c", json!(null))] {
        let claimed = fetch(&store).await;
        assert_eq!(types(&claimed), [expected]);
        let handed = claimed[0].job.to_json().get("parent_results").cloned();
        assert_eq!(
            handed,
            match expected {
                "a" => None,
                "b" => Some(json!([{"n": 1}])),
                _ => Some(json!([[]])),
            }
        );
        complete(&store, &claimed[0], result).await;
    }
    assert_eq!(state(&store, &flow).await, ("completed".to_owned(), 3, 0, words(&["completed"; 3])));
}

#[tokio::test]
async fn a_chain_ends_where_a_step_fails() {
    let store = store().await;
    let flow = begin(&store, json!({"type": "chain", "steps": [{"type": "a"}, {"type": "b"}, {"type": "c"}]})).await;
    complete(&store, &fetch(&store).await[0], json!(1)).await;
    fail(&store, &fetch(&store).await[0]).await;
    assert_eq!(state(&store, &flow).await, ("failed".to_owned(), 1, 1, words(&["completed", "failed", "cancelled"])));
    assert!(fetch(&store).await.is_empty());
}

#[tokio::test]
async fn a_group_fails_only_when_all_have_ended() {
    let store = store().await;
    let flow = begin(&store, json!({"type": "group", "jobs": [{"type": "a"}, {"type": "b"}]})).await;
    let claimed = fetch(&store).await;
    assert_eq!(types(&claimed), ["a", "b"], "in order");
    fail(&store, &claimed[1]).await;
    assert_eq!(state(&store, &flow).await.0, "running");
    complete(&store, &claimed[0], json!(1)).await;
    assert_eq!(state(&store, &flow).await, ("failed".to_owned(), 1, 1, words(&["completed", "failed"])));
}

#[tokio::test]
async fn the_callbacks_of_a_batch_follow_from_how_it_went() {
    for (fails, expected) in [(false, ["c", "s"]), (true, ["c", "f"])] {
        let store = store().await;
        let callbacks = json!({"on_complete": {"type": "c"}, "on_success": {"type": "s"}, "on_failure": {"type": "f"}});
        let flow =
            begin(&store, json!({"type": "batch", "jobs": [{"type": "a"}, {"type": "b"}], "callbacks": callbacks}))
                .await;
        let claimed = fetch(&store).await;
        complete(&store, &claimed[0], json!(1)).await;
        assert!(fetch(&store).await.is_empty(), "not before all have ended");
        if fails {
            fail(&store, &claimed[1]).await;
        } else {
            complete(&store, &claimed[1], json!(2)).await;
        }
        let called = fetch(&store).await;
        assert_eq!(types(&called), expected);
        let word = if fails { "failed" } else { "completed" };
        assert_eq!(state(&store, &flow).await.0, word, "decided before the callbacks end");
    }
}

#[tokio::test]
async fn a_graph_waits_for_all_that_a_step_depends_on() {
    let store = store().await;
    let steps =
        json!([{"id": "a", "type": "a"}, {"id": "b", "type": "b"}, {"id": "c", "type": "c", "depends_on": ["a", "b"]}]);
    let flow = begin(&store, json!({"name": "diamond", "steps": steps})).await;
    let claimed = fetch(&store).await;
    assert_eq!(types(&claimed), ["a", "b"]);
    complete(&store, &claimed[1], json!("b")).await;
    assert!(fetch(&store).await.is_empty());
    complete(&store, &claimed[0], json!("a")).await;
    let last = fetch(&store).await;
    assert_eq!(last[0].job.parent_results, [json!("a"), json!("b")]);
    complete(&store, &last[0], json!(null)).await;
    assert_eq!(state(&store, &flow).await.0, "completed");
}

#[tokio::test]
async fn a_cancelled_workflow_lets_no_step_go() {
    let store = store().await;
    let flow = begin(&store, json!({"type": "chain", "steps": [{"type": "a"}, {"type": "b"}]})).await;
    let claimed = fetch(&store).await;
    let cancelled = store.cancel_flow(flow.id, "test").await.expect("Redis is there");
    assert!(matches!(cancelled, FlowCancel::Cancelled(jobs) if jobs.len() == 2));
    let end = AttemptEnd { held: claimed[0].held.clone(), ending: Ending::Completed { result: None } };
    assert_eq!(store.end(&[end]).await.expect("Redis is there"), [EndReply::Cancelled]);
    assert!(fetch(&store).await.is_empty());
    assert_eq!(state(&store, &flow).await.0, "cancelled");
    let again = store.cancel_flow(flow.id, "test").await.expect("Redis is there");
    assert_eq!(again, FlowCancel::Ended("cancelled".to_owned()));
}

#[tokio::test]
async fn a_step_that_was_cancelled_while_it_waited_is_never_let_go() {
    let store = store().await;
    let flow = begin(&store, json!({"type": "chain", "steps": [{"type": "a"}, {"type": "b"}, {"type": "c"}]})).await;
    store.cancel(flow.steps[1].job_id().expect("a job"), "test", "").await.expect("Redis is there");
    complete(&store, &fetch(&store).await[0], json!(1)).await;
    assert!(fetch(&store).await.is_empty());
    assert_eq!(
        state(&store, &flow).await,
        ("failed".to_owned(), 1, 1, words(&["completed", "cancelled", "cancelled"]))
    );
}

#[tokio::test]
async fn steps_that_expire_together_end_their_workflow() {
    let store = store().await;
    let job = json!({"type": "a", "options": {"ttl_ms": 20}});
    let callbacks = json!({"on_complete": {"type": "c"}});
    let flow = begin(&store, json!({"type": "batch", "jobs": [job, job, job], "callbacks": callbacks})).await;
    until("the steps to expire", async || {
        store.expire(Partition(0)).await.expect("Redis is there");
        state(&store, &flow).await.0 == "failed"
    })
    .await;
    assert_eq!(types(&fetch(&store).await), ["c"]);
}

#[tokio::test]
async fn a_step_that_had_expired_before_its_workflow_began_ends_it() {
    let store = store().await;
    let late = json!({"type": "a", "options": {"expires_at": "2001-01-01T00:00:00Z"}});
    let callbacks = json!({"on_complete": {"type": "c"}});
    let flow = begin(&store, json!({"type": "batch", "jobs": [late, {"type": "b"}], "callbacks": callbacks})).await;
    assert_eq!(state(&store, &flow).await.0, "running");
    let chain = begin(&store, json!({"type": "chain", "steps": [late, {"type": "d"}]})).await;
    assert_eq!(state(&store, &chain).await, ("failed".to_owned(), 0, 1, words(&["failed", "cancelled"])));
    let claimed = fetch(&store).await;
    assert_eq!(types(&claimed), ["b"]);
    complete(&store, &claimed[0], json!(1)).await;
    assert_eq!(state(&store, &flow).await.0, "failed");
    assert_eq!(types(&fetch(&store).await), ["c"]);
}

/// Claims what there is, which must be of these types.
async fn claimed(store: &Store, expected: &[&str]) -> Vec<Claimed> {
    let claimed = fetch(store).await;
    assert_eq!(types(&claimed), expected);
    claimed
}

/// A group within a chain within a batch within a chain.
fn deep() -> Value {
    let inner = json!({"type": "group", "jobs": [{"type": "d.one"}, {"type": "d.two"}]});
    let middle = json!({"type": "chain", "id": "middle", "steps": [{"type": "c.first"}, inner, {"type": "c.last"}]});
    let outer = json!({"type": "batch", "jobs": [{"type": "b.alone"}, middle],
        "callbacks": {"on_complete": {"type": "b.done"}, "on_success": {"type": "b.good"}, "on_failure": {"type": "b.bad"}}});
    json!({"type": "chain", "name": "deep", "steps": [{"type": "a.first"}, outer, {"type": "a.last"}]})
}

#[tokio::test]
async fn workflows_within_workflows_begin_and_end_as_steps_of_them() {
    let store = store().await;
    let flow = begin(&store, deep()).await;
    complete(&store, &claimed(&store, &["a.first"]).await[0], json!("A")).await;
    let both = claimed(&store, &["b.alone", "c.first"]).await;
    assert_eq!(both.iter().map(|one| one.job.parent_results.clone()).collect::<Vec<_>>(), [[json!("A")], [json!("A")]]);
    complete(&store, &both[0], json!("alone")).await;
    complete(&store, &both[1], json!("C")).await;
    let inner = claimed(&store, &["d.one", "d.two"]).await;
    complete(&store, &inner[1], json!(2)).await;
    complete(&store, &inner[0], json!(1)).await;
    let last = claimed(&store, &["c.last"]).await;
    assert_eq!(last[0].job.parent_results, [json!(1), json!(2)], "what the group ended with, in its order");
    complete(&store, &last[0], json!("L")).await;
    // The batch ends with its members; the step after it does not wait for its callbacks.
    let after = claimed(&store, &["b.done", "b.good", "a.last"]).await;
    for one in &after {
        assert_eq!(one.job.parent_results, [json!("alone"), json!("L")]);
        complete(&store, one, json!(null)).await;
    }
    let (state, done, failed, _) = state(&store, &flow).await;
    assert_eq!((state.as_str(), done, failed), ("completed", 3, 0));
}

#[tokio::test]
async fn a_failure_within_ends_each_workflow_around_it() {
    let store = store().await;
    let flow = begin(&store, deep()).await;
    complete(&store, &claimed(&store, &["a.first"]).await[0], json!(1)).await;
    let both = claimed(&store, &["b.alone", "c.first"]).await;
    complete(&store, &both[0], json!(1)).await;
    complete(&store, &both[1], json!(1)).await;
    let inner = claimed(&store, &["d.one", "d.two"]).await;
    fail(&store, &inner[0]).await;
    assert_eq!(state(&store, &flow).await.0, "running", "a group ends when all of it has");
    complete(&store, &inner[1], json!(2)).await;
    let callbacks = claimed(&store, &["b.done", "b.bad"]).await;
    let steps =
        ["completed", "failed", "completed", "failed", "completed", "failed", "failed", "completed", "cancelled"];
    let rest = ["enqueued", "cancelled", "enqueued", "cancelled"];
    assert_eq!(state(&store, &flow).await, ("failed".to_owned(), 1, 1, words(&[&steps[..], &rest[..]].concat())));
    complete(&store, &callbacks[0], json!(null)).await;
    complete(&store, &callbacks[1], json!(null)).await;
    assert!(fetch(&store).await.is_empty());
}

#[tokio::test]
async fn a_callback_may_be_a_workflow() {
    let store = store().await;
    let callback = json!({"type": "chain", "steps": [{"type": "c.one"}, {"type": "c.two"}]});
    begin(&store, json!({"type": "batch", "jobs": [{"type": "a"}], "callbacks": {"on_success": callback}})).await;
    complete(&store, &claimed(&store, &["a"]).await[0], json!(1)).await;
    complete(&store, &claimed(&store, &["c.one"]).await[0], json!(2)).await;
    let last = claimed(&store, &["c.two"]).await;
    assert_eq!(last[0].job.parent_results, [json!(2)]);
}

#[tokio::test]
async fn a_cancel_reaches_every_level() {
    let store = store().await;
    let flow = begin(&store, deep()).await;
    complete(&store, &claimed(&store, &["a.first"]).await[0], json!(1)).await;
    let both = claimed(&store, &["b.alone", "c.first"]).await;
    let cancelled = store.cancel_flow(flow.id, "test").await.expect("Redis is there");
    // All but the one that had ended: members and callbacks.
    assert!(matches!(&cancelled, FlowCancel::Cancelled(jobs) if jobs.len() == 9), "{cancelled:?}");
    let end = AttemptEnd { held: both[1].held.clone(), ending: Ending::Completed { result: None } };
    assert_eq!(store.end(&[end]).await.expect("Redis is there"), [EndReply::Cancelled]);
    assert!(fetch(&store).await.is_empty());
    let (word, .., steps) = state(&store, &flow).await;
    assert_eq!((word.as_str(), steps[0].as_str()), ("cancelled", "completed"));
    assert!(steps[1..].iter().all(|state| state == "cancelled"), "{steps:?}");
}

/// How many commands a server has carried out, those within scripts among them.
async fn commands(server: &Server) -> u64 {
    let mut connection = server.connection().await;
    let text: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.expect("INFO");
    let calls = text.lines().filter_map(|line| line.split_once("calls=")?.1.split(',').next()?.parse::<u64>().ok());
    calls.sum()
}

#[tokio::test]
async fn the_end_of_a_step_costs_the_same_however_long_its_chain_is() {
    let server = Server::start(&["--appendonly", "no"]);
    let mut costs = Vec::new();
    for length in [5, 1000] {
        let store = Store::open(options(&server.url())).await.expect("Redis is there");
        begin(&store, json!({"type": "chain", "steps": vec![json!({"type": "a"}); length]})).await;
        let first = fetch(&store).await;
        let before = commands(&server).await;
        complete(&store, &first[0], json!(1)).await;
        costs.push(commands(&server).await - before);
    }
    // A time that is nothing is not counted, which saves a command.
    assert!(costs[1] <= costs[0] + 3, "{costs:?}");
}

#[tokio::test]
async fn a_workflow_tells_what_became_of_its_steps() {
    let store = store().await;
    let flow =
        begin(&store, json!({"type": "chain", "name": "c", "steps": [{"id": "x", "type": "a"}, {"type": "b"}]})).await;
    fail(&store, &claimed(&store, &["a"]).await[0]).await;
    let page = store.events(EventCursor::oldest(1), 100).await.expect("Redis is there");
    let told = page.events.into_iter().filter(|(_, event)| event.subject == flow.id.to_string());
    let told: Vec<(String, Value)> =
        told.map(|(_, event)| (event.kind.clone(), Value::Object(event.members()))).collect();
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["workflow.started", "workflow.step_completed", "workflow.failed"]);
    assert_eq!((&told[0].1["total_steps"], &told[0].1["workflow_name"]), (&json!(2), &json!("c")));
    let step = &told[1].1;
    assert_eq!((&step["step_id"], &step["step_type"], &step["steps_remaining"]), (&json!("x"), &json!("a"), &json!(0)));
    assert!(step["duration_ms"].is_u64());
    let failed = &told[2].1;
    assert_eq!((&failed["failed_step_id"], &failed["failed_step_type"]), (&json!("x"), &json!("a")));
    assert!(failed["error"]["message"].as_str().is_some_and(|text| text.contains("no")), "{failed}");
}
