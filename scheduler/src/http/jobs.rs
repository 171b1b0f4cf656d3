//! Jobs over HTTP.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use carillon_shared::client::{ClientError, Taken};
use carillon_shared::id::JobId;
use carillon_shared::job::{ENVELOPE_BYTES_MAX, Envelope};
use carillon_shared::store::{CancelReply, ChangeReply};
use carillon_shared::telemetry::metric::{self, label};
use carillon_shared::telemetry::queue_label;
use serde_json::{Map, Value};

use super::ApiState;
use super::body::{Json, MaybeJson};
use super::error::ApiError;
use super::rate_limits;
use super::reply::{Answer, Reply, Written, twice};

/// The states that can be cancelled.
pub(super) const LIVE: &str = "scheduled, available, pending, active or retryable";
/// A reason is told in an event and kept in the ledger.
const REASON_CHARS_MAX: usize = 500;

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/ojs/v1/jobs", post(enqueue))
        .route("/ojs/v1/jobs/{id}", get(show).delete(cancel))
        .route("/ojs/v1/jobs/{id}/cancel", post(cancel))
        .route("/ojs/v1/jobs/{id}/activate", post(activate))
}

async fn enqueue(State(api): State<ApiState>, body: Json) -> Answer {
    if body.size > ENVELOPE_BYTES_MAX {
        return Err(ApiError::too_large(format!(
            "the envelope has {} bytes, more than {ENVELOPE_BYTES_MAX}",
            body.size
        )));
    }
    let envelope = Envelope::read(&body.value, api.store().clock().now())?;
    let (record, answer) = match api.client().take_in(&envelope).await? {
        Taken::New(record) => {
            let job = Written::text(envelope.to_job_json(&record));
            (record, twice("job", job))
        }
        Taken::Other(other) if other.deduplicated => {
            return Ok(Reply::ok(twice("job", &other.job).and("deduplicated", true)));
        }
        Taken::Other(other) => (other.job.record.clone().into(), twice("job", &other.job)),
    };
    metrics::counter!(metric::JOBS_ENQUEUED_TOTAL, label::QUEUE => queue_label(record.queue.as_str())).increment(1);
    let reply = Reply::new(StatusCode::CREATED, answer).at(&format!("/ojs/v1/jobs/{}", record.id));
    Ok(match rate_limits::most(&envelope) {
        Some(most) => reply.limited_to(most),
        None => reply,
    })
}

/// The job, with what its handler said of its progress.
pub(super) async fn show(State(api): State<ApiState>, Path(id): Path<String>) -> Answer {
    let id = known(&id)?;
    let (job, progress) = tokio::try_join!(api.store().job(id), api.store().progress(id))?;
    let mut map = job.ok_or_else(|| ApiError::no_job(&id.to_string()))?.to_json();
    if let Some(progress) = progress {
        map.insert("progress".to_owned(), progress);
    }
    Ok(Reply::ok(twice("job", map)))
}

pub(super) async fn cancel(State(api): State<ApiState>, Path(id): Path<String>, MaybeJson(body): MaybeJson) -> Answer {
    let id = known(&id)?;
    match api.store().cancel(id, "api", &reason(body.as_ref())?).await? {
        CancelReply::Cancelled(_) => shown(&api, id).await,
        CancelReply::Ended(state) => Err(ClientError::Conflict { id, state, expected: LIVE }.into()),
        CancelReply::Gone => Err(ApiError::no_job(&id.to_string())),
    }
}

async fn activate(State(api): State<ApiState>, Path(id): Path<String>) -> Answer {
    let id = known(&id)?;
    match api.store().activate(id).await? {
        ChangeReply::Changed => shown(&api, id).await,
        ChangeReply::Conflict(state) => Err(ClientError::Conflict { id, state, expected: "pending" }.into()),
        ChangeReply::Gone => Err(ApiError::no_job(&id.to_string())),
    }
}

pub(super) async fn shown(api: &ApiState, id: JobId) -> Answer {
    let job = api.store().job(id).await?.ok_or_else(|| ApiError::no_job(&id.to_string()))?;
    Ok(Reply::ok(twice("job", &job)))
}

/// An id that no job can have is one that none has.
pub(super) fn known(id: &str) -> Result<JobId, ApiError> {
    id.parse().map_err(|_| ApiError::no_job(id))
}

fn reason(body: Option<&Map<String, Value>>) -> Result<String, ApiError> {
    match body.and_then(|body| body.get("reason")) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) if text.chars().count() <= REASON_CHARS_MAX => Ok(text.clone()),
        Some(_) => Err(ApiError::invalid(
            "reason",
            format!("reason must be a string of at most {REASON_CHARS_MAX} characters"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reason_is_a_short_text() {
        let read = |value: Value| reason(value.as_object());
        assert_eq!(read(json!({"reason": "not needed"})).map_err(|_| ()).as_deref(), Ok("not needed"));
        assert_eq!(read(json!({})).map_err(|_| ()).as_deref(), Ok(""));
        for wrong in [json!({"reason": 5}), json!({"reason": "x".repeat(501)})] {
            assert!(read(wrong).is_err());
        }
    }
}
