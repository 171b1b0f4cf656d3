//! Pages of events over HTTP.

use carillon_tests::redis::shared;
use serde_json::{Value, json};

use crate::client::Api;

fn subjects(page: &Value) -> Vec<String> {
    let events = page["events"].as_array().expect("a list");
    events.iter().map(|event| event["subject"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn events_are_there_at_once_oldest_first_and_filtered() {
    let api = Api::start().await;
    let a = api.job(&json!({"type": "echo", "args": [], "queue": "a"})).await;
    let b = api.job(&json!({"type": "other.type", "args": [], "queue": "b"})).await;
    api.delete(&format!("/ojs/v1/jobs/{a}")).await;
    for (query, expected) in [
        ("types=job.*", vec![&a, &b, &a]),
        ("types=job.enqueued", vec![&a, &b]),
        ("types=job.cancelled,cron.triggered", vec![&a]),
        ("types=job.*&queues=b", vec![&b]),
        ("types=job.enqueued&job_types=echo", vec![&a]),
        ("types=job.enqueued&limit=1", vec![&a]),
        ("types=worker.*", vec![]),
    ] {
        let page = api.get(&format!("/ojs/v1/events?{query}")).await.json();
        assert_eq!(subjects(&page), expected.into_iter().cloned().collect::<Vec<_>>(), "{query}");
    }
    let event = api.get("/ojs/v1/events?types=job.enqueued").await.json()["events"][0].clone();
    assert_eq!(
        (&event["type"], &event["event"], &event["data"]["queue"]),
        (&json!("job.enqueued"), &json!("job.enqueued"), &json!("a"))
    );
}

#[tokio::test]
async fn a_reader_goes_on_where_it_was() {
    let api = Api::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(api.job(&json!({"type": "echo", "args": [n]})).await);
    }
    let (mut read, mut after) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/ojs/v1/events?types=job.enqueued&limit=2{after}")).await.json();
        read.extend(subjects(&page));
        after = format!("&after={}", page["cursor"].as_str().expect("a place"));
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!(read, ids);
    let later = api.job(&json!({"type": "echo", "args": []})).await;
    assert_eq!(subjects(&api.get(&format!("/ojs/v1/events?types=job.enqueued{after}")).await.json()), [later]);
}

#[tokio::test]
async fn a_reader_that_was_away_too_long_is_told_so() {
    let api = Api::start().await;
    api.job(&json!({"type": "echo", "args": []})).await;
    let cursor = api.get("/ojs/v1/events").await.json()["cursor"].as_str().expect("a place").to_owned();
    for _ in 0..3 {
        api.job(&json!({"type": "echo", "args": []})).await;
    }
    assert_eq!(api.get(&format!("/ojs/v1/events?after={cursor}")).await.json()["gap"], false);
    let partition = api.store().partitions().next().expect("a partition");
    let stream = api.store().keys().partition(partition).events();
    let mut connection = shared().connection().await;
    let _: i64 =
        redis::cmd("XTRIM").arg(stream).arg("MAXLEN").arg(1).query_async(&mut connection).await.expect("trimmed");
    assert_eq!(api.get(&format!("/ojs/v1/events?after={cursor}")).await.json()["gap"], true);
}

#[tokio::test]
async fn mistaken_filters_are_refused_by_name() {
    let api = Api::start().await;
    for (query, field) in [
        ("types=Job", "types"),
        ("queues=A+b", "queues"),
        ("job_types=1", "job_types"),
        ("limit=0", "limit"),
        ("after=x", "after"),
    ] {
        api.get(&format!("/ojs/v1/events?{query}")).await.refused(400, "invalid_request", Some(field));
    }
}
