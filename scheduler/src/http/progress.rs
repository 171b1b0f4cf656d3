//! How far handlers are, as they say themselves.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use carillon_shared::client::ClientError;
use carillon_shared::id::JobId;
use carillon_shared::job::Fields;
use carillon_shared::store::ChangeReply;
use serde_json::{Map, Value, json};

use super::ApiState;
use super::acks::job_id;
use super::body::{Json, object};
use super::error::ApiError;
use super::jobs::{LIVE, known};
use super::reply::{Answer, Reply};

const MESSAGE_CHARS_MAX: usize = 500;
const DATA_BYTES_MAX: usize = 64 * 1024;

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/ojs/v1/jobs/{id}/progress", get(show).put(put).post(put))
        .route("/ojs/v1/workers/progress", post(report))
}

async fn show(State(api): State<ApiState>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let id = known(&id)?;
    let shown = match api.store().progress(id).await? {
        Some(progress) => progress,
        None if api.store().job(id).await?.is_some() => json!({"job_id": id, "progress": 0.0, "percentage": 0.0}),
        None => return Err(ApiError::no_job(&id.to_string())),
    };
    let mut response = Reply::ok(shown).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

async fn put(State(api): State<ApiState>, Path(id): Path<String>, body: Json) -> Answer {
    keep(&api, known(&id)?, &object(body.value)?).await
}

async fn report(State(api): State<ApiState>, body: Json) -> Answer {
    let body = object(body.value)?;
    keep(&api, job_id(&body)?, &body).await
}

async fn keep(api: &ApiState, id: JobId, body: &Map<String, Value>) -> Answer {
    let fields = Fields::new(body, "");
    let part = part(&fields)?;
    let message: Option<String> = fields.text("message")?.map(|text| text.chars().take(MESSAGE_CHARS_MAX).collect());
    let data = fields.find("data").cloned();
    if data.as_ref().is_some_and(|data| data.to_string().len() > DATA_BYTES_MAX) {
        return Err(ApiError::too_large(format!("data has more than {DATA_BYTES_MAX} bytes")));
    }
    let progress = json!({
        "job_id": id,
        "progress": part,
        "percentage": part * 100.0,
        "message": message,
        "data": data,
        "updated_at": api.store().clock().now(),
    });
    match api.store().put_progress(id, &progress, part * 100.0, message.as_deref()).await? {
        ChangeReply::Changed => {
            let mut answer = progress;
            answer["ok"] = true.into();
            Ok(Reply::ok(answer))
        }
        ChangeReply::Conflict(state) => Err(ClientError::Conflict { id, state, expected: LIVE }.into()),
        ChangeReply::Gone => Err(ApiError::no_job(&id.to_string())),
    }
}

/// The part that is done, from 0 to 1: said so, or in percent.
fn part(fields: &Fields<'_>) -> Result<f64, ApiError> {
    let part = match fields.number("progress")? {
        Some(part) => part,
        None => match fields.number("percentage")? {
            Some(percent) => percent / 100.0,
            None => {
                return Err(fields.refuse("progress", "a number from 0 to 1 (or percentage, from 0 to 100)").into());
            }
        },
    };
    Ok(part.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_said_as_a_part_or_in_percent_and_kept_within_its_bounds() {
        let read = |value: Value| part(&Fields::new(value.as_object().expect("an object"), "")).ok();
        assert_eq!(read(json!({"progress": 0.25})), Some(0.25));
        assert_eq!(read(json!({"percentage": 50})), Some(0.5));
        assert_eq!((read(json!({"progress": 1.5})), read(json!({"progress": -1}))), (Some(1.0), Some(0.0)));
        assert_eq!(read(json!({})), None);
    }
}
