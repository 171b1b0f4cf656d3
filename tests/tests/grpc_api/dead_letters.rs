//! Dead letters: listed page by page, retried, deleted.

use carillon_scheduler::grpc::proto::{
    DeleteDeadLetterRequest, EnqueueOptions, GetJobRequest, JobState, ListDeadLetterRequest, ListDeadLetterResponse,
    RetryDeadLetterRequest, RetryPolicy,
};
use tonic::Code;

use crate::client::{Api, nack, refused, with};

/// A job that failed for good.
async fn letter(api: &Api) -> String {
    let retry = RetryPolicy { max_attempts: Some(1), on_exhaustion: "dead_letter".to_owned(), ..Default::default() };
    api.enqueue(with("echo", EnqueueOptions { retry: Some(retry), ..Default::default() })).await;
    let id = api.fetch().await.expect("a job").id;
    api.client().nack(nack(&id, "handler_error")).await.expect("taken");
    id
}

async fn list(api: &Api, queue: &str, limit: i32, cursor: &str) -> ListDeadLetterResponse {
    let request = ListDeadLetterRequest { queue: queue.to_owned(), limit, cursor: cursor.to_owned() };
    api.client().list_dead_letter(request).await.expect("a page").into_inner()
}

#[tokio::test]
async fn they_are_listed_page_by_page() {
    let api = Api::start().await;
    let mut letters = vec![letter(&api).await, letter(&api).await, letter(&api).await];
    let first = list(&api, "", 2, "").await;
    assert_eq!((first.jobs.len(), first.total_count), (2, 3));
    let second = list(&api, "default", 2, &first.next_cursor).await;
    assert_eq!((second.jobs.len(), second.next_cursor.as_str()), (1, ""));
    let mut listed: Vec<_> = first.jobs.into_iter().chain(second.jobs).map(|job| job.id).collect();
    letters.sort();
    listed.sort();
    assert_eq!(listed, letters);
    assert_eq!(list(&api, "other", 0, "").await.total_count, 0);
}

#[tokio::test]
async fn one_that_is_retried_begins_anew() {
    let api = Api::start().await;
    let retry = RetryDeadLetterRequest { job_id: letter(&api).await };
    let job = api.client().retry_dead_letter(retry.clone()).await.expect("retried").into_inner().job.expect("a job");
    assert_eq!((job.state(), job.attempt), (JobState::Available, 0));
    let status = api.client().retry_dead_letter(retry).await.expect_err("none any more");
    refused(&status, Code::NotFound, "not_found", None);
}

#[tokio::test]
async fn one_that_is_deleted_is_gone() {
    let api = Api::start().await;
    let id = letter(&api).await;
    let delete = DeleteDeadLetterRequest { job_id: id.clone() };
    api.client().delete_dead_letter(delete.clone()).await.expect("deleted");
    let status = api.client().get_job(GetJobRequest { job_id: id }).await.expect_err("gone");
    refused(&status, Code::NotFound, "not_found", None);
    let status = api.client().delete_dead_letter(delete).await.expect_err("gone");
    refused(&status, Code::NotFound, "not_found", None);
}

#[tokio::test]
async fn a_cursor_that_was_not_given_is_refused() {
    let api = Api::start().await;
    let request = ListDeadLetterRequest { cursor: "x".to_owned(), ..Default::default() };
    let status = api.client().list_dead_letter(request).await.expect_err("a mistake");
    refused(&status, Code::InvalidArgument, "invalid_request", Some("cursor"));
}
