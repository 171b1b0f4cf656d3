//! The way to Redis: who is asked, and the rules for asking again.
//!
//! Calls share a few connections to each server; what blocks or subscribes gets a connection of its own. A timeout means
//! "perhaps": the call is repeated with the same arguments, which every script allows. While a server restarts, loads, fails
//! over or moves its slots the call is repeated too, for as long as patience lasts.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{Client, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisError, Value};
use tokio::time::{Instant, sleep};

use super::StoreError;
use super::keys::still;
use super::script::Script;
use crate::clock::BootInstant;
use crate::config::{Place, RedisTls, RedisUrl};
use crate::telemetry::metric::{self, label};

mod call;
mod cluster;
mod node;
mod sentinel;
mod slots;

pub(crate) use call::Arg;
use call::Call;
use cluster::Cluster;
pub(crate) use node::Node;
use sentinel::Sentinels;

/// How to reach Redis.
#[derive(Clone)]
pub struct ConnectionOptions {
    /// `redis://…`, `redis+sentinel://…`, `redis+cluster://…`, each with `rediss` for TLS; see [`RedisUrl`].
    pub url: String,
    /// What TLS needs beyond what the machine trusts.
    pub tls: RedisTls,
    /// How long one call may take.
    pub timeout: Duration,
    /// How many connections to a server are shared.
    pub connections: usize,
    /// For how long a call is repeated while Redis is away.
    pub patience: Duration,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            tls: RedisTls::default(),
            timeout: Duration::from_secs(2),
            connections: 4,
            patience: Duration::from_secs(3),
        }
    }
}

impl std::fmt::Debug for ConnectionOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the URL: it may hold a password.
        f.debug_struct("ConnectionOptions").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

pub(crate) struct Connection {
    topology: Topology,
    patience: Duration,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// The servers, and who of them is asked.
enum Topology {
    Server(Arc<Node>),
    Sentinels(Box<Sentinels>),
    Cluster(Box<Cluster>),
}

impl Connection {
    pub(crate) fn new(options: ConnectionOptions) -> Result<Self, StoreError> {
        let patience = options.patience;
        let topology = Topology::new(options).map_err(StoreError::Url)?;
        Ok(Self { topology, patience })
    }

    /// Whether keys of different hash slots are with different servers.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.topology, Topology::Cluster(_))
    }

