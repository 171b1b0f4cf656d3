//! What producers and workers say comes back as they said it, up to its limits.

use serde_json::{Value, json};

use crate::client::{Answer, Api, answer};
use crate::stage::{fetched, job};

/// Numbers beyond 2^53, empty containers, order of members, text beyond ASCII.
const ODD: &str =
    r#"[9007199254740993,-0.0,1.0,123456789012345678901234567890,[],{},null,{"z":[],"a":{"é":"\"\\ 🦀"}},""]"#;

async fn raw(api: &Api, path: &str, text: String) -> Answer {
    answer(api.request("POST", path).header("content-type", "application/json").body(text)).await
}

#[tokio::test]
async fn arguments_and_unknown_members_come_back_byte_for_byte() {
    let api = Api::start().await;
    let text = format!(r#"{{"type":"echo","args":{ODD},"x_odd":{{"list":{ODD}}},"meta":{{"odd":{ODD}}}}}"#);
    let taken = raw(&api, "/ojs/v1/jobs", text).await;
    assert_eq!(taken.status, 201, "{}", taken.text);
    let id = taken.json()["id"].as_str().expect("an id").to_owned();
    let shown = api.get(&format!("/ojs/v1/jobs/{id}")).await;
    let claimed = api.post("/ojs/v1/workers/fetch", &json!({"queues": ["default"]})).await;
    for answer in [&taken, &shown, &claimed] {
        for part in [format!(r#""args":{ODD}"#), format!(r#""x_odd":{{"list":{ODD}}}"#), format!(r#""odd":{ODD}"#)] {
            assert!(answer.text.contains(&part), "{part} in {}", answer.text);
        }
    }
}

/// Also where arguments have names that stand in answers, or are as deep as may be.
#[tokio::test]
async fn a_job_is_shown_alike_by_whoever_shows_it() {
    let api = Api::start().await;
    let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
    for args in [ODD, r#"[{"job":1,"job_id":2,"acknowledged":3,"jobs":[]}]"#, deep.as_str()] {
        let part = format!(r#""args":{args}"#);
        let taken = raw(&api, "/ojs/v1/jobs", format!(r#"{{"type":"echo","args":{args}}}"#)).await;
        assert_eq!(taken.status, 201, "{}", taken.text);
        let id = taken.json()["id"].as_str().expect("an id").to_owned();
        let waits = api.get(&format!("/ojs/v1/jobs/{id}")).await;
        let claimed = api.post("/ojs/v1/workers/fetch", &json!({"queues": ["default"]})).await;
        let active = api.get(&format!("/ojs/v1/jobs/{id}")).await;
        let ended = raw(&api, "/ojs/v1/workers/ack", format!(r#"{{"job_id":"{id}"}}"#)).await;
        let done = api.get(&format!("/ojs/v1/jobs/{id}")).await;
        for (one, other) in [(&taken, &waits), (&claimed, &active), (&ended, &done)] {
            assert_eq!(one.json()["job"], other.json()["job"], "{args}");
            assert_eq!(one.text.matches(&part).count(), 2, "{part} in {}", one.text);
        }
        assert_eq!((ended.json()["job_id"].clone(), ended.json()["acknowledged"].clone()), (json!(id), json!(true)));
    }
}

#[tokio::test]
async fn what_is_as_deep_as_may_be_is_shown_when_it_stands_deeper() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    fetched(&api, "w").await;
    let details = format!(r#"{}{{"job_id":1}}{}"#, "[".repeat(123), "]".repeat(123));
    let error = format!(r#"{{"code":"x","message":"no","details":{{"d":{details}}}}}"#);
    let ended = raw(&api, "/ojs/v1/workers/nack", format!(r#"{{"job_id":"{id}","error":{error}}}"#)).await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    assert!(ended.text.starts_with(&format!(r#"{{"job":{{"specversion":"1.0","id":"{id}""#)), "{}", ended.text);
}

#[tokio::test]
async fn a_name_that_would_be_read_as_json_is_refused() {
    let api = Api::start().await;
    let text = r#"{"type":"echo","args":[{"$serde_json::private::RawValue":"[1]"}]}"#;
    raw(&api, "/ojs/v1/jobs", text.to_owned()).await.refused(400, "invalid_payload", None);
}

#[tokio::test]
async fn a_result_comes_back_byte_for_byte() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    fetched(&api, "w").await;
    let ended = raw(&api, "/ojs/v1/workers/ack", format!(r#"{{"job_id":"{id}","result":{ODD}}}"#)).await;
    assert!(ended.text.contains(&format!(r#""result":{ODD}"#)), "{}", ended.text);
    let shown = api.get(&format!("/ojs/v1/jobs/{id}")).await;
    assert!(shown.text.contains(&format!(r#""result":{ODD}"#)), "{}", shown.text);
}

#[tokio::test]
async fn an_envelope_of_a_mebibyte_is_taken_and_a_larger_one_is_not() {
    let api = Api::start().await;
    let sized = |bytes: usize| {
        let frame = r#"{"type":"echo","args":[""]}"#;
        frame.replace(r#""""#, &format!("\"{}\"", "x".repeat(bytes - frame.len())))
    };
    assert_eq!(raw(&api, "/ojs/v1/jobs", sized(1024 * 1024)).await.status, 201);
    raw(&api, "/ojs/v1/jobs", sized(1024 * 1024 + 1)).await.refused(413, "envelope_too_large", None);
}

#[tokio::test]
async fn a_result_has_the_limit_of_an_envelope() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": []})).await;
    fetched(&api, "w").await;
    let ack = |bytes: usize| json!({"job_id": id, "result": "x".repeat(bytes - 2)});
    let refused = api.post("/ojs/v1/workers/ack", &ack(1024 * 1024 + 1)).await;
    refused.refused(413, "envelope_too_large", None);
    assert_eq!(job(&api, &id).await["state"], "active");
    assert_eq!(api.post("/ojs/v1/workers/ack", &ack(1024 * 1024)).await.status, 200);
}

#[tokio::test]
async fn bodies_that_are_no_json_objects_are_refused_everywhere() {
    let api = Api::start().await;
    for path in ["jobs", "jobs/batch", "workers/fetch", "workers/ack", "workers/nack", "workers/heartbeat", "workflows"]
    {
        let path = format!("/ojs/v1/{path}");
        for text in ["", "{", "nope"] {
            raw(&api, &path, text.to_owned()).await.refused(400, "invalid_payload", None);
        }
        let array = api.post(&path, &Value::Array(Vec::new())).await;
        assert_eq!((array.status, array.json()["error"]["code"].clone()), (400, json!("invalid_request")), "{path}");
    }
}
