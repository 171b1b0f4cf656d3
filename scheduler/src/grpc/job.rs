//! Jobs: taken in, looked at, cancelled.

use carillon_shared::client::{ClientError, Enqueued};
use carillon_shared::id::JobId;
use carillon_shared::job::{ENVELOPE_BYTES_MAX, Envelope, Refusal, RefusalKind};
use carillon_shared::store::CancelReply;
use carillon_shared::telemetry::metric::{self, label};
use carillon_shared::telemetry::queue_label;
use serde_json::{Map, Value};

use super::error::RpcError;
use super::{GrpcState, options, proto, value, wire_job};

/// The states that can be cancelled.
const LIVE: &str = "scheduled, available, pending, active or retryable";
/// A reason is told in an event and kept in the ledger.
const REASON_CHARS_MAX: usize = 500;
const JOBS_MAX: usize = 10_000;

pub(super) async fn enqueue(
    api: &GrpcState,
    trace: &Map<String, Value>,
    request: proto::EnqueueRequest,
) -> Result<proto::EnqueueResponse, RpcError> {
    let envelope = envelope(api, trace, &Map::new(), request)?;
    let enqueued = api.client().enqueue(&envelope).await?;
    Ok(proto::EnqueueResponse { job: Some(taken_in(&enqueued)) })
}

pub(super) async fn enqueue_batch(
    api: &GrpcState,
    trace: &Map<String, Value>,
    request: proto::EnqueueBatchRequest,
) -> Result<proto::EnqueueBatchResponse, RpcError> {
    let proto::EnqueueBatchRequest { jobs, default_options } = request;
    if jobs.is_empty() || jobs.len() > JOBS_MAX {
        return Err(RpcError::invalid("jobs", format!("jobs must be 1 to {JOBS_MAX} jobs, found {}", jobs.len())));
    }
    let defaults = options::json("default_options", default_options.unwrap_or_default())?;
    let envelopes = jobs.into_iter().enumerate().map(|(place, job)| {
        let refused = |error: RpcError| error.within(&format!("jobs[{place}]")).told("index", place.to_string());
        envelope(api, trace, &defaults, job).map_err(refused)
    });
    let envelopes: Vec<Envelope> = envelopes.collect::<Result<_, _>>()?;
    let jobs: Vec<_> = api.client().enqueue_all(&envelopes).await?.iter().map(taken_in).collect();
    let count = i32::try_from(jobs.len()).unwrap_or(i32::MAX);
    Ok(proto::EnqueueBatchResponse { jobs, count, ..Default::default() })
}

pub(super) async fn get(api: &GrpcState, request: &proto::GetJobRequest) -> Result<proto::GetJobResponse, RpcError> {
    Ok(proto::GetJobResponse { job: Some(shown(api, known("job", &request.job_id)?).await?) })
}

pub(super) async fn cancel(
    api: &GrpcState,
    request: &proto::CancelJobRequest,
) -> Result<proto::CancelJobResponse, RpcError> {
    let id = known("job", &request.job_id)?;
    match api.store().cancel(id, "api", reason(&request.reason)?).await? {
        CancelReply::Cancelled(_) => {
            api.0.ended.notify_waiters();
            Ok(proto::CancelJobResponse { job: Some(shown(api, id).await?) })
        }
        CancelReply::Ended(state) => Err(ClientError::Conflict { id, state, expected: LIVE }.into()),
        CancelReply::Gone => Err(RpcError::not_found("job", &request.job_id)),
    }
}

/// The id of a job, a dead letter or a workflow. One that none can have is one that none has.
pub(super) fn known(resource: &'static str, id: &str) -> Result<JobId, RpcError> {
    id.parse().map_err(|_| RpcError::not_found(resource, id))
}

pub(super) async fn shown(api: &GrpcState, id: JobId) -> Result<proto::Job, RpcError> {
    let job = api.store().job(id).await?.ok_or_else(|| RpcError::not_found("job", &id.to_string()))?;
    Ok(wire_job::message(&job))
}

pub(super) fn reason(text: &str) -> Result<&str, RpcError> {
    if text.chars().count() > REASON_CHARS_MAX {
        let message = format!("reason must be a text of at most {REASON_CHARS_MAX} characters");
        return Err(RpcError::invalid("reason", message));
    }
    Ok(text)
}

/// Refuses a message that is larger than what is kept of it may be.
pub(super) fn check_size(what: &str, message: &impl prost::Message) -> Result<(), RpcError> {
    let bytes = message.encoded_len();
    if bytes > ENVELOPE_BYTES_MAX {
        let message = format!("the {what} has {bytes} bytes, more than {ENVELOPE_BYTES_MAX}: send a reference to it");
        return Err(Refusal { kind: RefusalKind::TooLarge, ..Refusal::field("", message) }.into());
    }
    Ok(())
}

/// The envelope that a message describes, with what all of its batch say alike.
fn envelope(
    api: &GrpcState,
    trace: &Map<String, Value>,
    defaults: &Map<String, Value>,
    request: proto::EnqueueRequest,
) -> Result<Envelope, RpcError> {
    check_size("envelope", &request)?;
    let mut options = defaults.clone();
    options.extend(options::json("options", request.options.unwrap_or_default())?);
    let mut meta = trace.clone();
    meta.extend(options.get("meta").and_then(Value::as_object).cloned().unwrap_or_default());
    options.insert("meta".to_owned(), meta.into());
    let mut map = Map::new();
    map.insert("type".to_owned(), request.r#type.into());
    map.insert("args".to_owned(), value::array("args", request.args)?.into());
    map.insert("options".to_owned(), options.into());
    Ok(Envelope::read(&map.into(), api.store().clock().now())?)
}

fn taken_in(enqueued: &Enqueued) -> proto::Job {
    let Enqueued { job, deduplicated } = enqueued;
    if !deduplicated {
        let queue = queue_label(job.record.queue.as_str());
        metrics::counter!(metric::JOBS_ENQUEUED_TOTAL, label::QUEUE => queue).increment(1);
    }
    wire_job::message(job)
}
