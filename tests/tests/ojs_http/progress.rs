//! Progress over HTTP.

use carillon_tests::wait::until_some;
use serde_json::json;

use crate::client::{Api, answer};
use crate::stage::{ack, fetched};

#[tokio::test]
async fn a_handler_says_how_far_it_is_and_everybody_can_see() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    let path = format!("/ojs/v1/jobs/{id}/progress");
    assert_eq!(api.get(&path).await.json()["progress"], 0.0);
    fetched(&api, "w").await;
    let put = answer(
        api.request("PUT", &path).json(&json!({"progress": 0.25, "message": "a quarter", "data": {"rows": []}})),
    )
    .await;
    assert_eq!((put.status, &put.json()["percentage"]), (200, &json!(25.0)));
    let shown = api.get(&path).await;
    assert_eq!((&shown.json()["message"], &shown.json()["data"]), (&json!("a quarter"), &json!({"rows": []})));
    assert_eq!(shown.header("cache-control"), "no-cache");
    let said = api.post("/ojs/v1/workers/progress", &json!({"job_id": id, "percentage": 150})).await.json();
    assert_eq!((&said["ok"], &said["progress"]), (&json!(true), &json!(1.0)));
    let told = until_some("two events", async || {
        let events = api.get("/ojs/v1/events?types=job.progress").await.json();
        (events["events"].as_array()?.len() == 2).then(|| events["events"][0].clone())
    })
    .await;
    assert_eq!(
        (&told["data"]["progress_percent"], &told["data"]["progress_message"]),
        (&json!(25), &json!("a quarter"))
    );
}

#[tokio::test]
async fn progress_is_taken_in_every_live_state_and_refused_once_the_job_has_ended() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    let path = format!("/ojs/v1/jobs/{id}/progress");
    let put = async || answer(api.request("PUT", &path).json(&json!({"progress": 0.5}))).await;
    assert_eq!(put().await.status, 200, "nobody has it in hand yet");
    fetched(&api, "w").await;
    assert_eq!(put().await.status, 200);
    ack(&api, &json!({"job_id": id})).await;
    put().await.refused(409, "conflict", None);
}

#[tokio::test]
async fn progress_of_nothing_is_not_found_and_nonsense_is_refused() {
    let api = Api::start().await;
    api.get("/ojs/v1/jobs/nonsense/progress").await.refused(404, "not_found", None);
    let gone = json!({"job_id": "0196f3a2-0000-7000-8000-000000000000", "percentage": 1});
    api.post("/ojs/v1/workers/progress", &gone).await.refused(404, "not_found", None);
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    fetched(&api, "w").await;
    let nonsense = json!({"job_id": id, "percentage": "half"});
    api.post("/ojs/v1/workers/progress", &nonsense).await.refused(400, "invalid_request", Some("percentage"));
}
