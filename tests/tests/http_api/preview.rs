//! Previews over HTTP.

use serde_json::{Value, json};

use crate::client::Api;

#[tokio::test]
async fn an_expression_is_explained_before_it_is_registered() {
    let api = Api::start().await;
    let body = json!({"expr": "30 2 * * *", "tz": "America/New_York", "after": "2026-03-07T00:00:00Z", "count": 3, "viewer_tz": "Europe/Berlin"});
    let preview = api.post("/ojs/v1/cron/preview", &body).await.json();
    assert_eq!(preview["next"], json!(["2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z", "2026-03-10T06:30:00Z"]));
    let kinds: Vec<&Value> = preview["occurrences"].as_array().expect("rows").iter().map(|row| &row["kind"]).collect();
    assert_eq!(kinds, ["fire", "dst_skip", "fire"]);
    assert_eq!((&preview["canonical"], &preview["timezone"]), (&json!("30 2 * * *"), &json!("America/New_York")));
    assert!(preview["occurrences"][0]["viewer"].as_str().is_some_and(|at| at.contains("+01:00")));
    assert!(preview["warnings"].is_array() && preview["description"].is_string());
    assert_eq!(api.get("/ojs/v1/cron").await.json()["count"], 0, "nothing was registered");
}

#[tokio::test]
async fn a_mistake_is_told_with_its_place_and_what_was_meant() {
    let api = Api::start().await;
    let refused = api.post("/ojs/v1/cron/preview", &json!({"expr": "0 25 * * *"})).await;
    refused.refused(400, "invalid_request", Some("expr"));
    let details = refused.json()["error"]["details"].clone();
    assert_eq!(
        (&details["expression_field"], &details["token"], &details["position"]),
        (&json!("hour"), &json!("25"), &json!(3))
    );
    for (body, field) in [
        (json!({}), "expr"),
        (json!({"expr": "@daily", "tz": "Mars/Base"}), "tz"),
        (json!({"expr": "@daily", "count": "many"}), "count"),
        (json!({"expr": "@daily", "count": 1001}), "count"),
        (json!({"expr": "@daily", "dialect": "klingon"}), "dialect"),
    ] {
        api.post("/ojs/v1/cron/preview", &body).await.refused(400, "invalid_request", Some(field));
    }
}

#[tokio::test]
async fn an_entry_may_be_called_preview() {
    let api = Api::start().await;
    let entry = json!({"name": "preview", "cron": "@yearly", "type": "echo"});
    assert_eq!(api.post("/ojs/v1/cron", &entry).await.status, 201);
    assert_eq!(api.get("/ojs/v1/cron/preview").await.json()["name"], "preview");
    assert_eq!(api.delete("/ojs/v1/cron/preview").await.status, 200);
}
