//! Jobs handed out as they become available, never more than the client can hold.

use std::time::Duration;

use carillon_scheduler::grpc::proto::ojs_service_client::OjsServiceClient;
use carillon_scheduler::grpc::proto::{Job, JobState, PauseQueueRequest, ResumeQueueRequest, StreamJobsRequest};
use carillon_shared::id::JobId;
use carillon_shared::job::Record;
use carillon_tests::wait::{until, within};
use tokio::time::timeout;
use tonic::transport::Endpoint;
use tonic::{Code, Streaming};

use crate::client::{Api, job, nack, refused, text};

/// What is to come comes within this.
const SOON: Duration = Duration::from_secs(120);
/// For so long a stream is watched that must stay silent.
const SILENCE: Duration = Duration::from_millis(400);

async fn follow(api: &Api, max_concurrent: i32) -> Streaming<Job> {
    let request = StreamJobsRequest { queues: vec!["default".to_owned()], worker_id: "w".to_owned(), max_concurrent };
    api.client().stream_jobs(request).await.expect("a stream").into_inner()
}

async fn next(jobs: &mut Streaming<Job>) -> Job {
    let next = timeout(SOON, jobs.message()).await.expect("a job in time");
    next.expect("no error").expect("no end")
}

async fn is_silent(jobs: &mut Streaming<Job>) -> bool {
    timeout(SILENCE, jobs.message()).await.is_err()
}

#[tokio::test]
async fn jobs_come_as_they_become_available() {
    let api = Api::start().await;
    let early = api.job("echo").await.id;
    let mut jobs = follow(&api, 10).await;
    let first = next(&mut jobs).await;
    assert_eq!((first.id, first.state, first.attempt), (early, JobState::Active.into(), 1));
    let late = api.job("echo").await.id;
    assert_eq!(next(&mut jobs).await.id, late);
}

#[tokio::test]
async fn a_stream_holds_no_more_jobs_than_its_client_asked_for() {
    let api = Api::start().await;
    for _ in 0..4 {
        api.job("echo").await;
    }
    let mut jobs = follow(&api, 2).await;
    let held = [next(&mut jobs).await.id, next(&mut jobs).await.id];
    assert!(is_silent(&mut jobs).await, "two are in its hands");
    api.ack(&held[0]).await;
    let third = next(&mut jobs).await.id;
    assert!(is_silent(&mut jobs).await, "two are in its hands again");
    api.client().nack(nack(&third, "handler_error")).await.expect("taken");
    next(&mut jobs).await;
}

#[tokio::test]
async fn an_end_that_is_told_elsewhere_makes_room_too() {
    let api = Api::start().await;
    api.job("echo").await;
    api.job("echo").await;
    let mut jobs = follow(&api, 1).await;
    let id = next(&mut jobs).await.id.parse().expect("an id");
    let client = carillon_shared::client::Client::new(api.app.store().clone());
    client.ack(id, &carillon_shared::client::Presented::default(), None).await.expect("the end is taken");
    next(&mut jobs).await;
}

#[tokio::test]
async fn a_paused_queue_is_silent_and_the_stream_stays_open() {
    let api = Api::start().await;
    api.client().pause_queue(PauseQueueRequest { queue: "default".to_owned() }).await.expect("paused");
    api.job("echo").await;
    let mut jobs = follow(&api, 1).await;
    assert!(is_silent(&mut jobs).await);
    api.client().resume_queue(ResumeQueueRequest { queue: "default".to_owned() }).await.expect("resumed");
    next(&mut jobs).await;
}

#[tokio::test]
async fn after_a_client_has_gone_jobs_are_left_to_others() {
    let api = Api::start().await;
    let jobs = follow(&api, 10).await;
    drop(jobs);
    until("a job that no stream takes", || async {
        let id = api.job("echo").await.id;
        tokio::time::sleep(Duration::from_millis(50)).await;
        api.get(&id).await.state() == JobState::Available
    })
    .await;
}

#[tokio::test]
async fn a_job_that_a_client_has_not_taken_when_it_goes_is_given_back() {
    let api = Api::start().await;
    // A client that goes when the server has sent it one job and not yet claimed the next leaves nothing to be given back.
    let mut ids = Vec::new();
    for _ in 0..20 {
        leave_in_the_middle(&api, &mut ids).await;
        let is_back = |record: &Record| record.returns > 0;
        if let Some(back) = within(SOON / 60, || async { find(&api, &ids, is_back).await.pop() }).await {
            assert_eq!((back.returns, back.attempt), (1, 0), "no attempt was burned");
            return;
        }
    }
    panic!("no job was given back");
}

/// Enqueues eight jobs, follows the queue, and goes away when some are under way.
async fn leave_in_the_middle(api: &Api, ids: &mut Vec<JobId>) {
    let mut large = job("echo");
    large.args = vec![text(&"x".repeat(200_000))];
    for _ in 0..8 {
        ids.push(api.enqueue(large.clone()).await.id.parse().expect("an id"));
    }
    // A client with so little room is sent a few jobs before it reads; the next one waits for its turn.
    let address = format!("http://{}", api.app.grpc_address().expect("it listens"));
    let narrow = Endpoint::from_shared(address).expect("an address").initial_stream_window_size(65_535);
    let mut client = OjsServiceClient::new(narrow.connect().await.expect("a connection"));
    let request =
        StreamJobsRequest { queues: vec!["default".to_owned()], worker_id: "w".to_owned(), max_concurrent: 9 };
    let before = find(api, ids, is_active).await.len();
    let jobs = client.stream_jobs(request).await.expect("a stream");
    until("jobs on their way", || async { find(api, ids, is_active).await.len() >= before + 3 }).await;
    drop(jobs);
}

fn is_active(record: &Record) -> bool {
    record.state == carillon_shared::job::JobState::Active
}

async fn find(api: &Api, ids: &[JobId], is_meant: impl Fn(&Record) -> bool) -> Vec<Record> {
    let jobs = api.app.store().jobs(ids).await.expect("Redis");
    jobs.into_iter().flatten().map(|job| job.record).filter(is_meant).collect()
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let api = Api::start().await;
    let mut jobs = follow(&api, 1).await;
    api.app.stop().await;
    let end = timeout(SOON, jobs.message()).await.expect("an end in time");
    assert!(end.is_ok_and(|job| job.is_none()));
}

#[tokio::test]
async fn a_stream_of_no_queue_is_refused() {
    let api = Api::start().await;
    let status = api.client().stream_jobs(StreamJobsRequest::default()).await.expect_err("a mistake");
    refused(&status, Code::InvalidArgument, "invalid_request", Some("queues"));
}
