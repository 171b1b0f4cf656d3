//! What holds for every route.

use serde_json::json;

use crate::client::{Api, answer};

#[tokio::test]
async fn every_answer_has_the_headers_of_the_protocol() {
    let api = Api::start().await;
    for path in ["/ojs/v1/cron", "/ojs/v1/jobs/none", "/nowhere", "/ojs/manifest", "/livez"] {
        let plain = api.get(path).await;
        assert_eq!(plain.header("ojs-version"), "1.0", "{path}");
        assert_eq!(plain.header("content-type"), "application/openjobspec+json", "{path}");
        assert!(plain.header("x-request-id").starts_with("req_"), "{path}");
        let sdk = answer(api.request("GET", path).header("OJS-Version", "1.0.0-rc.1")).await;
        assert_eq!(sdk.header("content-type"), "application/openjobspec+json; alias=\"application/json\"", "{path}");
    }
}

#[tokio::test]
async fn the_id_of_a_request_is_the_clients_if_it_can_stand_in_a_log() {
    let api = Api::start().await;
    let given = |id: String| answer(api.request("GET", "/nowhere").header("X-Request-Id", id));
    let echoed = given("abc-1".to_owned()).await;
    assert_eq!(
        (echoed.header("x-request-id"), echoed.json()["error"]["request_id"].as_str()),
        ("abc-1", Some("abc-1"))
    );
    for unfit in ["with space".to_owned(), "x".repeat(129)] {
        assert!(given(unfit).await.header("x-request-id").starts_with("req_"));
    }
}

#[tokio::test]
async fn another_major_version_is_refused() {
    let api = Api::start().await;
    answer(api.request("GET", "/ojs/v1/cron").header("OJS-Version", "2.0")).await.refused(422, "unsupported", None);
}

#[tokio::test]
async fn routes_and_methods_that_do_not_exist_are_told_in_the_envelope() {
    let api = Api::start().await;
    for path in ["/", "/ojs/v1/nope", "/ojs/v1/cron/", "/ojs/v1/cron/a/b/c", "/%ff", "/ojs/v1/jobs/%2e%2e/x"] {
        let answer = api.get(path).await;
        assert_eq!(answer.json()["error"]["details"]["resource_type"], "route", "{path}");
        answer.refused(404, "not_found", None);
    }
    let wrong = answer(api.request("PUT", "/ojs/v1/cron")).await;
    wrong.refused(405, "invalid_request", None);
    assert!(wrong.header("allow").contains("POST"), "{:?}", wrong.headers);
    answer(api.request("ASSERT", "/ojs/v1/cron")).await.refused(405, "invalid_request", None);
    answer(api.request("push", "/")).await.refused(404, "not_found", None);
    answer(api.request("GET", "/ojs/v1/jobs/%ff")).await.refused(400, "invalid_request", None);
}

#[tokio::test]
async fn a_head_request_is_answered_without_a_body() {
    let api = Api::start().await;
    for (path, status) in [("/ojs/manifest", 200), ("/nowhere", 404)] {
        let head = answer(api.request("HEAD", path)).await;
        assert_eq!((head.status, head.text.as_str()), (status, ""), "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_json_it_should_be_is_refused() {
    let api = Api::start().await;
    for path in ["/ojs/v1/jobs", "/ojs/v1/cron", "/ojs/v1/cron/preview"] {
        for (body, code) in [
            ("", "invalid_payload"),
            ("{", "invalid_payload"),
            ("nope", "invalid_payload"),
            (&"[".repeat(50_000), "invalid_payload"),
            (r#"{"type":"echo","args":[],"args":[1]}"#, "invalid_payload"),
            ("[]", "invalid_request"),
            ("5", "invalid_request"),
        ] {
            let request = api.request("POST", path).header("content-type", "application/json").body(body.to_owned());
            answer(request).await.refused(400, code, None);
        }
    }
}

#[tokio::test]
async fn only_json_is_taken_and_it_need_not_be_named() {
    let api = Api::start().await;
    let post = |kind: &'static str| {
        let request = api.request("POST", "/ojs/v1/jobs").body(r#"{"type":"echo","args":[]}"#);
        answer(if kind.is_empty() { request } else { request.header("content-type", kind) })
    };
    for kind in ["", "application/json; charset=utf-8", "application/openjobspec+json"] {
        assert_eq!(post(kind).await.status, 201, "{kind}");
    }
    post("application/x-www-form-urlencoded").await.refused(400, "invalid_request", Some("Content-Type"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_client_hears_why() {
    let api = Api::start().await;
    for (bytes, status) in [(1_000_000, 201), (1_060_000, 413), (1_200_000, 413), (12_000_000, 413)] {
        let answer = api.post("/ojs/v1/jobs", &json!({"type": "echo", "args": ["x".repeat(bytes)]})).await;
        assert_eq!(answer.status, status, "{bytes}");
        if status == 413 {
            answer.refused(413, "envelope_too_large", None);
        }
    }
}

#[tokio::test]
async fn what_is_offered_is_said_in_the_manifest() {
    let api = Api::start().await;
    let manifest = api.get("/ojs/manifest").await.json();
    assert_eq!((&manifest["specversion"], &manifest["ojs_version"]), (&json!("1.0"), &json!("1.0")));
    let capabilities = manifest["capabilities"].as_object().expect("an object");
    assert!(capabilities.values().all(serde_json::Value::is_boolean), "{capabilities:?}");
    assert!(manifest["extensions"].as_array().expect("a list").iter().all(serde_json::Value::is_string));
}
