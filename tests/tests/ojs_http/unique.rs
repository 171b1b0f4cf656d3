//! Unique jobs over HTTP.

use serde_json::{Value, json};

use crate::client::Api;
use crate::stage::{ack, fetched, job};

fn once(on_conflict: &str) -> Value {
    json!({"type": "once", "args": [1], "options": {"unique": {"keys": ["type", "args"], "on_conflict": on_conflict}}})
}

#[tokio::test]
async fn the_second_is_refused_until_the_first_has_ended() {
    let api = Api::start().await;
    let first = api.job(&once("reject")).await;
    let second = api.post("/ojs/v1/jobs", &once("reject")).await;
    second.refused(409, "duplicate", Some("unique"));
    assert_eq!(second.json()["error"]["details"]["existing_job_id"].as_str(), Some(first.as_str()));
    fetched(&api, "w").await;
    assert_eq!(api.post("/ojs/v1/jobs", &once("reject")).await.status, 409, "while it runs");
    ack(&api, &json!({"job_id": first})).await;
    assert_eq!(api.post("/ojs/v1/jobs", &once("reject")).await.status, 201);
}

#[tokio::test]
async fn the_second_is_answered_with_the_first() {
    let api = Api::start().await;
    let first = api.job(&once("ignore")).await;
    let second = api.post("/ojs/v1/jobs", &once("ignore")).await;
    let body = second.json();
    assert_eq!((second.status, &body["job"]["id"], &body["deduplicated"]), (200, &json!(first), &json!(true)));
}

#[tokio::test]
async fn the_second_takes_the_place_of_the_first_even_while_it_runs() {
    let api = Api::start().await;
    let first = api.job(&once("replace")).await;
    fetched(&api, "w").await;
    let second = api.job(&once("replace")).await;
    assert_ne!(first, second);
    assert_eq!(
        (job(&api, &first).await["state"].clone(), job(&api, &second).await["state"].clone()),
        (json!("cancelled"), json!("available"))
    );
    ack(&api, &json!({"job_id": first})).await.refused(409, "conflict", None);
}

#[tokio::test]
async fn the_second_may_keep_the_time_of_the_first() {
    let api = Api::start().await;
    let mut later = once("replace_except_schedule");
    later["options"]["delay_until"] = "2099-01-01T00:00:00Z".into();
    let first = job(&api, &api.job(&later).await).await;
    let second = job(&api, &api.job(&once("replace_except_schedule")).await).await;
    assert_eq!((&second["state"], &second["scheduled_at"]), (&json!("scheduled"), &first["scheduled_at"]));
}

#[tokio::test]
async fn of_many_that_come_at_once_one_is_taken() {
    let api = Api::start().await;
    let job = once("reject");
    let answers = futures::future::join_all((0..20).map(|_| api.post("/ojs/v1/jobs", &job))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (1, 19));
}
