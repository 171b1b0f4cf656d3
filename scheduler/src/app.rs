//! A scheduler, whole, in one process: election, duties, intake, HTTP, gRPC.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::config::{RetentionConfig, SchedulerConfig};
use carillon_shared::id::nonce;
use carillon_shared::store::{Ended, Kept, Retention, Store, StoreError, StoreOptions};
use carillon_shared::telemetry::{MetricsHandle, chain};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::declared::Keeper;
use crate::duty::{DutySettings, Intake, repeat};
use crate::leader::Candidate;
use crate::peers::Peers;
use crate::{grpc, http};

/// Why a scheduler cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be opened.
    #[error("cannot start on Redis at {url}: {}", chain(source))]
    Store {
        /// The address, without its password.
        url: String,
        /// Why not.
        source: StoreError,
    },
    /// The port cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

/// A scheduler that runs.
#[derive(Debug)]
pub struct App {
    store: Store,
    address: SocketAddr,
    grpc_address: Option<SocketAddr>,
    instance: String,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    grace: Duration,
}

impl App {
    /// Starts a scheduler. `metrics` is what its HTTP server shows.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, is not as configured, or the port is taken.
    pub async fn start(config: &SchedulerConfig, metrics: Option<MetricsHandle>) -> Result<Self, StartError> {
        let address = config.http.address;
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
        let grpc_listener = grpc::bind(config.grpc.listen).await;
        let grpc_listener = grpc_listener.map_err(|(address, source)| StartError::Listen { address, source })?;
        let grpc_address = grpc_listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let store = open(config).await?;
        let url = config.redis.url.to_string();
        store.admit().await.map_err(|source| StartError::Store { url, source })?;
        let instance = instance();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let duties = DutySettings { retention: retention(&config.retention), queues_idle_for: config.retention.queues };
        let candidate =
            Candidate::new(store.clone(), instance.clone(), config.leader_ttl, duties, config.shutdown_grace);
        tasks.spawn(candidate.run(stop.clone()));
        tasks.spawn(repeat(Intake::new(store.clone(), stop.clone()), stop.clone()));
        if let Some(schedules) = &config.schedules {
            let keeper = Keeper::new(Client::new(store.clone()), schedules.clone(), instance.clone(), stop.clone());
            tasks.spawn(keeper.run());
        }
        let state = http::ApiState::new(Client::new(store.clone()), config, metrics, stop.clone());
        let peers = Arc::new(Peers::default());
        tasks.spawn(http::serve_among(
            peers.clone(),
            listener,
            http::router(state),
            http::Limits::default(),
            stop.clone(),
            config.shutdown_grace,
        ));
        if let Some(listener) = grpc_listener {
            let state = grpc::GrpcState::new(Client::new(store.clone()), config, stop.clone());
            tasks.spawn(grpc::serve_among(peers, listener, state, config.shutdown_grace));
        }
        let grpc_shown = grpc_address.map(|address| address.to_string());
        info!(http.address = %address, grpc.address = grpc_shown, instance, "scheduler started");
        Ok(Self { store, address, grpc_address, instance, stop, tasks, grace: config.shutdown_grace })
    }

    /// Where its HTTP server listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its gRPC server listens, if it does.
    #[must_use]
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc_address
    }

    /// The name under which it leads.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Its store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stops: the leadership is handed over at once, what is under way gets the grace that was configured.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let joined =
            timeout(self.grace + Duration::from_secs(1), async { while self.tasks.join_next().await.is_some() {} });
        if joined.await.is_err() {
            warn!("a task did not end in time and is dropped");
            self.tasks.shutdown().await;
        }
        info!("scheduler stopped");
    }
}

/// Opens the store that a configuration describes.
///
/// # Errors
///
/// When Redis cannot be reached, or was set up with another number of partitions.
pub async fn open(config: &SchedulerConfig) -> Result<Store, StartError> {
    let redis = &config.redis;
    let kept = Kept { events: config.events_kept, ledger_rows: config.ledger_rows, ledger_age: config.ledger_age };
    let options = StoreOptions { kept: Some(kept), ..StoreOptions::from(redis) };
    Store::open(options).await.map_err(|source| StartError::Store { url: redis.url.to_string(), source })
}

/// Host, process and a nonce: containers share the first two.
fn instance() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
    let host = host.or_else(|| std::fs::read_to_string("/etc/hostname").ok().map(|host| host.trim().to_owned()));
    let host: String =
        host.unwrap_or_default().chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect();
    format!("{}-{}-{}", if host.is_empty() { "scheduler" } else { &host }, std::process::id(), &nonce()[..4])
}

fn retention(kept: &RetentionConfig) -> Vec<Retention> {
    [
        (Ended::Completed, kept.completed),
        (Ended::Cancelled, kept.cancelled),
        (Ended::Discarded, kept.discarded),
        (Ended::DeadLetter, kept.dead_letters),
        (Ended::Workflow, kept.workflows),
    ]
    .map(|(of, keep)| Retention { of, kept_for: keep.age, kept: keep.count })
    .to_vec()
}
