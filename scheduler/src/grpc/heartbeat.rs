//! Heartbeats: a worker says that it lives, and hears what it is told to do.

use std::time::Duration;

use carillon_shared::client::WorkerSaid;
use carillon_shared::id::JobId;
use carillon_shared::name::WorkerId;
use carillon_shared::store::WorkerOrder;
use serde_json::Value;
use tonic::metadata::{MetadataMap, MetadataValue};

use super::error::RpcError;
use super::job::known;
use super::worker::{VISIBILITY, named};
use super::{GrpcState, proto, time};

const EXTENDED_BY_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Whoever fetched without a name.
const ANONYMOUS: &str = "anonymous";

/// Extends all leases of the worker, because clients name one job at most.
pub(super) async fn beat(
    api: &GrpcState,
    request: &proto::HeartbeatRequest,
) -> Result<(MetadataMap, proto::HeartbeatResponse), RpcError> {
    let job = if request.id.is_empty() { None } else { Some(known("job", &request.id)?) };
    let worker = named(&request.worker_id)?;
    let extend_by = request.extend_by.map(extended_by).transpose()?;
    let held = match (&worker, job) {
        (Some(worker), _) => api.store().held_by(worker).await?,
        (None, Some(_)) => Vec::new(),
        (None, None) => return Err(RpcError::invalid("worker_id", "worker_id must be the id of the worker")),
    };
    let ids: Vec<JobId> = job.into_iter().chain(held.into_iter().filter(|id| Some(*id) != job)).collect();
    let holder = worker.clone().map_or_else(|| time::name("worker_id", ANONYMOUS), Ok)?;
    let beat = api.client().beat(&holder, Some(&ids), extend_by).await?;
    let order = match &worker {
        Some(worker) => noted(api, worker, request.current_state(), &beat.extended).await?,
        None => None,
    };
    let response = proto::HeartbeatResponse {
        directed_state: directed(order).into(),
        new_deadline: deadline(api, beat.extended.first(), extend_by).await?,
    };
    Ok((told(&beat.lost, &beat.cancelled), response))
}

fn extended_by(span: prost_types::Duration) -> Result<Duration, RpcError> {
    let span = time::span("extend_by", span)?;
    let valid = !span.is_zero() && span <= EXTENDED_BY_MAX;
    let message = "extend_by must be longer than nothing and at most 7 days";
    if valid { Ok(span) } else { Err(RpcError::invalid("extend_by", message)) }
}

/// Notes that a worker lives and what it runs, and looks for what it is told to do.
async fn noted(
    api: &GrpcState,
    worker: &WorkerId,
    state: proto::WorkerState,
    running: &[JobId],
) -> Result<Option<WorkerOrder>, RpcError> {
    let said = WorkerSaid { state: word(state).map(str::to_owned), ..WorkerSaid::default() };
    Ok(api.client().note_worker(worker, said, running).await?)
}

fn word(state: proto::WorkerState) -> Option<&'static str> {
    match state {
        proto::WorkerState::Unspecified => None,
        proto::WorkerState::Running => Some("running"),
        proto::WorkerState::Quiet => Some("quiet"),
        proto::WorkerState::Terminate => Some("terminate"),
    }
}

fn directed(order: Option<WorkerOrder>) -> proto::WorkerState {
    match order {
        None => proto::WorkerState::Running,
        Some(WorkerOrder::Quiet) => proto::WorkerState::Quiet,
        Some(WorkerOrder::Terminate) => proto::WorkerState::Terminate,
    }
}

/// When the lease of a job that was just extended ends: the caller's wish comes first, then its own.
async fn deadline(
    api: &GrpcState,
    job: Option<&JobId>,
    extend_by: Option<Duration>,
) -> Result<Option<prost_types::Timestamp>, RpcError> {
    let Some(id) = job else { return Ok(None) };
    let Some(job) = api.store().job(*id).await? else { return Ok(None) };
    let own = job.envelope.get("visibility_timeout_ms").and_then(Value::as_u64).map(Duration::from_millis);
    let span = extend_by.or(own).unwrap_or(VISIBILITY);
    Ok(Some(time::message(api.store().clock().now() + span)))
}

/// What the worker has lost, for which the message has no place.
fn told(lost: &[JobId], cancelled: &[JobId]) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    for (name, ids) in [("x-ojs-lost-jobs", lost), ("x-ojs-cancelled-jobs", cancelled)] {
        let text = ids.iter().map(JobId::to_string).collect::<Vec<_>>().join(",");
        if let (false, Ok(value)) = (ids.is_empty(), MetadataValue::try_from(text)) {
            metadata.insert(name, value);
        }
    }
    metadata
}
