//! Events as a stream (server-sent events). The id of a frame is the place behind its event: a client that comes back with
//! it as `Last-Event-ID` misses nothing, or is told by a frame `gap` that it did.

use std::convert::Infallible;

use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use carillon_shared::event::Event;
use carillon_shared::name::{NameError, QueueName};
use carillon_shared::store::EventCursor;
use carillon_shared::telemetry::metric;
use futures::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::ApiState;
use super::error::ApiError;
use super::events::{cursor, filter};
use super::query::Params;
use crate::watch::{EventFilter, Follower, Seen};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(super) async fn stream(
    State(api): State<ApiState>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let filter = channel(filter(&params)?, &params)?;
    follow(&api, &params, &headers, filter).await
}

/// What happens to one job.
pub(super) async fn of_job(
    State(api): State<ApiState>,
    Path(id): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let filter = filter(&params)?.about(&id);
    follow(&api, &params, &headers, filter).await
}

/// What the handler of one job says of its progress.
pub(super) async fn of_progress(
    State(api): State<ApiState>,
    Path(id): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let types = ["job.progress".to_owned()];
    let filter = EventFilter::read(&types, &[], &[]).map_err(|error| ApiError::invalid(error.field, error.message))?;
    follow(&api, &params, &headers, filter.about(&id)).await
}

/// What happens in one queue.
pub(super) async fn of_queue(
    State(api): State<ApiState>,
    Path(name): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let queue: QueueName = name.parse().map_err(|error: NameError| ApiError::invalid("queue", error.to_string()))?;
    let filter = filter(&params)?.in_queue(queue);
    follow(&api, &params, &headers, filter).await
}

async fn follow(
    api: &ApiState,
    params: &Params,
    headers: &HeaderMap,
    filter: EventFilter,
) -> Result<Response, ApiError> {
    let start = match resumed(params, headers)? {
        Some(cursor) => cursor,
        None => api.store().newest_event().await?,
    };
    let place = Place::take(api)?;
    let frames = frames(Follower::new(api.store().clone(), start), filter, place);
    let until_stop = frames.take_until(api.0.stop.clone().cancelled_owned());
    let heartbeat = KeepAlive::new().interval(api.limits().heartbeat).text("alive");
    let mut response = Sse::new(until_stop).keep_alive(heartbeat).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies that gather an answer before they pass it on would hold it back for ever.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The header wins: a browser repeats the address with its old parameters when it reconnects.
fn resumed(params: &Params, headers: &HeaderMap) -> Result<Option<EventCursor>, ApiError> {
    let header = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or("?")).filter(|id| !id.is_empty());
    if let Some(id) = header {
        return cursor("Last-Event-ID", id).map(Some);
    }
    params.text("after").map(|text| cursor("after", text)).transpose()
}

/// `all`, `job:<id>` or `queue:<name>`.
fn channel(filter: EventFilter, params: &Params) -> Result<EventFilter, ApiError> {
    match params.text("channel").map(|text| text.split_once(':').unwrap_or((text, ""))) {
        None | Some(("all", "")) => Ok(filter),
        Some(("job", id)) if !id.is_empty() => Ok(filter.about(id)),
        Some(("queue", name)) => {
            let queue: QueueName =
                name.parse().map_err(|error: NameError| ApiError::invalid("channel", error.to_string()))?;
            Ok(filter.in_queue(queue))
        }
        Some(_) => Err(ApiError::invalid("channel", "channel must be all, job:<id> or queue:<name>")),
    }
}

/// A client's place among those that follow events.
struct Place(#[expect(dead_code, reason = "given back when it is dropped")] OwnedSemaphorePermit);

impl Place {
    fn take(api: &ApiState) -> Result<Self, ApiError> {
        let most = api.limits().streams_max;
        let permit = api.0.streams.clone().try_acquire_owned();
        let permit = permit.map_err(|_| ApiError::too_many(format!("{most} clients follow the events already")))?;
        metrics::gauge!(metric::EVENTS_STREAMS).increment(1.0);
        Ok(Self(permit))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::gauge!(metric::EVENTS_STREAMS).decrement(1.0);
    }
}

fn frames(follower: Follower, filter: EventFilter, place: Place) -> impl Stream<Item = Result<Frame, Infallible>> {
    stream::unfold((follower, filter, place), async |(mut follower, filter, place)| {
        let frame = loop {
            match follower.next().await {
                Seen::Event(cursor, event) if filter.admits(&event) => break told(&cursor, &event),
                Seen::Gap(cursor) => break gap(&cursor),
                Seen::Event(..) | Seen::Back => {}
                Seen::Away(_) => break Frame::default().comment("Redis is not reachable: waiting for it"),
            }
        };
        Some((Ok(frame), (follower, filter, place)))
    })
}

fn told(cursor: &EventCursor, event: &Event) -> Frame {
    let frame = Frame::default().id(cursor.to_string()).event(&event.kind);
    frame.data(data(event))
}

/// The envelope; of a job also the members that clients of the realtime binding read.
fn data(event: &Event) -> String {
    let text = event.to_json();
    if !event.kind.starts_with("job.") {
        return text;
    }
    let Ok(Value::Object(mut envelope)) = serde_json::from_str(&text) else { return text };
    let members = event.members();
    if let Some(from) = state_before(&event.kind) {
        envelope.insert("from".to_owned(), from.into());
    }
    for (name, member) in [("job_id", "job_id"), ("queue", "queue"), ("from", "previous_state"), ("to", "state")] {
        if let Some(value) = members.get(member) {
            envelope.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(envelope).to_string()
}

/// The state that a job was in before, where there is but one.
fn state_before(kind: &str) -> Option<&'static str> {
    match kind {
        "job.started" => Some("available"),
        "job.completed" | "job.failed" | "job.retrying" | "job.discarded" => Some("active"),
        _ => None,
    }
}

fn gap(after: &EventCursor) -> Frame {
    let message = "events after this place were forgotten before they could be sent: look at the present state anew";
    Frame::default().event("gap").data(json!({"after": after.to_string(), "message": message}).to_string())
}

#[cfg(test)]
mod tests {
    use carillon_shared::clock::Timestamp;

    use super::*;

    #[test]
    fn a_job_event_says_where_the_job_is_now() {
        let event = Event {
            id: "evt_x".to_owned(),
            kind: "job.completed".to_owned(),
            source: "workers".to_owned(),
            subject: "J".to_owned(),
            at: Timestamp::from_ms(0),
            data: r#"{"job_id":"J","queue":"q","state":"completed"}"#.to_owned(),
        };
        let data: Value = serde_json::from_str(&data(&event)).expect("JSON");
        assert_eq!(
            (&data["to"], &data["from"], &data["job_id"], &data["type"]),
            (&"completed".into(), &"active".into(), &"J".into(), &"job.completed".into())
        );
    }
}
