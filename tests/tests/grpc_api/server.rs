//! The server: what it offers, where it listens.

use std::net::TcpListener;

use carillon_scheduler::app::App;
use carillon_scheduler::cli::configuration;
use carillon_scheduler::grpc::proto::ManifestRequest;
use carillon_shared::config::GrpcListen;
use carillon_tests::redis::{namespace, shared};
use tonic::Code;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::client::Api;

#[tokio::test]
async fn the_manifest_says_what_is_spoken() {
    let api = Api::start().await;
    let manifest = api.client().manifest(ManifestRequest {}).await.expect("a manifest").into_inner();
    assert_eq!((manifest.ojs_version.as_str(), manifest.backend.as_str()), ("1.0", "redis"));
    assert_eq!(manifest.implementation.expect("its maker").name, "carillon");
    assert!(manifest.protocols.contains(&"grpc".to_owned()));
}

async fn services(api: &Api) -> Result<Vec<String>, tonic::Status> {
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let mut client = ServerReflectionClient::new(api.channel.clone());
    let mut answers = client.server_reflection_info(futures::stream::iter([request])).await?.into_inner();
    let answer = answers.message().await?.and_then(|answer| answer.message_response);
    let Some(MessageResponse::ListServicesResponse(list)) = answer else { panic!("no list: {answer:?}") };
    Ok(list.service.into_iter().map(|service| service.name).collect())
}

#[tokio::test]
async fn the_definitions_are_shown_only_where_that_is_configured() {
    let silent = services(&Api::start().await).await.expect_err("reflection is off");
    assert_eq!(silent.code(), Code::Unimplemented);
    let open = Api::with(&shared().url(), &["--grpc-reflection"]).await;
    let services = services(&open).await.expect("reflection is on");
    assert!(services.contains(&"ojs.v1.OJSService".to_owned()), "{services:?}");
}

/// Starts a scheduler that would speak gRPC on a port that is taken.
async fn on_a_taken_port(listen: impl Fn(std::net::SocketAddr) -> GrpcListen) -> Result<App, String> {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let namespace = namespace().to_string();
    let flags = ["--redis-url", &shared().url(), "--namespace", &namespace, "--port", "0"];
    let mut config = configuration(&flags).expect("valid flags");
    config.grpc.listen = listen(taken.local_addr().expect("bound"));
    App::start(&config, None).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_port_that_is_taken_matters_to_who_asked_for_it() {
    let error = on_a_taken_port(GrpcListen::At).await.expect_err("a refusal");
    assert!(error.starts_with("cannot listen on 127.0.0.1:"), "{error}");
    let without = on_a_taken_port(GrpcListen::IfFree).await.expect("it starts");
    assert_eq!(without.grpc_address(), None);
    let beside = on_a_taken_port(GrpcListen::OrAnyPort).await.expect("it starts");
    assert!(beside.grpc_address().is_some());
    let off = on_a_taken_port(|_| GrpcListen::Off).await.expect("it starts");
    assert_eq!(off.grpc_address(), None);
}
