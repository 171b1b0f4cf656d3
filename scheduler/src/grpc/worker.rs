//! Jobs in the hands of workers: fetched, ended.

use std::time::Duration;

use carillon_shared::client::{Fetch, Nack, Presented};
use carillon_shared::job::{Failure, JobState};
use carillon_shared::name::{QueueName, WorkerId};
use serde_json::Value;

use super::error::RpcError;
use super::job::{check_size, known};
use super::{GrpcState, policy, proto, time, value, wire_job};

/// How long a lease lasts unless its job has a wish: the messages have no place for another (OJS core: 30 minutes).
pub(super) const VISIBILITY: Duration = Duration::from_secs(1800);
const QUEUES_MAX: usize = 100;
const COUNT_MAX: i32 = 100;
const NAME_CHARS_MAX: usize = 255;
const MESSAGE_CHARS_MAX: usize = 8000;
const BACKTRACE_LINES_MAX: usize = 200;
const BACKTRACE_LINE_CHARS_MAX: usize = 500;
const DETAILS_BYTES_MAX: usize = 64 * 1024;

pub(super) async fn fetch(api: &GrpcState, request: &proto::FetchRequest) -> Result<proto::FetchResponse, RpcError> {
    let (queues, worker) = (queues(&request.queues)?, named(&request.worker_id)?);
    let count = bounded("count", request.count)?.min(COUNT_MAX);
    let count = usize::try_from(count).unwrap_or(1);
    let jobs = api.client().fetch(Fetch { queues, count, worker, visibility: Some(VISIBILITY) }).await?;
    Ok(proto::FetchResponse { jobs: jobs.iter().map(wire_job::message).collect() })
}

pub(super) async fn ack(
    api: &GrpcState,
    presented: &Presented,
    request: proto::AckRequest,
) -> Result<proto::AckResponse, RpcError> {
    check_size("result", &request)?;
    let id = known("job", &request.job_id)?;
    let result = request.result.map(|result| value::object("result", result)).transpose()?.map(Value::Object);
    api.client().ack(id, presented, result).await?;
    api.0.ended.notify_waiters();
    Ok(proto::AckResponse { acknowledged: true })
}

pub(super) async fn nack(
    api: &GrpcState,
    presented: &Presented,
    request: proto::NackRequest,
) -> Result<proto::NackResponse, RpcError> {
    let id = known("job", &request.job_id)?;
    let error = request.error.ok_or_else(|| RpcError::invalid("error", "error must say how the attempt failed"))?;
    let nack = Nack { failure: failure(error)?, requeue: false, action: None };
    let record = api.client().nack(id, presented, nack).await?.record;
    api.0.ended.notify_waiters();
    let next = record.due_at.filter(|_| record.state == JobState::Retryable);
    Ok(proto::NackResponse { state: policy::state(record.state).into(), next_attempt_at: next.map(time::message) })
}

/// The queues that a worker names, each once.
pub(super) fn queues(names: &[String]) -> Result<Vec<QueueName>, RpcError> {
    if names.is_empty() || names.len() > QUEUES_MAX {
        return Err(RpcError::invalid("queues", format!("queues must be 1 to {QUEUES_MAX} queues")));
    }
    let mut queues: Vec<QueueName> = Vec::with_capacity(names.len());
    for name in names {
        let queue = time::name("queues", name)?;
        if !queues.contains(&queue) {
            queues.push(queue);
        }
    }
    Ok(queues)
}

/// Who asks, if it says so.
pub(super) fn named(worker: &str) -> Result<Option<WorkerId>, RpcError> {
    if worker.is_empty() { Ok(None) } else { time::name("worker_id", worker).map(Some) }
}

/// A number of jobs; 0 is what a client sends that says nothing.
pub(super) fn bounded(field: &str, count: i32) -> Result<i32, RpcError> {
    match count {
        0 => Ok(1),
        1.. => Ok(count),
        _ => Err(RpcError::invalid(field, format!("{field} must be 1 or more, found {count}"))),
    }
}

fn failure(error: proto::JobError) -> Result<Failure, RpcError> {
    let details = error.details.map(|details| value::object("error.details", details)).transpose()?.map(Value::Object);
    if details.as_ref().is_some_and(|details| details.to_string().len() > DETAILS_BYTES_MAX) {
        let message = format!("error.details must have at most {DETAILS_BYTES_MAX} bytes");
        return Err(RpcError::invalid("error.details", message));
    }
    let code = if error.code.is_empty() { "handler_error" } else { &error.code };
    let lines = error.backtrace.lines().take(BACKTRACE_LINES_MAX);
    Ok(Failure {
        code: cut(code, NAME_CHARS_MAX),
        kind: None,
        message: cut(&error.message, MESSAGE_CHARS_MAX),
        retryable: error.retryable,
        details,
        backtrace: lines.map(|line| cut(line, BACKTRACE_LINE_CHARS_MAX)).collect(),
    })
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_keep_their_order_and_stand_once() {
        let names = ["b", "a", "b"].map(str::to_owned);
        assert_eq!(queues(&names).expect("queues").iter().map(QueueName::as_str).collect::<Vec<_>>(), ["b", "a"]);
        for wrong in [vec![], vec!["No Queue".to_owned()]] {
            assert_eq!(queues(&wrong).expect_err("wrong").field, "queues");
        }
    }

    #[test]
    fn a_count_that_is_not_set_is_one() {
        assert_eq!((bounded("count", 0), bounded("count", 7)), (Ok(1), Ok(7)));
        assert_eq!(bounded("count", -1).expect_err("negative").field, "count");
    }

    #[test]
    fn a_failure_without_a_word_is_the_handlers() {
        let told = failure(proto::JobError { backtrace: "a\nb".to_owned(), ..Default::default() }).expect("a failure");
        assert_eq!((told.code.as_str(), told.retryable, told.backtrace.len()), ("handler_error", None, 2));
    }
}
