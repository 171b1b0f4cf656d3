//! Events as they happen.

use std::time::Duration;

use carillon_scheduler::grpc::proto::{EnqueueOptions, Event, StreamEventsRequest};
use tokio::time::timeout;
use tonic::{Code, Streaming};

use crate::client::{Api, refused, text, with};

/// What is to come comes within this.
const SOON: Duration = Duration::from_secs(120);

async fn follow(api: &Api, request: StreamEventsRequest) -> Streaming<Event> {
    api.client().stream_events(request).await.expect("a stream").into_inner()
}

async fn next(events: &mut Streaming<Event>) -> Event {
    timeout(SOON, events.message()).await.expect("an event in time").expect("no error").expect("no end")
}

fn types(types: &[&str]) -> StreamEventsRequest {
    StreamEventsRequest { event_types: types.iter().map(|kind| (*kind).to_owned()).collect(), ..Default::default() }
}

#[tokio::test]
async fn the_life_of_a_job_is_told() {
    let api = Api::start().await;
    let mut events = follow(&api, types(&["job.*"])).await;
    let id = api.job("echo").await.id;
    api.fetch().await.expect("a job");
    api.ack(&id).await;
    for kind in ["job.enqueued", "job.started", "job.completed"] {
        let event = next(&mut events).await;
        assert_eq!((event.r#type.as_str(), event.job_id.as_str()), (kind, id.as_str()));
        assert_eq!((event.queue.as_str(), event.job_type.as_str()), ("default", "echo"));
        assert!(event.id.starts_with("evt_") && event.timestamp.is_some());
        assert_eq!(event.data.expect("data").fields["job_id"], text(&id));
    }
}

#[tokio::test]
async fn only_what_was_asked_for_is_told() {
    let api = Api::start().await;
    let second = api.job("echo").await.id;
    let about = StreamEventsRequest { job_id: second.clone(), ..types(&[]) };
    let within = StreamEventsRequest { queues: vec!["other".to_owned()], ..types(&["job.enqueued"]) };
    let (mut about, mut within) = (follow(&api, about).await, follow(&api, within).await);
    api.job("echo").await;
    let other = api.enqueue(with("echo", EnqueueOptions { queue: "other".to_owned(), ..Default::default() })).await.id;
    assert_eq!(next(&mut within).await.job_id, other);
    assert_eq!(api.fetch().await.expect("a job").id, second);
    let event = next(&mut about).await;
    assert_eq!((event.r#type.as_str(), event.job_id), ("job.started", second));
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let api = Api::start().await;
    let mut events = follow(&api, types(&["workflow.*"])).await;
    api.app.stop().await;
    let end = timeout(SOON, events.message()).await.expect("an end in time");
    assert!(end.is_ok_and(|event| event.is_none()));
}

#[tokio::test]
async fn a_type_that_is_none_is_refused() {
    let api = Api::start().await;
    let status = api.client().stream_events(types(&["Job"])).await.expect_err("a mistake");
    refused(&status, Code::InvalidArgument, "invalid_request", Some("event_types"));
}
