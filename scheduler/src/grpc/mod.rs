//! The gRPC face: the Open Job Spec as the service `ojs.v1.OJSService`, over the same use cases as HTTP.
//!
//! A handler reads the message, asks the [`Client`] for a use case, and shows the outcome. Around all of them stands the
//! `gate`: the key, the time a call may take, the id of the request, and the details of every error. Beside the service
//! there are `grpc.health.v1.Health`, which needs no key, and, where it is configured, reflection.
//!
//! A client may send JSON in place of protobuf and is answered in JSON (`plain`).
//!
//! Numbers in `google.protobuf.Value` are doubles: those that are whole become JSON integers, and integers beyond 2^53
//! lose digits on their way out. A client that needs all digits speaks HTTP.

use std::sync::Arc;

use carillon_shared::client::Client;
use carillon_shared::config::{Access, SchedulerConfig};
use carillon_shared::store::Store;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod cron;
mod dead_letter;
mod error;
mod event;
mod gate;
mod health;
mod heartbeat;
mod incoming;
mod job;
mod job_stream;
mod key;
mod limits;
mod metadata;
mod options;
mod plain;
mod policy;
mod queue;
mod refusal;
mod request_id;
mod serve;
mod service;
mod system;
mod time;
mod value;
mod wire_job;
mod worker;
mod workflow;

pub use serve::bind;
pub(crate) use serve::serve_among;

/// The messages and the service, as they are made from `proto/ojs/v1`.
pub mod proto {
    tonic::include_proto!("ojs.v1");

    /// The definitions of the package and of all that it imports, as a `google.protobuf.FileDescriptorSet`.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ojs.v1.bin"));
}

/// What handlers work with: cheap to clone.
#[derive(Clone)]
pub struct GrpcState(Arc<Inner>);

struct Inner {
    client: Client,
    access: Access,
    limits: limits::Limits,
    /// Whether clients may ask for the definitions of the messages.
    reflection: bool,
    stop: CancellationToken,
    /// Clients that follow jobs or events.
    streams: Arc<Semaphore>,
    /// Rings when an attempt ended through this server: a stream of jobs may have room again.
    ended: Notify,
    /// What runs beside the calls.
    tasks: TaskTracker,
}

impl GrpcState {
    /// The API over the store of `client`. `stop` ends streams, and readiness, when this server stops.
    #[must_use]
    pub fn new(client: Client, config: &SchedulerConfig, stop: CancellationToken) -> Self {
        let limits = limits::Limits::default();
        let streams = Arc::new(Semaphore::new(limits.streams_max));
        let (access, reflection) = (config.http.access.clone(), config.grpc.reflection);
        let (ended, tasks) = (Notify::new(), TaskTracker::new());
        Self(Arc::new(Inner { client, access, limits, reflection, stop, streams, ended, tasks }))
    }

    fn client(&self) -> &Client {
        &self.0.client
    }

    fn store(&self) -> &Store {
        self.0.client.store()
    }
}
