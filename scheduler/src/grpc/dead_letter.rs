//! Dead letters: discarded jobs that wait for somebody to look at them.

use carillon_shared::name::QueueName;

use super::error::RpcError;
use super::job::{known, shown};
use super::{GrpcState, proto, time, wire_job};

const LETTERS_DEFAULT: usize = 50;
const LETTERS_MAX: usize = 1000;
const RESOURCE: &str = "dead letter";

pub(super) async fn list(
    api: &GrpcState,
    request: &proto::ListDeadLetterRequest,
) -> Result<proto::ListDeadLetterResponse, RpcError> {
    let queue: Option<QueueName> =
        if request.queue.is_empty() { None } else { Some(time::name("queue", &request.queue)?) };
    let (offset, limit) = (offset(&request.cursor)?, limit(request.limit)?);
    let letters = api.store().dead_letters(queue.as_ref(), offset, limit).await?;
    let next = offset.saturating_add(limit);
    let has_more = u64::try_from(next).is_ok_and(|next| next < letters.total);
    Ok(proto::ListDeadLetterResponse {
        jobs: letters.jobs.iter().map(wire_job::message).collect(),
        total_count: i32::try_from(letters.total).unwrap_or(i32::MAX),
        next_cursor: if has_more { next.to_string() } else { String::new() },
    })
}

pub(super) async fn retry(
    api: &GrpcState,
    request: &proto::RetryDeadLetterRequest,
) -> Result<proto::RetryDeadLetterResponse, RpcError> {
    let id = known(RESOURCE, &request.job_id)?;
    if !api.store().revive(id).await? {
        return Err(RpcError::not_found(RESOURCE, &request.job_id));
    }
    Ok(proto::RetryDeadLetterResponse { job: Some(shown(api, id).await?) })
}

pub(super) async fn delete(
    api: &GrpcState,
    request: &proto::DeleteDeadLetterRequest,
) -> Result<proto::DeleteDeadLetterResponse, RpcError> {
    if !api.store().bury(known(RESOURCE, &request.job_id)?).await? {
        return Err(RpcError::not_found(RESOURCE, &request.job_id));
    }
    Ok(proto::DeleteDeadLetterResponse {})
}

fn offset(cursor: &str) -> Result<usize, RpcError> {
    if cursor.is_empty() {
        return Ok(0);
    }
    cursor.parse().map_err(|_| RpcError::invalid("cursor", "cursor must be the next_cursor of the page before"))
}

fn limit(limit: i32) -> Result<usize, RpcError> {
    match usize::try_from(limit) {
        Ok(0) => Ok(LETTERS_DEFAULT),
        Ok(limit) => Ok(limit.min(LETTERS_MAX)),
        Err(_) => Err(RpcError::invalid("limit", format!("limit must be 1 or more, found {limit}"))),
    }
}
