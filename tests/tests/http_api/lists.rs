//! Queues, workers and the inbox over HTTP.

use carillon_tests::redis::shared;
use carillon_tests::wait::until_some;
use serde_json::{Value, json};

use crate::client::{Api, answer};

#[tokio::test]
async fn queues_are_listed_with_their_counters() {
    let api = Api::start().await;
    for queue in ["a", "a", "b"] {
        api.job(&json!({"type": "echo", "args": [], "queue": queue})).await;
    }
    let list = api.get("/ojs/v1/queues").await.json();
    assert_eq!(
        (&list["count"], &list["pagination"]["total"], &list["pagination"]["has_more"]),
        (&json!(2), &json!(2), &json!(false))
    );
    let first = &list["queues"][0];
    assert_eq!(
        (&first["name"], &first["status"], &first["available_count"]),
        (&json!("a"), &json!("active"), &json!(2))
    );
    assert!(first["created_at"].as_str().is_some_and(|at| at.parse::<carillon_shared::clock::Timestamp>().is_ok()));
}

#[tokio::test]
async fn the_counters_of_a_queue_are_shown_as_each_sort_of_client_reads_them() {
    let api = Api::start().await;
    api.job(&json!({"type": "echo", "args": [], "queue": "mail"})).await;
    let plain = api.get("/ojs/v1/queues/mail/stats").await.json();
    assert_eq!(
        (&plain["queue"]["name"], &plain["queue"]["available"], &plain["queue"]["completed"]),
        (&json!("mail"), &json!(1), &json!(0))
    );
    let sdk = answer(api.request("GET", "/ojs/v1/queues/mail/stats").header("OJS-Version", "1.0")).await.json();
    assert_eq!((&sdk["queue"], &sdk["available"], &sdk["stats"]["available"]), (&json!("mail"), &json!(1), &json!(1)));
    for stats in [&plain, &sdk] {
        assert_eq!(
            (&stats["status"], &stats["name"], stats["computed_at"].is_string()),
            (&json!("active"), &json!("mail"), true)
        );
    }
    assert_eq!(api.get("/ojs/v1/queues/never-used/stats").await.json()["queue"]["available"], 0);
    api.get("/ojs/v1/queues/No%20Queue/stats").await.refused(400, "invalid_request", Some("queue"));
}

#[tokio::test]
async fn workers_are_listed_while_they_are_heard_of() {
    let api = Api::start().await;
    assert_eq!(api.get("/ojs/v1/workers").await.json()["workers"], json!([]));
    let now = api.store().now().await.expect("Redis is there");
    let worker = json!({
        "worker_id": "w-1", "hostname": "h", "pid": 5, "queues": ["default"], "job_types": ["echo"], "concurrency": 3,
        "active_job_ids": [], "state": "running", "started_at": now, "last_heartbeat_at": now,
    });
    let info = serde_json::from_value(worker.clone()).expect("what a worker says of itself");
    api.store().note_worker(&info).await.expect("Redis is there");
    let list = api.get("/ojs/v1/workers").await.json();
    assert_eq!((&list["workers"][0]["worker_id"], &list["count"]), (&worker["worker_id"], &json!(1)));
}

#[tokio::test]
async fn what_the_inbox_did_not_take_is_shown_with_its_reason() {
    let api = Api::start().await;
    let mut connection = shared().connection().await;
    let inbox = api.store().keys().inbox();
    for item in ["nonsense", r#"{"type":"echo"}"#, r#"{"type":"echo","args":[]}"#] {
        let _: i64 = redis::cmd("RPUSH").arg(&inbox).arg(item).query_async(&mut connection).await.expect("a push");
    }
    let rejected = until_some("two rejections", async || {
        let list = api.get("/ojs/v1/inbox/rejected").await.json();
        (list["count"] == 2).then(|| list["rejected"].clone())
    })
    .await;
    assert_eq!((&rejected[0]["field"], &rejected[0]["payload"]), (&json!("args"), &json!(r#"{"type":"echo"}"#)));
    assert_eq!((&rejected[1]["payload"], rejected[1]["reason"].is_string()), (&Value::from("nonsense"), true));
    assert_eq!(api.get("/ojs/v1/inbox/rejected?limit=1").await.json()["count"], 1);
    api.get("/ojs/v1/inbox/rejected?limit=x").await.refused(400, "invalid_request", Some("limit"));
}
