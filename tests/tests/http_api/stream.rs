//! Streams of events over HTTP.

use std::time::Duration;

use carillon_tests::redis::shared;
use carillon_tests::wait::until;
use serde_json::{Value, json};

use crate::client::{Api, answer};

const PATIENCE: Duration = Duration::from_secs(120);

/// Frames of a stream as they come.
struct Frames {
    response: reqwest::Response,
    text: String,
}

#[derive(Debug, Default, PartialEq)]
struct Frame {
    id: Option<String>,
    event: Option<String>,
    data: Value,
}

impl Frames {
    async fn open(api: &Api, path: &str, last_event_id: Option<&str>) -> Self {
        let mut request = api.http.get(api.url(path)).header("accept", "text/event-stream").timeout(PATIENCE * 2);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The text of the next frame, comments among them; none at the end of the stream.
    async fn next_text(&mut self) -> Option<String> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(frame);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("a sign of life");
            self.text.push_str(std::str::from_utf8(&chunk.expect("the stream ends in order")?).expect("UTF-8"));
            assert!(!self.text.contains('\r'), "lines end with LF alone");
        }
    }

    /// The next frame that is no comment.
    async fn next(&mut self) -> Frame {
        loop {
            let text = self.next_text().await.expect("the stream goes on");
            if !text.starts_with(':') {
                return frame(&text);
            }
        }
    }
}

fn frame(text: &str) -> Frame {
    let mut frame = Frame::default();
    for line in text.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => frame.id = Some(id.to_owned()),
            Some(("event", kind)) => frame.event = Some(kind.to_owned()),
            Some(("data", data)) => frame.data = serde_json::from_str(data).expect("JSON"),
            _ => panic!("an unknown line {line:?}"),
        }
    }
    frame
}

#[tokio::test]
async fn events_come_as_they_happen() {
    let api = Api::start().await;
    let mut frames = Frames::open(&api, "/ojs/v1/events?types=job.*", None).await;
    let id = api.job(&json!({"type": "echo", "args": [], "queue": "q"})).await;
    let enqueued = frames.next().await;
    assert_eq!((enqueued.event.as_deref(), &enqueued.data["subject"]), (Some("job.enqueued"), &json!(id)));
    assert_eq!(
        (&enqueued.data["to"], &enqueued.data["queue"], &enqueued.data["job_id"]),
        (&json!("available"), &json!("q"), &json!(id))
    );
    api.delete(&format!("/ojs/v1/jobs/{id}")).await;
    assert_eq!(frames.next().await.event.as_deref(), Some("job.cancelled"));
}

