//! Workers: jobs fetched, kept, ended.

use carillon_scheduler::grpc::proto::{
    EnqueueOptions, FetchRequest, HeartbeatRequest, JobState, RetryPolicy, WorkerState,
};
use carillon_shared::id::Partition;
use carillon_shared::store::WorkerOrder;
use carillon_tests::redis::shared;
use tonic::{Code, Request};

use crate::client::{Api, ack, fetch, members, nack, number, refused, seconds, with};

#[tokio::test]
async fn a_job_is_fetched_and_ended_with_its_result() {
    let api = Api::start().await;
    api.job("echo").await;
    let job = api.fetch().await.expect("a job");
    assert_eq!((job.state(), job.attempt), (JobState::Active, 1));
    let mut end = ack(&job.id);
    end.result = Some(members(&[("sum", number(3.0))]));
    assert!(api.client().ack(end.clone()).await.expect("the end is taken").into_inner().acknowledged);
    let job = api.get(&job.id).await;
    assert_eq!((job.state(), &job.result), (JobState::Completed, &end.result));
    let status = api.client().ack(end).await.expect_err("ended already");
    refused(&status, Code::FailedPrecondition, "conflict", None);
}

#[tokio::test]
async fn as_many_jobs_as_asked_for_are_fetched_from_the_queues_in_order() {
    let api = Api::start().await;
    for queue in ["low", "high", "low"] {
        api.enqueue(with("echo", EnqueueOptions { queue: queue.to_owned(), ..Default::default() })).await;
    }
    let queues = ["high", "low"].map(str::to_owned).to_vec();
    let request = FetchRequest { queues, count: 5, worker_id: String::new() };
    let jobs = api.client().fetch(request).await.expect("jobs").into_inner().jobs;
    assert_eq!(jobs.iter().map(|job| job.queue.as_str()).collect::<Vec<_>>(), ["high", "low", "low"]);
}

#[tokio::test]
async fn a_failed_attempt_is_followed_by_another_or_by_the_end() {
    let api = Api::start().await;
    let retry = RetryPolicy { max_attempts: Some(2), initial_interval: Some(milliseconds(1)), ..Default::default() };
    api.enqueue(with("echo", EnqueueOptions { retry: Some(retry), ..Default::default() })).await;
    let job = api.fetch().await.expect("the first attempt");
    let answer = api.client().nack(nack(&job.id, "handler_error")).await.expect("taken").into_inner();
    assert_eq!(answer.state(), JobState::Retryable);
    assert!(answer.next_attempt_at.is_some());
    let again = carillon_tests::wait::until_some("the second attempt", || api.fetch()).await;
    assert_eq!(again.attempt, 2);
    let answer = api.client().nack(nack(&job.id, "handler_error")).await.expect("taken").into_inner();
    assert_eq!((answer.state(), answer.next_attempt_at), (JobState::Discarded, None));
    let job = api.get(&job.id).await;
    let errors: Vec<_> = job.errors.iter().map(|error| (error.code.as_str(), error.attempt)).collect();
    assert_eq!(errors, [("handler_error", 1), ("handler_error", 2)]);
    assert!(job.completed_at.is_some() && job.errors[0].occurred_at.is_some());
}

#[tokio::test]
async fn a_failure_that_no_attempt_can_help_is_the_end() {
    let api = Api::start().await;
    api.job("echo").await;
    let mut failed = nack(&api.fetch().await.expect("a job").id, "bad_input");
    failed.error.as_mut().expect("an error").retryable = Some(false);
    assert_eq!(api.client().nack(failed).await.expect("taken").into_inner().state(), JobState::Discarded);
}

#[tokio::test]
async fn an_end_by_another_worker_is_refused_when_it_says_who_it_is() {
    let api = Api::start().await;
    api.job("echo").await;
    let id = api.fetch().await.expect("a job").id;
    let mut end = Request::new(ack(&id));
    end.metadata_mut().insert("x-ojs-worker-id", "somebody-else".parse().expect("text"));
    refused(&api.client().ack(end).await.expect_err("another's"), Code::FailedPrecondition, "conflict", None);
    assert_eq!(api.get(&id).await.state(), JobState::Active);
}

