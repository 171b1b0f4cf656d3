//! Attempts that ended well, as their workers report over HTTP.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use carillon_shared::client::Presented;
use carillon_shared::id::JobId;
use carillon_shared::job::{ENVELOPE_BYTES_MAX, Fields, Job, Refusal};
use serde_json::{Map, Value};

use super::ApiState;
use super::body::{Json, MaybeJson, object};
use super::error::ApiError;
use super::jobs::known;
use super::reply::{Answer, Reply, Twice, twice};

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/ojs/v1/workers/ack", post(ack)).route("/ojs/v1/jobs/{id}/ack", post(ack_of))
}

async fn ack(State(api): State<ApiState>, body: Json) -> Answer {
    let body = object(body.value)?;
    end(&api, job_id(&body)?, body).await
}

async fn ack_of(State(api): State<ApiState>, Path(id): Path<String>, MaybeJson(body): MaybeJson) -> Answer {
    end(&api, known(&id)?, body.unwrap_or_default()).await
}

async fn end(api: &ApiState, id: JobId, mut body: Map<String, Value>) -> Answer {
    let presented = presented(&Fields::new(&body, ""))?;
    let result = body.remove("result").filter(|result| !result.is_null());
    check_size(result.as_ref())?;
    let job = api.client().ack(id, &presented, result).await?;
    Ok(Reply::ok(ended(&job).and("acknowledged", true)))
}

fn check_size(result: Option<&Value>) -> Result<(), ApiError> {
    let bytes = result.map_or(0, |result| result.to_string().len());
    if bytes > ENVELOPE_BYTES_MAX {
        return Err(ApiError::too_large(format!("the result has {bytes} bytes, more than {ENVELOPE_BYTES_MAX}")));
    }
    Ok(())
}

/// The job as it stands, under `job` and spread.
pub(super) fn ended(job: &Job) -> Twice {
    twice("job", job).and("job_id", job.record.id.to_string())
}

/// The job that a request is about; a text that can be no id is one that no job has.
pub(super) fn job_id(body: &Map<String, Value>) -> Result<JobId, ApiError> {
    let fields = Fields::new(body, "");
    let id = match fields.text("job_id")? {
        Some(id) => Some(id),
        None => fields.text("id")?,
    };
    match id {
        Some(id) if !id.is_empty() => known(id),
        _ => Err(fields.refuse("job_id", "the id of a job").into()),
    }
}

/// By what a worker identifies its attempt: all that it presents must be right.
pub(super) fn presented(fields: &Fields<'_>) -> Result<Presented, Refusal> {
    let lease = match fields.parsed("lease_token")? {
        Some(lease) => Some(lease),
        None => fields.parsed("lease")?,
    };
    Ok(Presented {
        worker: fields.text("worker_id")?.filter(|worker| !worker.is_empty()).map(str::to_owned),
        attempt: fields.integer("attempt", 0, u32::MAX.into())?.and_then(|attempt| u32::try_from(attempt).ok()),
        lease,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_attempt_may_be_identified_in_three_ways() {
        let read = |value: Value| presented(&Fields::new(value.as_object().expect("an object"), ""));
        let all = read(json!({"worker_id": "w", "attempt": 2, "lease_token": "2-ab"})).expect("valid");
        assert_eq!((all.worker.as_deref(), all.attempt), (Some("w"), Some(2)));
        assert_eq!(all.lease.map(|lease| lease.to_string()).as_deref(), Some("2-ab"));
        assert_eq!(read(json!({"worker_id": "", "attempt": null})), Ok(Presented::default()));
        assert_eq!(read(json!({"lease_token": "mine"})).expect_err("no lease").field, "lease_token");
    }

    #[test]
    fn a_request_without_a_job_is_refused_and_one_with_a_strange_id_finds_none() {
        let status =
            |value: Value| job_id(value.as_object().expect("an object")).map_err(|error| error.status.as_u16());
        assert_eq!(status(json!({})), Err(400));
        assert_eq!(status(json!({"job_id": 7})), Err(400));
        assert_eq!(status(json!({"job_id": "nonexistent"})), Err(404));
    }
}