#[tokio::test]
async fn a_client_that_comes_back_misses_nothing() {
    let api = Api::start().await;
    let mut frames = Frames::open(&api, "/ojs/v1/events/stream?types=job.enqueued", None).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(api.job(&json!({"type": "echo", "args": [n]})).await);
    }
    let mut seen = vec![frames.next().await, frames.next().await];
    drop(frames);
    let last = seen.last().and_then(|frame| frame.id.clone()).expect("a place");
    let mut again = Frames::open(&api, "/ojs/v1/events?types=job.enqueued", Some(&last)).await;
    for _ in 2..6 {
        seen.push(again.next().await);
    }
    let subjects: Vec<_> = seen.iter().map(|frame| frame.data["subject"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(subjects, ids);
}

#[tokio::test]
async fn a_client_that_was_away_too_long_is_told_of_the_gap() {
    let api = Api::start().await;
    let mut frames = Frames::open(&api, "/ojs/v1/events?types=job.*", None).await;
    api.job(&json!({"type": "echo", "args": []})).await;
    let last = frames.next().await.id.expect("a place");
    drop(frames);
    for _ in 0..3 {
        api.job(&json!({"type": "echo", "args": []})).await;
    }
    let partition = api.store().partitions().next().expect("a partition");
    let stream = api.store().keys().partition(partition).events();
    let mut connection = shared().connection().await;
    let _: i64 =
        redis::cmd("XTRIM").arg(stream).arg("MAXLEN").arg(1).query_async(&mut connection).await.expect("trimmed");
    let mut again = Frames::open(&api, "/ojs/v1/events", Some(&last)).await;
    let gap = again.next().await;
    assert_eq!((gap.event.as_deref(), gap.data["message"].is_string()), (Some("gap"), true));
    assert_eq!(again.next().await.event.as_deref(), Some("job.enqueued"));
}

#[tokio::test]
async fn a_channel_is_one_job_or_one_queue() {
    let api = Api::start().await;
    let watched = api.job(&json!({"type": "echo", "args": [], "queue": "a"})).await;
    let mut of_job = Frames::open(&api, &format!("/ojs/v1/events/stream?channel=job:{watched}"), None).await;
    let mut of_queue = Frames::open(&api, "/ojs/v1/events/stream?channel=queue:b", None).await;
    let other = api.job(&json!({"type": "echo", "args": [], "queue": "b"})).await;
    api.delete(&format!("/ojs/v1/jobs/{watched}")).await;
    let cancelled = of_job.next().await;
    assert_eq!((&cancelled.data["to"], &cancelled.data["from"]), (&json!("cancelled"), &json!("available")));
    assert_eq!(of_queue.next().await.data["subject"], json!(other));
    for channel in ["jobs", "queue:No%20Queue", "job:"] {
        let refused = api.get(&format!("/ojs/v1/events/stream?channel={channel}")).await;
        refused.refused(400, "invalid_request", Some("channel"));
    }
}

#[tokio::test]
async fn a_place_that_is_none_is_refused() {
    let api = Api::start().await;
    let request = api.request("GET", "/ojs/v1/events/stream");
    answer(request.header("last-event-id", "nonsense")).await.refused(400, "invalid_request", Some("Last-Event-ID"));
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let api = Api::start().await;
    let mut frames = Frames::open(&api, "/ojs/v1/events", None).await;
    let Api { app, .. } = api;
    app.stop().await;
    while frames.next_text().await.is_some() {}
}

#[tokio::test]
async fn a_stream_lives_through_an_outage_of_redis() {
    let proxy = carillon_tests::proxy::Proxy::before(shared()).await;
    let api = Api::with(&proxy.url(), &[]).await;
    let mut frames = Frames::open(&api, "/ojs/v1/events?types=job.enqueued", None).await;
    let before = api.job(&json!({"type": "echo", "args": []})).await;
    assert_eq!(frames.next().await.data["subject"], json!(before));
    proxy.cut().await;
    until("Redis to be back", async || api.get("/readyz").await.status == 200).await;
    let after = api.job(&json!({"type": "echo", "args": []})).await;
    assert_eq!(frames.next().await.data["subject"], json!(after));
}

#[tokio::test]
async fn a_job_a_queue_and_the_progress_of_a_handler_have_streams_of_their_own() {
    let api = Api::start().await;
    let id = api.job(&json!({"type": "echo", "args": [], "queue": "mine"})).await;
    let mut of_job = Frames::open(&api, &format!("/ojs/v1/jobs/{id}/events"), None).await;
    let mut of_queue = Frames::open(&api, "/ojs/v1/queues/mine/events?types=job.started", None).await;
    let mut of_progress = Frames::open(&api, &format!("/ojs/v1/jobs/{id}/progress/stream"), None).await;
    api.job(&json!({"type": "echo", "args": [], "queue": "others"})).await;
    api.post("/ojs/v1/workers/fetch", &json!({"queues": ["others"]})).await;
    api.post("/ojs/v1/workers/fetch", &json!({"queues": ["mine"]})).await;
    api.post("/ojs/v1/workers/progress", &json!({"job_id": id, "percentage": 50})).await;
    for frames in [&mut of_job, &mut of_queue] {
        let frame = frames.next().await;
        assert_eq!((frame.event.as_deref(), &frame.data["job_id"]), (Some("job.started"), &json!(id)));
        assert_eq!((&frame.data["from"], &frame.data["to"]), (&json!("available"), &json!("active")));
    }
    let frame = of_progress.next().await;
    assert_eq!((frame.event.as_deref(), &frame.data["data"]["progress_percent"]), (Some("job.progress"), &json!(50)));
    api.get("/ojs/v1/queues/No%20Queue/events").await.refused(400, "invalid_request", Some("queue"));
}
