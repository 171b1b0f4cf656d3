//! What goes wrong, as clients are told.

use carillon_scheduler::grpc::proto::{GetJobRequest, HealthRequest, HealthStatus};
use carillon_tests::redis::Server;
use carillon_tests::wait::until;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::client::{Api, job, refused, text};

#[tokio::test]
async fn a_mistake_names_its_field() {
    let api = Api::start().await;
    let status = api.client().enqueue(job("No Type")).await.expect_err("a mistake");
    refused(&status, Code::InvalidArgument, "invalid_request", Some("type"));
    let mut large = job("echo");
    large.args = vec![text(&"x".repeat(1024 * 1024))];
    let status = api.client().enqueue(large.clone()).await.expect_err("too large");
    refused(&status, Code::InvalidArgument, "envelope_too_large", None);
    large.args = vec![text(&"x".repeat(5 * 1024 * 1024))];
    let status = api.client().enqueue(large).await.expect_err("too large for any message");
    refused(&status, Code::OutOfRange, "invalid_request", None);
}

#[tokio::test]
async fn the_id_of_a_call_is_the_clients_own() {
    let api = Api::start().await;
    let asked = |id: &'static str| {
        let mut request = Request::new(GetJobRequest { job_id: "x".to_owned() });
        request.metadata_mut().insert("x-ojs-request-id", id.parse().expect("text"));
        request
    };
    let status = api.client().get_job(asked("mine-1")).await.expect_err("no job");
    refused(&status, Code::NotFound, "not_found", None);
    assert_eq!(status.metadata().get("x-ojs-request-id").expect("an id"), "mine-1");
    let answer = api.client().health(HealthRequest {}).await.expect("an answer");
    for name in ["x-ojs-request-id", "x-ojs-server-version", "x-ojs-conformance-level"] {
        assert!(answer.metadata().contains_key(name), "{name}");
    }
}

async fn health(api: &Api) -> ServingStatus {
    let check = HealthClient::new(api.channel.clone()).check(HealthCheckRequest::default()).await;
    check.expect("health is open").into_inner().status()
}

#[tokio::test]
async fn while_redis_is_away_calls_say_so_and_health_is_not_serving() {
    let mut redis = Server::dedicated();
    let api = Api::with(&redis.url(), &[]).await;
    until("health that is serving", || async { health(&api).await == ServingStatus::Serving }).await;
    redis.kill();
    let status = api.client().enqueue(job("echo")).await.expect_err("Redis is away");
    refused(&status, Code::Unavailable, "backend_error", None);
    let answer = api.client().health(HealthRequest {}).await.expect("an answer all the same").into_inner();
    assert_eq!(answer.status(), HealthStatus::Degraded);
    until("health that is not serving", || async { health(&api).await == ServingStatus::NotServing }).await;
}
