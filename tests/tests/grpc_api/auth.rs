//! The key.

use carillon_scheduler::grpc::proto::*;
use carillon_tests::redis::shared;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::client::{Api, job, refused};

const KEY: &str = "a-key-of-some-length";

async fn guarded() -> Api {
    Api::with(&shared().url(), &["--api-key", KEY]).await
}

/// Calls everything that needs a key, without one.
async fn calls(api: &Api) -> Vec<(&'static str, Status)> {
    let mut client = api.client();
    let mut refusals = Vec::new();
    macro_rules! call {
        ($($method:ident($request:expr)),* $(,)?) => {
            $(refusals.push((stringify!($method), client.$method($request).await.expect_err(stringify!($method))));)*
        };
    }
    call!(
        manifest(ManifestRequest {}),
        enqueue(EnqueueRequest::default()),
        enqueue_batch(EnqueueBatchRequest::default()),
        get_job(GetJobRequest::default()),
        cancel_job(CancelJobRequest::default()),
        fetch(FetchRequest::default()),
        ack(AckRequest::default()),
        nack(NackRequest::default()),
        heartbeat(HeartbeatRequest::default()),
        list_queues(ListQueuesRequest {}),
        queue_stats(QueueStatsRequest::default()),
        pause_queue(PauseQueueRequest::default()),
        resume_queue(ResumeQueueRequest::default()),
        list_dead_letter(ListDeadLetterRequest::default()),
        retry_dead_letter(RetryDeadLetterRequest::default()),
        delete_dead_letter(DeleteDeadLetterRequest::default()),
        register_cron(RegisterCronRequest::default()),
        unregister_cron(UnregisterCronRequest::default()),
        list_cron(ListCronRequest {}),
        create_workflow(CreateWorkflowRequest::default()),
        get_workflow(GetWorkflowRequest::default()),
        cancel_workflow(CancelWorkflowRequest::default()),
        stream_jobs(StreamJobsRequest::default()),
        stream_events(StreamEventsRequest::default()),
    );
    refusals
}

#[tokio::test]
async fn with_a_key_every_call_but_health_needs_it() {
    let api = guarded().await;
    let refusals = calls(&api).await;
    assert_eq!(refusals.len(), 24);
    for (method, status) in refusals {
        assert_eq!(status.code(), Code::Unauthenticated, "{method}");
        refused(&status, Code::Unauthenticated, "unauthorized", None);
    }
    api.client().health(HealthRequest {}).await.expect("open");
    let check = HealthClient::new(api.channel.clone()).check(HealthCheckRequest::default()).await;
    check.expect("open");
}

#[tokio::test]
async fn the_key_opens_in_either_place_and_anything_like_it_does_not() {
    let api = guarded().await;
    let bearer = format!("Bearer {KEY}");
    let enqueue = |name: &'static str, value: String| {
        let mut request = Request::new(job("echo"));
        request.metadata_mut().insert(name, value.parse().expect("text"));
        let mut client = api.client();
        async move { client.enqueue(request).await }
    };
    enqueue("x-ojs-api-key", KEY.to_owned()).await.expect("the key");
    enqueue("authorization", bearer.clone()).await.expect("the key");
    for (name, value) in [
        ("x-ojs-api-key", format!("{KEY}x")),
        ("x-ojs-api-key", bearer.clone()),
        ("authorization", KEY.to_owned()),
        ("authorization", format!("Basic {KEY}")),
    ] {
        let status = enqueue(name, value).await.expect_err("no key");
        refused(&status, Code::Unauthenticated, "unauthorized", None);
        assert!(!status.message().contains(KEY));
    }
}
