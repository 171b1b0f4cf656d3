//! One Redis server: a few connections that everybody shares, and those that somebody owns.
//!
//! A multiplexed connection carries any number of calls at once, so a process needs few, and none is taken from a pool per
//! call. The pool makes them, bounds their number, and replaces the broken.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_redis::{Manager, Pool, Runtime};
use futures::future::BoxFuture;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, ServerErrorKind, Value,
};
use tokio::sync::Mutex;

use super::ConnectionOptions;
use super::call::Call;

/// A server, and the connections to it.
pub(crate) struct Node {
    client: Client,
    pool: Pool,
    lines: Vec<Line>,
    turn: AtomicUsize,
    timeout: Duration,
}

/// One shared connection, or the place for one.
type Line = Mutex<Option<deadpool_redis::Connection>>;

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the login.
        f.debug_struct("Node").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Node {
    pub(super) fn new(info: ConnectionInfo, options: &ConnectionOptions) -> Result<Self, RedisError> {
        let client = Client::open(info.clone())?;
        let timeout = options.timeout;
        let config =
            AsyncConnectionConfig::new().set_response_timeout(Some(timeout)).set_connection_timeout(Some(timeout));
        let connections = options.connections.max(1);
        let pool = Pool::builder(Manager::new_with_config(info, config)?)
            .max_size(connections)
            .create_timeout(Some(timeout))
            .wait_timeout(Some(timeout))
            .recycle_timeout(Some(timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| RedisError::from((ErrorKind::InvalidClientConfig, "pool", error.to_string())))?;
        let lines = (0..connections).map(|_| Mutex::new(None)).collect();
        Ok(Self { client, pool, lines, turn: AtomicUsize::new(0), timeout })
    }

    /// `host:port`, or the path of a socket.
    pub(crate) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// The host, for answers that leave it out because it is the one that was asked.
    pub(super) fn host(&self) -> &str {
        match self.client.get_connection_info().addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
            _ => "",
        }
    }

    /// Carries a call on a shared connection, once.
    pub(super) async fn carry(&self, call: &Call<'_>) -> Result<Value, RedisError> {
        let line = self.line();
        let mut connection = self.shared(line).await?;
        let reply = call.on(&mut connection).await;
        if let Err(error) = &reply
            && ends_connection(error)
        {
            let held = line.lock().await.take();
            drop(held.map(deadpool_redis::Connection::take));
        }
        reply
    }

    /// A connection of one's own for calls that block for up to `longest`.
    pub(super) async fn blocking(&self, longest: Duration) -> Result<MultiplexedConnection, RedisError> {
        // Longer than Redis will block, so that a silent peer is told from an empty list.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(longest + self.timeout))
            .set_connection_timeout(Some(self.timeout));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// A connection that listens to channels.
    pub(super) async fn subscriber(&self) -> Result<PubSub, RedisError> {
        tokio::time::timeout(self.timeout, self.client.get_async_pubsub()).await.unwrap_or_else(|_| Err(timed_out()))
    }

    fn line(&self) -> &Line {
        &self.lines[self.turn.fetch_add(1, Ordering::Relaxed) % self.lines.len()]
    }

    /// Boxed: connecting is rare, and its type is so deep that the compiler gives up on the futures that hold it.
    fn connect(&self) -> BoxFuture<'_, Result<deadpool_redis::Connection, deadpool_redis::PoolError>> {
        Box::pin(self.pool.get())
    }

    async fn shared(&self, line: &Line) -> Result<MultiplexedConnection, RedisError> {
        let mut line = line.lock().await;
        if let Some(connection) = &*line {
            return Ok((**connection).clone());
        }
        let fresh = self.connect().await.map_err(|error| match error {
            deadpool_redis::PoolError::Backend(error) => error,
            _ => timed_out(),
        })?;
        let connection = (*fresh).clone();
        *line = Some(fresh);
        Ok(connection)
    }
}

/// Whether an answer says that its connection is broken, or leads to a replica. The next call makes another.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    let broken = error.is_unrecoverable_error() || error.is_timeout() || error.is_io_error();
    broken || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

fn timed_out() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
}
