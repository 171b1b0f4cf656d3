//! A scheduler in this process, and a client of its gRPC API.

use carillon_scheduler::app::App;
use carillon_scheduler::cli::configuration;
use carillon_scheduler::grpc::proto::ojs_service_client::OjsServiceClient;
use carillon_scheduler::grpc::proto::{self, EnqueueOptions, EnqueueRequest, FetchRequest, Job, JobError};
use carillon_tests::redis::{namespace, shared};
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A scheduler that runs, in a namespace of its own.
pub(crate) struct Api {
    pub(crate) app: App,
    pub(crate) channel: Channel,
}

pub(crate) type Client = OjsServiceClient<Channel>;

impl Api {
    pub(crate) async fn start() -> Self {
        Self::with(&shared().url(), &[]).await
    }

    /// Starts one on the Redis at `url`, with further flags.
    pub(crate) async fn with(url: &str, flags: &[&str]) -> Self {
        let namespace = namespace().to_string();
        let own = ["--redis-url", url, "--namespace", &namespace, "--redis-connections", "1"];
        // A machine that stands still for a moment is no Redis that is away.
        let own = [&own[..], &["--redis-timeout", "20s", "--port", "0", "--grpc-port", "0"]].concat();
        let config = configuration(&[&own[..], flags].concat()).expect("the test's flags are valid");
        let app = App::start(&config, None).await.expect("the scheduler starts");
        let channel = connect(&app).await;
        Self { app, channel }
    }

    pub(crate) fn client(&self) -> Client {
        OjsServiceClient::new(self.channel.clone())
    }

    /// Enqueues a job of this type on the queue `default`.
    pub(crate) async fn job(&self, kind: &str) -> Job {
        self.enqueue(job(kind)).await
    }

    pub(crate) async fn enqueue(&self, request: EnqueueRequest) -> Job {
        self.client().enqueue(request).await.expect("a job").into_inner().job.expect("a job")
    }

    /// Fetches one job of the queue `default` as the worker `w`.
    pub(crate) async fn fetch(&self) -> Option<Job> {
        self.client().fetch(fetch("w")).await.expect("an answer").into_inner().jobs.pop()
    }

    pub(crate) async fn get(&self, id: &str) -> Job {
        let request = proto::GetJobRequest { job_id: id.to_owned() };
        self.client().get_job(request).await.expect("a job").into_inner().job.expect("a job")
    }

    pub(crate) async fn ack(&self, id: &str) {
        self.client().ack(ack(id)).await.expect("the end is taken");
    }
}

pub(crate) async fn connect(app: &App) -> Channel {
    let address = app.grpc_address().expect("it listens");
    Endpoint::from_shared(format!("http://{address}")).expect("an address").connect().await.expect("a connection")
}

pub(crate) fn job(kind: &str) -> EnqueueRequest {
    EnqueueRequest { r#type: kind.to_owned(), ..Default::default() }
}

pub(crate) fn with(kind: &str, options: EnqueueOptions) -> EnqueueRequest {
    EnqueueRequest { options: Some(options), ..job(kind) }
}

pub(crate) fn fetch(worker: &str) -> FetchRequest {
    FetchRequest { queues: vec!["default".to_owned()], count: 1, worker_id: worker.to_owned() }
}

pub(crate) fn ack(id: &str) -> proto::AckRequest {
    proto::AckRequest { job_id: id.to_owned(), result: None }
}

pub(crate) fn nack(id: &str, code: &str) -> proto::NackRequest {
    let error = JobError { code: code.to_owned(), message: "no".to_owned(), ..Default::default() };
    proto::NackRequest { job_id: id.to_owned(), error: Some(error) }
}

pub(crate) fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

pub(crate) fn number(number: f64) -> Value {
    Value { kind: Some(Kind::NumberValue(number)) }
}

pub(crate) fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

pub(crate) fn members(pairs: &[(&str, Value)]) -> Struct {
    Struct { fields: pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect() }
}

/// Asserts a failure with its details: status, reason, and the field that is named.
pub(crate) fn refused(status: &Status, code: Code, reason: &str, field: Option<&str>) {
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "openjobspec.org"), "{status:?}");
    assert!(["true", "false"].contains(&info.metadata["retryable"].as_str()), "{info:?}");
    assert_eq!(status.metadata().get("x-ojs-request-id").expect("an id"), &info.metadata["request_id"]);
    let named = status.get_details_bad_request().map(|request| request.field_violations[0].field.clone());
    assert_eq!(named.as_deref(), field, "{status:?}");
    assert!(!status.message().is_empty());
}
