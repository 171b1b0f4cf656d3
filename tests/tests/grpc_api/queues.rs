//! Queues and their counters.

use carillon_scheduler::grpc::proto::{
    EnqueueOptions, ListQueuesRequest, PauseQueueRequest, QueueStatistics, QueueStatsRequest, ResumeQueueRequest,
    RetryPolicy,
};
use tonic::Code;

use crate::client::{Api, nack, refused, with};

const QUEUE: &str = "default";

async fn stats(api: &Api) -> QueueStatistics {
    let request = QueueStatsRequest { queue: QUEUE.to_owned() };
    let answer = api.client().queue_stats(request).await.expect("counters").into_inner();
    assert_eq!(answer.queue, QUEUE);
    answer.stats.expect("counters")
}

#[tokio::test]
async fn counters_are_exact_at_once() {
    let api = Api::start().await;
    assert_eq!(stats(&api).await, QueueStatistics::default());
    api.job("echo").await;
    api.job("echo").await;
    api.fetch().await.expect("a job");
    let now = stats(&api).await;
    assert_eq!((now.available, now.active), (1, 1));
    let queues = api.client().list_queues(ListQueuesRequest {}).await.expect("queues").into_inner().queues;
    assert_eq!((queues.len(), queues[0].name.as_str(), queues[0].available_count), (1, QUEUE, 1));
    assert!(queues[0].created_at.is_some() && !queues[0].paused);
}

#[tokio::test]
async fn a_paused_queue_hands_nothing_out_until_it_is_resumed() {
    let api = Api::start().await;
    api.job("echo").await;
    let paused = api.client().pause_queue(PauseQueueRequest { queue: QUEUE.to_owned() }).await.expect("paused");
    assert!(paused.into_inner().queue.expect("the queue").paused);
    assert!(stats(&api).await.paused);
    assert!(api.fetch().await.is_none());
    let resumed = api.client().resume_queue(ResumeQueueRequest { queue: QUEUE.to_owned() }).await.expect("resumed");
    assert!(!resumed.into_inner().queue.expect("the queue").paused);
    assert!(api.fetch().await.is_some());
}

#[tokio::test]
async fn a_name_that_no_queue_can_have_is_refused() {
    let api = Api::start().await;
    let status =
        api.client().queue_stats(QueueStatsRequest { queue: "No Queue".to_owned() }).await.expect_err("a mistake");
    refused(&status, Code::InvalidArgument, "invalid_request", Some("queue"));
    let status = api.client().pause_queue(PauseQueueRequest::default()).await.expect_err("a mistake");
    refused(&status, Code::InvalidArgument, "invalid_request", Some("queue"));
}

#[tokio::test]
async fn the_last_hour_and_the_dead_letters_are_counted() {
    let api = Api::start().await;
    api.job("echo").await;
    let id = api.fetch().await.expect("a job").id;
    api.ack(&id).await;
    let retry = RetryPolicy { max_attempts: Some(1), on_exhaustion: "dead_letter".to_owned(), ..Default::default() };
    api.enqueue(with("echo", EnqueueOptions { retry: Some(retry), ..Default::default() })).await;
    let id = api.fetch().await.expect("a job").id;
    api.client().nack(nack(&id, "handler_error")).await.expect("the end is taken");
    let now = stats(&api).await;
    assert_eq!((now.completed_last_hour, now.failed_last_hour, now.dead), (1, 1, 1));
    assert!(now.throughput_per_second > 0.0 && now.avg_duration_ms >= 0.0 && now.avg_wait_ms >= 0.0);
}
