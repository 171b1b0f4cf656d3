//! Why an entry ran or did not, over HTTP, with a scheduler that leads.

use std::time::Duration;

use carillon_shared::store::{QueueChange, WorkerInfo};
use carillon_tests::store::claim;
use carillon_tests::wait::{until, until_some};
use serde_json::{Value, json};

use crate::client::Api;

async fn register(api: &Api, cron: &str) {
    let body = json!({"name": "n", "cron": cron, "type": "echo"});
    assert_eq!(api.post("/ojs/v1/cron", &body).await.status, 201);
}

/// The instant of the first row that the ledger has for this query.
async fn instant(api: &Api, query: &str) -> String {
    let path = format!("/ojs/v1/cron/n/ledger?order=asc&{query}");
    let row = until_some("a row", async || api.get(&path).await.json()["rows"].get(0).cloned()).await;
    row["scheduled_at"].as_str().expect("a time").to_owned()
}

async fn why(api: &Api, at: &str) -> Value {
    let answer = api.get(&format!("/ojs/v1/cron/n/why?at={}", at.replace('+', "%2B"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// Verdict and reason.
async fn verdict(api: &Api, at: &str) -> (String, String) {
    let why = why(api, at).await;
    let text = |name: &str| why[name].as_str().unwrap_or_default().to_owned();
    (text("verdict"), text("reason"))
}

fn is(verdict: &str, reason: &str) -> (String, String) {
    (verdict.to_owned(), reason.to_owned())
}

async fn note_worker(api: &Api, queue: &str, job_type: &str, state: &str) {
    let now = api.store().now().await.expect("Redis is there");
    let info = WorkerInfo {
        queues: vec![queue.parse().expect("a queue")],
        job_types: vec![job_type.parse().expect("a type")],
        concurrency: 1,
        state: state.to_owned(),
        ..WorkerInfo::unknown("w-1".parse().expect("an id"), now)
    };
    api.store().note_worker(&info).await.expect("Redis is there");
}

#[tokio::test]
async fn a_queued_run_says_what_holds_it_up_and_the_skips_behind_it_say_whose_run_is_live() {
    let api = Api::start().await;
    register(&api, "* * * * * *").await;
    let first = instant(&api, "decision=fired").await;
    assert_eq!(verdict(&api, &first).await, is("queued", "no_worker"));
    note_worker(&api, "mail", "echo", "running").await;
    assert_eq!(verdict(&api, &first).await, is("queued", "no_worker_on_queue"));
    note_worker(&api, "default", "other", "running").await;
    assert_eq!(verdict(&api, &first).await, is("queued", "no_handler"));
    note_worker(&api, "default", "echo", "quiet").await;
    assert_eq!(verdict(&api, &first).await, is("queued", "no_worker"));
    note_worker(&api, "default", "echo", "running").await;
    assert_eq!(verdict(&api, &first).await, is("queued", ""));
    let queue = "default".parse().expect("a queue");
    api.store().change_queue(&queue, &QueueChange::Pause).await.expect("Redis is there");
    assert_eq!(verdict(&api, &first).await, is("queued", "queue_paused"));
    api.store().change_queue(&queue, &QueueChange::Resume).await.expect("Redis is there");

    let second = instant(&api, "decision=skipped").await;
    let skipped = why(&api, &second).await;
    assert_eq!((&skipped["verdict"], &skipped["reason"]), (&json!("skipped"), &json!("overlap_skip")));
    let (sentence, run) = (skipped["sentence"].as_str().expect("text"), &skipped["evidence"]["row"]["active_job_id"]);
    assert!(sentence.contains(run.as_str().expect("an id")) && sentence.contains("is queued"), "{sentence}");

    let claimed = api.store().claim(&claim(1, Duration::from_secs(30))).await.expect("Redis is there");
    assert_eq!(claimed.len(), 1);
    assert_eq!(verdict(&api, &first).await, is("running", ""));
}

#[tokio::test]
async fn limits_of_the_queue_hold_runs_up() {
    let api = Api::start().await;
    let queue = "default".parse().expect("a queue");
    let body = json!({"name": "n", "cron": "* * * * * *", "type": "echo", "overlap_policy": "allow"});
    assert_eq!(api.post("/ojs/v1/cron", &body).await.status, 201);
    note_worker(&api, "default", "echo", "running").await;
    api.store().change_queue(&queue, &QueueChange::Concurrency(Some(1))).await.expect("Redis is there");
    instant(&api, "decision=fired").await;
    let lease = Duration::from_secs(600);
    assert_eq!(api.store().claim(&claim(1, lease)).await.expect("Redis is there").len(), 1);
    let waiting = instant(&api, "state=available").await;
    assert_eq!(verdict(&api, &waiting).await, is("queued", "concurrency_limit"));
    api.store().change_queue(&queue, &QueueChange::Concurrency(None)).await.expect("Redis is there");
    let rate = carillon_shared::job::RateLimit { starts: 1, window: Duration::from_secs(600) };
    api.store().change_queue(&queue, &QueueChange::Rate(Some(rate))).await.expect("Redis is there");
    assert_eq!(api.store().claim(&claim(1, lease)).await.expect("Redis is there").len(), 1);
    let waiting = instant(&api, "state=available").await;
    assert_eq!(verdict(&api, &waiting).await, is("queued", "rate_limit"));
}

#[tokio::test]
async fn asked_for_no_time_it_says_why_the_schedule_does_nothing_although_manual_runs_work() {
    let api = Api::start().await;
    register(&api, "0 0 1 1 *").await;
    until("a leader", async || api.get("/ojs/v1/health").await.json()["leader"].is_string()).await;
    assert_eq!(api.poke("/ojs/v1/cron/n/trigger").await.status, 202);
    let body = json!({"enabled": false});
    assert_eq!(api.patch("/ojs/v1/cron/n", &body).await.status, 200);
    let answer = why(&api, "").await;
    assert_eq!((&answer["verdict"], &answer["reason"]), (&json!("will_not_run"), &json!("disabled")));
    assert_eq!(answer["asked"], "last");
    assert_eq!(api.patch("/ojs/v1/cron/n", &json!({"enabled": true})).await.status, 200);
    let answer = why(&api, "").await;
    assert_eq!(answer["verdict"], "will_run");
    let stands_in_the_way: Vec<&str> =
        answer["obstacles"].as_array().expect("a list").iter().filter_map(|o| o["reason"].as_str()).collect();
    assert_eq!(stands_in_the_way, ["no_worker", "live_run"]);
    assert!(answer["answer"].as_str().is_some_and(|text| text.contains("no worker was heard of")), "{answer}");
}

#[tokio::test]
async fn a_disabled_entry_says_since_when() {
    let api = Api::start().await;
    register(&api, "* * * * * *").await;
    instant(&api, "decision=fired").await;
    assert_eq!(api.patch("/ojs/v1/cron/n", &json!({"enabled": false})).await.status, 200);
    let disabled = instant(&api, "reason=disabled").await;
    let answer = why(&api, &disabled).await;
    assert_eq!((&answer["verdict"], &answer["reason"]), (&json!("skipped"), &json!("disabled")));
    assert!(answer["sentence"].as_str().is_some_and(|text| text.contains("was disabled since")), "{answer}");
    assert_eq!(verdict(&api, "next").await, is("will_not_run", "disabled"));
}

#[tokio::test]
async fn times_are_read_in_the_zone_of_the_entry() {
    let api = Api::start().await;
    let body = json!({"name": "n", "cron": "30 2 * * *", "timezone": "America/New_York", "type": "echo"});
    assert_eq!(api.post("/ojs/v1/cron", &body).await.status, 201);
    let local = why(&api, "2050-01-05 02:30").await;
    assert_eq!((&local["verdict"], &local["at"]), (&json!("will_run"), &json!("2050-01-05T07:30:00Z")));
    assert_eq!(verdict(&api, "2050-01-05 02:31").await, is("not_scheduled", ""));
    assert_eq!(verdict(&api, "2050-03-13 02:30").await, is("will_not_run", "dst_skip"));
    assert_eq!(verdict(&api, "2000-01-05T02:30").await, is("not_registered", ""));
    api.get("/ojs/v1/cron/n/why?at=soon").await.refused(400, "invalid_request", Some("at"));
    api.get("/ojs/v1/cron/never/why").await.refused(404, "not_found", None);
}

#[tokio::test]
async fn who_leads_is_shown_with_who_led_before() {
    let api = Api::start().await;
    let shown = until_some("a leader", async || {
        let shown = api.get("/ojs/v1/leader").await.json();
        shown["leader"].is_object().then_some(shown)
    })
    .await;
    assert_eq!((&shown["leader"]["leads"], &shown["terms"][0]), (&json!(true), &shown["leader"]));
    assert!(shown["leader"]["since"].is_string() && shown["leader"]["until"].is_null());
}
