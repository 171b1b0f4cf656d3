//! Pauses, backfills and bounds of entries over HTTP.

use std::time::Duration;

use carillon_shared::clock::Timestamp;
use serde_json::{Value, json};

use crate::client::Api;

const YEARLY: &str = "0 0 1 1 *";

async fn register(api: &Api, extra: Value) -> Value {
    let mut entry = json!({"name": "n", "cron": YEARLY, "type": "echo"});
    entry.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
    let answer = api.post("/ojs/v1/cron", &entry).await;
    assert!([200, 201].contains(&answer.status), "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_pause_is_shown_with_its_reason_and_outlives_a_registration() {
    let api = Api::start().await;
    register(&api, json!({})).await;
    let body = json!({"note": "database moves", "by": "ann", "until": "2h"});
    let paused = api.post("/ojs/v1/cron/n/pause", &body).await.json()["cron_job"].clone();
    assert_eq!(
        (&paused["status"], &paused["paused"], &paused["enabled"]),
        (&json!("paused"), &json!(true), &json!(true))
    );
    assert_eq!((&paused["pause"]["note"], &paused["pause"]["by"]), (&json!("database moves"), &json!("ann")));
    assert!(paused["next_run_at"].is_string(), "it ends before the next instant");
    assert_eq!(register(&api, json!({"args": [1]})).await["pause"], paused["pause"]);
    // What was shown can be sent back whole.
    let back = api.patch("/ojs/v1/cron/n", &paused).await.json();
    assert_eq!((&back["enabled"], &back["pause"]), (&json!(true), &paused["pause"]));
    let endless = api.poke("/ojs/v1/cron/n/pause").await.json();
    assert_eq!((&endless["next_run_at"], &endless["pause"]["since"]), (&Value::Null, &paused["pause"]["since"]));
    let resumed = api.poke("/ojs/v1/cron/n/resume").await.json();
    assert_eq!((&resumed["status"], &resumed["pause"]), (&json!("active"), &Value::Null));
    assert_eq!(api.poke("/ojs/v1/cron/n/resume").await.status, 200, "twice is once");
    for (body, field) in [
        (json!({"until": "yesterday"}), "until"),
        (json!({"until": "2020-01-01T00:00:00Z"}), "until"),
        (json!({"note": "x".repeat(2000)}), "note"),
        (json!({"by": 5}), "by"),
        (json!({"reason": "x"}), "reason"),
    ] {
        api.post("/ojs/v1/cron/n/pause", &body).await.refused(400, "invalid_request", Some(field));
    }
    assert_eq!(api.get("/ojs/v1/cron/n").await.json()["status"], "active");
}

#[tokio::test]
async fn what_an_entry_says_of_its_instants_is_kept_and_shown() {
    let api = Api::start().await;
    let said = json!({
        "misfire": "skip", "deadline": "PT5M", "jitter": "30s", "starts_at": "2030-01-01T00:00:00Z",
        "ends_at": "2031-01-02T00:00:00+00:00", "max_runs": 3, "run_as": "reports",
    });
    let shown = register(&api, said).await;
    let expected = json!({
        "misfire": "skip", "deadline": "5m", "jitter": "30s", "starts_at": "2030-01-01T00:00:00Z",
        "ends_at": "2031-01-02T00:00:00Z", "max_runs": 3, "run_as": "reports", "next_run_at": "2030-01-01T00:00:00Z",
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&shown[name], value, "{name}");
    }
    let patched =
        api.patch("/ojs/v1/cron/n", &json!({"jitter": null, "starts_at": "2030-06-01T00:00:00Z"})).await.json();
    assert_eq!((&patched["jitter"], &patched["next_run_at"]), (&Value::Null, &json!("2031-01-01T00:00:00Z")));
    let ended = api.patch("/ojs/v1/cron/n", &json!({"ends_at": "2030-12-31T00:00:00Z"})).await.json();
    assert_eq!(
        (&ended["status"], &ended["next_run_at"], &ended["enabled"]),
        (&json!("ended"), &Value::Null, &json!(true))
    );
    let job = api.poke("/ojs/v1/cron/n/trigger").await.json();
    assert_eq!((&job["job"]["meta"]["run_as"], &job["effect"]), (&json!("reports"), &json!("fired")));
    let events = api.get("/ojs/v1/events").await.text;
    assert!(events.contains("cron.triggered") && !events.contains("run_as"), "{events}");
}

#[tokio::test]
async fn a_window_of_the_past_is_shown_before_it_is_run() {
    let api = Api::start().await;
    let now: Timestamp = api.store().now().await.expect("Redis is there");
    // Every hour, but not within the next minutes.
    let minute = (now.as_secs() / 60 + 30) % 60;
    register(&api, json!({"cron": format!("{minute} * * * *"), "overlap_policy": "allow"})).await;
    let from = now - Duration::from_secs(5 * 3600);
    let window = json!({"from": from, "to": now, "limit": 2});
    let dry = api.post("/ojs/v1/cron/n/backfill", &window).await.json();
    assert_eq!((&dry["dry_run"], &dry["jobs"], &dry["has_more"]), (&json!(true), &json!(2), &json!(true)));
    assert_eq!(api.get("/ojs/v1/cron/n").await.json()["run_count"], 0);
    let mut apply = window.clone();
    apply["dry_run"] = json!(false);
    let done = api.post("/ojs/v1/cron/n/backfill", &apply).await.json();
    assert_eq!(done["instants"], dry["instants"]);
    let id = done["instants"][0]["job_id"].as_str().expect("an id");
    assert_eq!(api.get(&format!("/ojs/v1/jobs/{id}")).await.json()["meta"]["cron_kind"], "backfill");
    let again = api.post("/ojs/v1/cron/n/backfill", &apply).await.json();
    assert_eq!((&again["jobs"], &again["instants"][0]["outcome"]), (&json!(0), &json!("already_fired")));
    apply["from"] = done["next_from"].clone();
    assert_eq!(api.post("/ojs/v1/cron/n/backfill", &apply).await.json()["jobs"], 2);

    let path = "/ojs/v1/cron/n/backfill";
    let ahead = now + Duration::from_secs(3600);
    for (body, field) in [
        (json!({"to": now}), "from"),
        (json!({"from": now, "to": from}), "to"),
        (json!({"from": from, "to": ahead}), "to"),
        (json!({"from": from, "to": now, "limit": 0}), "limit"),
        (json!({"from": from, "to": now, "dryrun": false}), "dryrun"),
    ] {
        api.post(path, &body).await.refused(400, "invalid_request", Some(field));
    }
    api.post("/ojs/v1/cron/gone/backfill", &window).await.refused(404, "not_found", None);
}

#[tokio::test]
async fn a_clock_that_jumped_is_seen_in_health_until_it_is_accepted() {
    let api = Api::start().await;
    assert_eq!(api.get("/ojs/v1/health").await.json()["alarms"], json!([]));
    api.store().clock().pretend_jump(3_600_000);
    carillon_tests::wait::until("the alarm", async || {
        let health = api.get("/ojs/v1/health").await;
        assert_eq!(health.status, 200);
        let health = health.json();
        health["alarms"][0]["code"] == "clock_jumped" && health["status"] == "degraded"
    })
    .await;
    assert_eq!(api.poke("/ojs/v1/admin/clock/accept").await.status, 200);
    carillon_tests::wait::until("the end of the alarm", async || {
        api.get("/ojs/v1/health").await.json()["status"] == "ok"
    })
    .await;
}