/// When the leases of jobs end, in milliseconds.
async fn deadlines(api: &Api, ids: &[String]) -> Vec<i64> {
    let leases = api.app.store().keys().partition(Partition(0)).leases();
    let mut redis = shared().connection().await;
    let scores: Vec<f64> =
        redis::cmd("ZMSCORE").arg(leases).arg(ids).query_async(&mut redis).await.expect("two leases");
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds, far below 2^53")]
    scores.into_iter().map(|score| score as i64).collect()
}

#[tokio::test]
async fn a_heartbeat_extends_every_lease_of_its_worker() {
    let api = Api::start().await;
    api.job("echo").await;
    api.job("echo").await;
    let ids = [api.fetch().await.expect("a job").id, api.fetch().await.expect("a job").id];
    let before = deadlines(&api, &ids).await;
    let extend_by = Some(seconds(3600));
    let beat = HeartbeatRequest { id: ids[0].clone(), worker_id: "w".to_owned(), extend_by, ..Default::default() };
    let answer = api.client().heartbeat(beat).await.expect("an answer").into_inner();
    assert_eq!(answer.directed_state(), WorkerState::Running);
    let after = deadlines(&api, &ids).await;
    assert!(before.iter().zip(&after).all(|(before, after)| after - before >= 1_800_000), "{before:?} {after:?}");
    let told = answer.new_deadline.expect("a deadline").seconds * 1000;
    assert!((told - after[0]).abs() < 5000, "{told} {after:?}");
}

#[tokio::test]
async fn a_heartbeat_brings_back_what_was_cancelled_and_what_the_worker_is_to_do() {
    let api = Api::start().await;
    api.job("echo").await;
    let id = api.fetch().await.expect("a job").id;
    let cancel = carillon_scheduler::grpc::proto::CancelJobRequest { job_id: id.clone(), ..Default::default() };
    api.client().cancel_job(cancel).await.expect("cancelled");
    let worker = "w".parse().expect("a worker id");
    api.app.store().order(&worker, Some(WorkerOrder::Quiet)).await.expect("Redis");
    let beat = HeartbeatRequest { id: id.clone(), worker_id: "w".to_owned(), ..Default::default() };
    let answer = api.client().heartbeat(beat).await.expect("an answer");
    assert_eq!(answer.metadata().get("x-ojs-cancelled-jobs").expect("the job"), &id);
    assert_eq!((answer.get_ref().directed_state(), answer.get_ref().new_deadline), (WorkerState::Quiet, None));
    api.job("echo").await;
    assert!(api.fetch().await.is_none(), "a quiet worker is handed nothing");
}

#[tokio::test]
async fn mistakes_are_refused_by_their_field() {
    let api = Api::start().await;
    let fetched = |request: FetchRequest| async { api.client().fetch(request).await.expect_err("a mistake") };
    let invalid =
        |status: &tonic::Status, field| refused(status, Code::InvalidArgument, "invalid_request", Some(field));
    invalid(&fetched(FetchRequest::default()).await, "queues");
    invalid(&fetched(FetchRequest { count: -1, ..fetch("w") }).await, "count");
    invalid(&fetched(fetch("a worker")).await, "worker_id");
    let beat = api.client().heartbeat(HeartbeatRequest::default()).await;
    invalid(&beat.expect_err("nobody"), "worker_id");
    let id = api.job("echo").await.id;
    let failed = carillon_scheduler::grpc::proto::NackRequest { job_id: id.clone(), error: None };
    invalid(&api.client().nack(failed).await.expect_err("no error"), "error");
    let status = api.client().ack(ack(&id)).await.expect_err("not active");
    refused(&status, Code::FailedPrecondition, "conflict", None);
    refused(&api.client().ack(ack("nonsense")).await.expect_err("no job"), Code::NotFound, "not_found", None);
}

fn milliseconds(ms: i32) -> prost_types::Duration {
    prost_types::Duration { seconds: 0, nanos: ms * 1_000_000 }
}
