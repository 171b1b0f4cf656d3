//! Events over HTTP: a page of them, or a stream (see [`stream`](super::stream)).

use axum::Router;
use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use carillon_shared::store::EventCursor;
use serde_json::Value;

use super::ApiState;
use super::error::ApiError;
use super::query::Params;
use super::reply::{Answer, Reply};
use super::stream;
use crate::watch::EventFilter;

const EVENTS_DEFAULT: usize = 100;
const EVENTS_MAX: usize = 1000;
/// A filter looks at no more events than this for one request; the cursor says where to go on.
const SCANNED_MAX: usize = 20_000;

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/ojs/v1/events", get(events))
        .route("/ojs/v1/events/stream", get(stream::stream))
        .route("/ojs/v1/jobs/{id}/events", get(stream::of_job))
        .route("/ojs/v1/jobs/{id}/progress/stream", get(stream::of_progress))
        .route("/ojs/v1/queues/{name}/events", get(stream::of_queue))
}

async fn events(State(api): State<ApiState>, params: Params, headers: HeaderMap) -> Result<Response, ApiError> {
    let wants_stream = |accept: &str| accept.split(',').any(|kind| kind.trim().starts_with("text/event-stream"));
    if headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(wants_stream) {
        return stream::stream(State(api), params, headers).await;
    }
    page(&api, &params).await.map(Reply::into_response)
}

/// The filter that the parameters of a request describe.
pub(super) fn filter(params: &Params) -> Result<EventFilter, ApiError> {
    EventFilter::read(&params.list("types"), &params.list("queues"), &params.list("job_types"))
        .map_err(|error| ApiError::invalid(error.field, error.message))
}

/// A place among the events, as a client sends it back.
pub(super) fn cursor(name: &str, text: &str) -> Result<EventCursor, ApiError> {
    text.parse().map_err(|error: carillon_shared::store::EventCursorError| ApiError::invalid(name, error.to_string()))
}

async fn page(api: &ApiState, params: &Params) -> Answer {
    let filter = filter(params)?;
    let limit = params.limit_up_to(EVENTS_DEFAULT, EVENTS_MAX)?;
    let after = params.text("after").map(|text| cursor("after", text)).transpose()?;
    let has_gap = match &after {
        Some(after) => api.store().has_forgotten(after).await?,
        None => false,
    };
    let start = after.unwrap_or_else(|| EventCursor::oldest(api.store().keys().partitions()));
    let found = find(api, &filter, start, limit).await?;
    let cursor = Value::from(found.cursor.to_string());
    let (events, has_more) = (found.events.join(","), found.has_more);
    let text = format!(r#"{{"events":[{events}],"cursor":{cursor},"has_more":{has_more},"gap":{has_gap}}}"#);
    Ok(Reply::text(StatusCode::OK, text))
}

struct Found {
    events: Vec<String>,
    cursor: EventCursor,
    has_more: bool,
}

/// Reads on until there are enough events that the filter admits, or none are left.
async fn find(api: &ApiState, filter: &EventFilter, start: EventCursor, limit: usize) -> Result<Found, ApiError> {
    let mut found = Found { events: Vec::new(), cursor: start, has_more: true };
    for _ in 0..SCANNED_MAX / EVENTS_MAX {
        let page = api.store().events(found.cursor.clone(), EVENTS_MAX).await?;
        let is_last = page.events.len() < EVENTS_MAX;
        for (behind, event) in page.events {
            if filter.admits(&event) {
                if found.events.len() == limit {
                    return Ok(found);
                }
                found.events.push(event.to_json());
            }
            found.cursor = behind;
        }
        if is_last {
            found.has_more = false;
            break;
        }
    }
    Ok(found)
}