    /// Runs a script, again and again while Redis is away, for as long as patience lasts.
    pub(crate) async fn invoke(&self, script: &Script, keys: &[String], args: &[Arg<'_>]) -> Result<Value, StoreError> {
        let started = Instant::now();
        let reply = if self.is_cluster() {
            // One key more, which never exists. While its slot is moved a server answers nothing that touches keys of which
            // it has some and lacks others, so no script can begin then and find half of its keys gone on the way.
            let keys: Vec<String> = keys.iter().cloned().chain(keys.first().map(|key| still(key))).collect();
            self.patiently(&Call::Script(script, &keys, args)).await
        } else {
            self.patiently(&Call::Script(script, keys, args)).await
        };
        metrics::histogram!(metric::REDIS_CALL_SECONDS, label::SCRIPT => script.name)
            .record(started.elapsed().as_secs_f64());
        reply
    }

    /// Sends a command that may be sent twice; its first argument, if it has any, is a key.
    pub(crate) async fn send(&self, command: &Cmd) -> Result<Value, StoreError> {
        self.patiently(&Call::Command(command)).await
    }

    /// Runs commands as one transaction; all of them may be sent twice, and all their keys share a hash slot.
    pub(crate) async fn transaction(&self, pipeline: &Pipeline) -> Result<Value, StoreError> {
        self.patiently(&Call::Transaction(pipeline)).await
    }

    /// A connection of one's own, to where `key` is, for calls that block for up to `longest`.
    pub(crate) async fn blocking(&self, key: &str, longest: Duration) -> Result<MultiplexedConnection, StoreError> {
        let node = self.topology.node_of(Some(key.as_bytes())).await?;
        let connected = node.blocking(longest).await;
        Ok(connected.inspect_err(|error| self.topology.learn(&node, error))?)
    }

    /// Takes what the failure of a blocking call on a connection of one's own says about where `key` is.
    pub(crate) async fn learn(&self, key: &str, error: &RedisError) {
        if let Ok(node) = self.topology.node_of(Some(key.as_bytes())).await {
            self.topology.learn(&node, error);
        }
    }

    /// A connection that listens to channels. In a cluster every node hears what is published on any.
    pub(crate) async fn subscriber(&self) -> Result<PubSub, StoreError> {
        let node = self.topology.node_of(None).await?;
        let connected = node.subscriber().await;
        Ok(connected.inspect_err(|error| self.topology.learn(&node, error))?)
    }

    /// The servers that hold the data, for questions about themselves.
    pub(crate) async fn masters(&self) -> Result<Vec<Arc<Node>>, StoreError> {
        Ok(self.topology.masters().await?)
    }

    /// Asks one server something about itself.
    pub(crate) async fn ask(&self, node: &Node, question: &Cmd) -> Result<Value, StoreError> {
        self.repeatedly(&Call::Command(question), Some(node)).await
    }

    /// Asks one server several things.
    pub(crate) async fn ask_all(&self, node: &Node, questions: &Pipeline) -> Result<Value, StoreError> {
        self.repeatedly(&Call::Transaction(questions), Some(node)).await
    }

    async fn patiently(&self, call: &Call<'_>) -> Result<Value, StoreError> {
        self.repeatedly(call, None).await
    }

    /// Repeats a call to this server, or else to wherever its key is at the time.
    async fn repeatedly(&self, call: &Call<'_>, node: Option<&Node>) -> Result<Value, StoreError> {
        let deadline = Instant::now() + self.patience;
        let mut pause = Duration::from_millis(20);
        loop {
            // Boxed, because everything above would carry its size.
            let error = match Box::pin(self.once(call, node)).await {
                Ok(value) => return Ok(value),
                Err(error) if error.redirect_node().is_some() && !self.is_cluster() => {
                    return Err(StoreError::NodeOfCluster(error));
                }
                Err(error) => StoreError::from(error),
            };
            metrics::counter!(metric::REDIS_ERRORS_TOTAL, label::KIND => error.kind()).increment(1);
            if !error.is_transient() || Instant::now() + pause > deadline {
                return Err(error);
            }
            sleep(pause.mul_f64(spread())).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    async fn once(&self, call: &Call<'_>, node: Option<&Node>) -> Result<Value, RedisError> {
        if let Some(node) = node {
            return node.carry(call).await;
        }
        let node = self.topology.node_of(call.key()).await?;
        let reply = node.carry(call).await;
        reply.inspect_err(|error| self.topology.learn(&node, error))
    }
}

impl Topology {
    fn new(options: ConnectionOptions) -> Result<Self, RedisError> {
        let refused = |expected| RedisError::from((redis::ErrorKind::InvalidClientConfig, expected));
        let url: RedisUrl = options.url.parse().map_err(refused)?;
        let secured = |info| secured(info, &options.tls);
        let all = |infos: Vec<ConnectionInfo>| infos.into_iter().map(secured).collect::<Result<Vec<_>, _>>();
        Ok(match url.place().map_err(refused)? {
            Place::Server(info) => Self::Server(Arc::new(Node::new(secured(info)?, &options)?)),
            Place::Sentinels { sentinels, master, data } => {
                let (sentinels, data) = (all(sentinels)?, secured(data)?);
                Self::Sentinels(Box::new(Sentinels::new(sentinels, master, data, options.clone())?))
            }
            Place::Cluster(seeds) => Self::Cluster(Box::new(Cluster::new(all(seeds)?, options.clone()))),
        })
    }

    async fn node_of(&self, key: Option<&[u8]>) -> Result<Arc<Node>, RedisError> {
        match self {
            Self::Server(node) => Ok(node.clone()),
            Self::Sentinels(sentinels) => sentinels.master().await,
            Self::Cluster(cluster) => cluster.node_of(key).await,
        }
    }

    async fn masters(&self) -> Result<Vec<Arc<Node>>, RedisError> {
        match self {
            Self::Cluster(cluster) => cluster.masters().await,
            _ => Ok(vec![self.node_of(None).await?]),
        }
    }

    fn learn(&self, node: &Arc<Node>, error: &RedisError) {
        match self {
            Self::Server(_) => {}
            Self::Sentinels(sentinels) => sentinels.learn(node, error),
            Self::Cluster(cluster) => cluster.learn(node, error),
        }
    }
}

/// Adds our own certificates to a way that uses TLS.
fn secured(info: ConnectionInfo, tls: &RedisTls) -> Result<ConnectionInfo, RedisError> {
    match (info.addr(), tls.certificates()) {
        (ConnectionAddr::TcpTls { .. }, Some(certificates)) => {
            Ok(Client::build_with_tls(info, certificates)?.get_connection_info().clone())
        }
        _ => Ok(info),
    }
}

/// A factor around 1, so that those who fail together do not come back together.
fn spread() -> f64 {
    let hash = BootInstant::now().elapsed().subsec_nanos() ^ std::process::id().wrapping_mul(2_654_435_761);
    0.75 + f64::from(hash % 500) / 1000.0
}
