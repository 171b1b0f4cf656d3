//! Jobs: taken in, looked at, cancelled.

use carillon_scheduler::grpc::proto::{
    CancelJobRequest, ConflictPolicy, EnqueueBatchRequest, EnqueueOptions, GetJobRequest, JobState, RetryPolicy,
    UniquePolicy,
};
use carillon_shared::id::JobId;
use tonic::{Code, Request};

use crate::client::{Api, job, members, number, refused, seconds, text, with};

#[tokio::test]
async fn a_job_is_taken_in_with_all_its_settings() {
    let api = Api::start().await;
    let options = EnqueueOptions {
        queue: "reports".to_owned(),
        priority: Some(7),
        timeout: Some(seconds(5)),
        retry: Some(RetryPolicy { initial_interval: Some(seconds(2)), jitter: Some(false), ..Default::default() }),
        ttl: Some(seconds(600)),
        tags: vec!["a".to_owned()],
        trace_id: "t1".to_owned(),
        meta: Some(members(&[("tenant", text("x"))])),
        max_attempts: Some(9),
        visibility_timeout: Some(seconds(60)),
        ..Default::default()
    };
    let mut request = with("report.generate", options);
    request.args = vec![number(1.0), text("x")];
    let taken = api.enqueue(request).await;
    let job = api.get(&taken.id).await;
    assert_eq!(job, taken);
    assert_eq!((job.state(), job.queue.as_str(), job.priority), (JobState::Available, "reports", 7));
    assert_eq!((job.max_attempts, job.attempt, job.specversion.as_str()), (9, 0, "1.0"));
    assert_eq!((job.timeout, job.visibility_timeout), (Some(seconds(5)), Some(seconds(60))));
    assert_eq!((&job.tags, job.trace_id.as_str()), (&vec!["a".to_owned()], "t1"));
    assert_eq!(job.args, [number(1.0), text("x")]);
    let retry = job.retry_policy.expect("a policy");
    assert_eq!((retry.initial_interval, retry.jitter, retry.max_attempts), (Some(seconds(2)), Some(false), Some(9)));
    assert!(job.expires_at.is_some() && job.created_at.is_some() && job.started_at.is_none());
    assert_eq!(job.meta.expect("meta").fields["tenant"], text("x"));
}

#[tokio::test]
async fn whole_numbers_are_kept_as_integers() {
    let api = Api::start().await;
    let mut request = job("echo");
    request.args = vec![number(3.0), number(0.5), number(9_007_199_254_740_992.0)];
    let id: JobId = api.enqueue(request).await.id.parse().expect("an id");
    let kept = api.app.store().job(id).await.expect("Redis").expect("the job");
    assert_eq!(kept.envelope["args"].to_string(), "[3,0.5,9007199254740992]");
}

#[tokio::test]
async fn a_job_may_wait_for_its_time() {
    let api = Api::start().await;
    let at = prost_types::Timestamp { seconds: 4_102_444_800, nanos: 500_000_000 };
    let taken = api.enqueue(with("echo", EnqueueOptions { delay_until: Some(at), ..Default::default() })).await;
    assert_eq!((taken.state(), taken.scheduled_at), (JobState::Scheduled, Some(at)));
}

#[tokio::test]
async fn the_trace_of_the_call_travels_with_the_job() {
    let api = Api::start().await;
    let mut request = Request::new(job("echo"));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    request.metadata_mut().insert("traceparent", trace.parse().expect("text"));
    let taken = api.client().enqueue(request).await.expect("a job").into_inner().job.expect("a job");
    assert_eq!(taken.meta.expect("meta").fields["traceparent"], text(trace));
    assert_eq!(taken.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn a_second_job_that_is_the_same_is_refused_or_answered_with_the_first() {
    let api = Api::start().await;
    let unique = |on_conflict: ConflictPolicy| {
        let unique = UniquePolicy { on_conflict: on_conflict.into(), ..Default::default() };
        with("sync.user", EnqueueOptions { unique: Some(unique), ..Default::default() })
    };
    let first = api.enqueue(unique(ConflictPolicy::Reject)).await;
    let status = api.client().enqueue(unique(ConflictPolicy::Reject)).await.expect_err("the same");
    refused(&status, Code::AlreadyExists, "duplicate", None);
    assert_eq!(api.enqueue(unique(ConflictPolicy::Ignore)).await.id, first.id);
}

#[tokio::test]
async fn a_batch_is_taken_in_in_order_with_what_all_say_alike() {
    let api = Api::start().await;
    let defaults = EnqueueOptions { queue: "bulk".to_owned(), priority: Some(1), ..Default::default() };
    let own = with("b", EnqueueOptions { priority: Some(2), ..Default::default() });
    let request = EnqueueBatchRequest { jobs: vec![job("a"), own], default_options: Some(defaults) };
    let answer = api.client().enqueue_batch(request).await.expect("a batch").into_inner();
    let shown: Vec<_> = answer.jobs.iter().map(|job| (job.r#type.as_str(), job.queue.as_str(), job.priority)).collect();
    assert_eq!(shown, [("a", "bulk", 1), ("b", "bulk", 2)]);
    assert_eq!((answer.count, answer.errors.len()), (2, 0));
}

#[tokio::test]
async fn a_batch_with_a_mistake_is_refused_as_a_whole() {
    let api = Api::start().await;
    let request = EnqueueBatchRequest { jobs: vec![job("a"), job("No Type")], default_options: None };
    let status = api.client().enqueue_batch(request).await.expect_err("a mistake");
    refused(&status, Code::InvalidArgument, "invalid_request", Some("jobs[1].type"));
    assert!(api.fetch().await.is_none());
    let status = api.client().enqueue_batch(EnqueueBatchRequest::default()).await.expect_err("no jobs");
    refused(&status, Code::InvalidArgument, "invalid_request", Some("jobs"));
}

#[tokio::test]
async fn a_job_is_cancelled_once() {
    let api = Api::start().await;
    let cancel = CancelJobRequest { job_id: api.job("echo").await.id, reason: "not needed".to_owned() };
    let job = api.client().cancel_job(cancel.clone()).await.expect("cancelled").into_inner().job.expect("a job");
    assert_eq!((job.state(), job.completed_at), (JobState::Cancelled, None));
    let status = api.client().cancel_job(cancel).await.expect_err("cancelled already");
    refused(&status, Code::FailedPrecondition, "conflict", None);
}

#[tokio::test]
async fn a_job_that_is_not_there_is_not_found() {
    let api = Api::start().await;
    for id in ["019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f6a", "nonsense", ""] {
        let status = api.client().get_job(GetJobRequest { job_id: id.to_owned() }).await.expect_err("no job");
        refused(&status, Code::NotFound, "not_found", None);
        let cancel = CancelJobRequest { job_id: id.to_owned(), ..Default::default() };
        refused(&api.client().cancel_job(cancel).await.expect_err("no job"), Code::NotFound, "not_found", None);
    }
}
