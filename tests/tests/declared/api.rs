//! A declared entry, as clients see it and may change it.

use carillon_shared::client::ClientError;
use carillon_shared::name::CronName;
use serde_json::{Value, json};

use crate::stage::{Stage, one};

async fn call(url: &str, method: &str, body: Option<Value>) -> (u16, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let request = reqwest::Client::new().request(method, url);
    let request = if let Some(body) = body { request.json(&body) } else { request };
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn clients_see_the_source_and_change_only_what_the_file_leaves_open() {
    let stage = Stage::new().await;
    stage.write("a.toml", &one("open", "@daily"));
    stage.write("b.toml", &format!("{}enabled = true\n", one("fixed", "@daily")));
    assert_eq!(stage.says(&["apply", stage.path()]).await.0, 0);
    let app = stage.serve(&[]).await;
    let url = |path: &str| format!("http://{}/ojs/v1/cron{path}", app.address());

    let (_, shown) = call(&url("/open"), "GET", None).await;
    assert_eq!(shown["source"], json!({"owner": "default", "file": "a.toml"}));
    let body = json!({"name": "open", "cron": "@hourly", "type": "echo"});
    for (method, path, body) in [
        ("POST", "", Some(body)),
        ("PATCH", "/open", Some(json!({"cron": "@hourly"}))),
        ("PATCH", "/open", Some(json!({"enabled": false, "args": [1]}))),
        ("PATCH", "/fixed", Some(json!({"enabled": false}))),
        ("DELETE", "/open", None),
    ] {
        let (status, refused) = call(&url(path), method, body).await;
        assert_eq!((status, &refused["error"]["code"]), (409, &json!("conflict")), "{method} {path}: {refused}");
        let message = refused["error"]["message"].as_str().expect("a message");
        assert!(message.contains(".toml") && message.contains("owner default"), "{message}");
    }
    assert_eq!(stage.expression("open").await.as_deref(), Some("@daily"));

    assert_eq!(call(&url("/open"), "PATCH", Some(json!({"enabled": false}))).await.0, 200);
    assert!(!stage.entry("open").await.expect("it is there").enabled);
    assert!(stage.entry("open").await.expect("it is there").source.is_some(), "it is declared as before");
    assert_eq!(call(&url("/open/trigger"), "POST", None).await.0, 202);
    let (status, created) =
        call(&url(""), "POST", Some(json!({"name": "own", "cron": "@daily", "type": "echo"}))).await;
    assert_eq!((status, &created["source"]), (201, &Value::Null));
    assert_eq!(call(&url("/own"), "DELETE", None).await.0, 200);
    app.stop().await;
}

#[tokio::test]
async fn an_entry_that_changed_hands_meanwhile_is_not_withdrawn() {
    let stage = Stage::new().await;
    let (name, owner): (CronName, _) = ("n".parse().expect("a name"), "default".parse().expect("a name"));
    let client = stage.client();
    client.register(&json!({"name": "n", "cron": "@daily", "type": "echo"})).await.expect("a valid entry");
    assert!(!client.withdraw(&name, &owner).await.expect("Redis is there"));
    assert!(stage.entry("n").await.is_some());
    stage.write("a.toml", &one("m", "@daily"));
    stage.says(&["apply", stage.path()]).await;
    let refused = client.remove(&"m".parse().expect("a name")).await;
    assert!(matches!(refused, Err(ClientError::Declared { .. })), "{refused:?}");
    assert!(!client.withdraw(&"m".parse().expect("a name"), &"other".parse().expect("a name")).await.expect("Redis"));
    assert!(stage.entry("m").await.is_some());
}
