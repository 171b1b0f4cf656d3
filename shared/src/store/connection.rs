//! The way to Redis: a few connections that everybody shares, and the rules for asking again.
//!
//! A multiplexed connection carries any number of calls at once, so a process needs few, and none is taken from a pool per
//! call. The pool makes them, bounds their number, and replaces the broken. What blocks or subscribes gets a connection of
//! its own. A timeout means "perhaps": the call is repeated with the same arguments, which every script allows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_redis::{Manager, Pool, Runtime};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::StoreError;
use super::script::Script;
use crate::clock::BootInstant;
use crate::telemetry::metric::{self, label};

/// How to reach Redis.
#[derive(Clone)]
pub struct ConnectionOptions {
    /// `redis://…` or `rediss://…`.
    pub url: String,
    /// How long one call may take.
    pub timeout: Duration,
    /// How many connections are shared.
    pub connections: usize,
    /// For how long a call is repeated while Redis is away.
    pub patience: Duration,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
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
    client: Client,
    pool: Pool,
    lines: Vec<Line>,
    turn: AtomicUsize,
    options: ConnectionOptions,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the URL: it may hold a password.
        f.debug_struct("Connection").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

/// One shared connection, or the place for one.
type Line = Mutex<Option<deadpool_redis::Connection>>;

impl Connection {
    pub(crate) fn new(options: ConnectionOptions) -> Result<Self, StoreError> {
        let client = Client::open(options.url.as_str()).map_err(StoreError::Url)?;
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(options.timeout))
            .set_connection_timeout(Some(options.timeout));
        let manager = Manager::new_with_config(options.url.as_str(), config).map_err(StoreError::Url)?;
        let connections = options.connections.max(1);
        let pool = Pool::builder(manager)
            .max_size(connections)
            .create_timeout(Some(options.timeout))
            .wait_timeout(Some(options.timeout))
            .recycle_timeout(Some(options.timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| {
                StoreError::Url(RedisError::from((ErrorKind::InvalidClientConfig, "pool", error.to_string())))
            })?;
        let lines = (0..connections).map(|_| Mutex::new(None)).collect();
        Ok(Self { client, pool, lines, turn: AtomicUsize::new(0), options })
    }

    /// Runs a script, again and again while Redis is away, for as long as patience lasts.
    pub(crate) async fn invoke(&self, script: &Script, keys: &[String], args: &[Arg<'_>]) -> Result<Value, StoreError> {
        let started = Instant::now();
        let reply = self.patiently(&Call::Script(script, keys, args)).await;
        metrics::histogram!(metric::REDIS_CALL_SECONDS, label::SCRIPT => script.name)
            .record(started.elapsed().as_secs_f64());
        reply
    }

    /// Sends a command that may be sent twice.
    pub(crate) async fn send(&self, command: &Cmd) -> Result<Value, StoreError> {
        self.patiently(&Call::Command(command)).await
    }

    /// Runs commands as one transaction; all of them may be sent twice.
    pub(crate) async fn transaction(&self, pipeline: &Pipeline) -> Result<Value, StoreError> {
        self.patiently(&Call::Transaction(pipeline)).await
    }

    /// A connection of one's own for calls that block for up to `longest`.
    pub(crate) async fn blocking(&self, longest: Duration) -> Result<MultiplexedConnection, StoreError> {
        // Longer than Redis will block, so that a silent peer is told from an empty list.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(longest + self.options.timeout))
            .set_connection_timeout(Some(self.options.timeout));
        Ok(self.client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    /// A connection that listens to channels.
    pub(crate) async fn subscriber(&self) -> Result<PubSub, StoreError> {
        let connect = self.client.get_async_pubsub();
        match tokio::time::timeout(self.options.timeout, connect).await {
            Ok(connected) => Ok(connected?),
            Err(_) => Err(timed_out().into()),
        }
    }

    async fn patiently(&self, call: &Call<'_>) -> Result<Value, StoreError> {
        let deadline = Instant::now() + self.options.patience;
        let mut pause = Duration::from_millis(20);
        loop {
            let error = match self.once(call).await {
                Ok(value) => return Ok(value),
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

    async fn once(&self, call: &Call<'_>) -> Result<Value, RedisError> {
        let line = self.line();
        let mut connection = self.shared(line).await?;
        let reply = call.on(&mut connection).await;
        self.judge(line, reply).await
    }

    fn line(&self) -> &Line {
        &self.lines[self.turn.fetch_add(1, Ordering::Relaxed) % self.lines.len()]
    }

    /// Closes the connection after an answer that says it is broken, or leads to a replica. The next call makes another.
    async fn judge(&self, line: &Line, reply: Result<Value, RedisError>) -> Result<Value, RedisError> {
        if let Err(error) = &reply {
            let broken = error.is_unrecoverable_error() || error.is_timeout() || error.is_io_error();
            let replica = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
            if broken || replica {
                let held = line.lock().await.take();
                drop(held.map(deadpool_redis::Connection::take));
            }
        }
        reply
    }

    async fn shared(&self, line: &Line) -> Result<MultiplexedConnection, RedisError> {
        let mut line = line.lock().await;
        if let Some(connection) = &*line {
            return Ok((**connection).clone());
        }
        let fresh = self.pool.get().await.map_err(|error| match error {
            deadpool_redis::PoolError::Backend(error) => error,
            _ => timed_out(),
        })?;
        let connection = (*fresh).clone();
        *line = Some(fresh);
        Ok(connection)
    }
}

/// What is asked of Redis.
enum Call<'a> {
    Script(&'a Script, &'a [String], &'a [Arg<'a>]),
    Command(&'a Cmd),
    Transaction(&'a Pipeline),
}

impl Call<'_> {
    async fn on(&self, connection: &mut MultiplexedConnection) -> Result<Value, RedisError> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Transaction(pipeline) => pipeline.query_async(connection).await,
            Self::Script(script, keys, args) => {
                let reply = eval("EVALSHA", &script.sha, keys, args).query_async(connection).await;
                match reply {
                    // NOSCRIPT is proof that nothing ran.
                    Err(error) if is_noscript(&error) => {
                        eval("EVAL", &script.source, keys, args).query_async(connection).await
                    }
                    reply => reply,
                }
            }
        }
    }
}

fn is_noscript(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// An argument of a script.
#[derive(Debug, Clone)]
pub(crate) enum Arg<'a> {
    Text(&'a str),
    Owned(String),
    Int(i64),
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Arg<'_> {
    fn from(text: String) -> Self {
        Self::Owned(text)
    }
}

impl From<i64> for Arg<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

fn eval(how: &str, script: &str, keys: &[String], args: &[Arg<'_>]) -> Cmd {
    let mut command = redis::cmd(how);
    command.arg(script).arg(keys.len()).arg(keys);
    for arg in args {
        match arg {
            Arg::Text(text) => command.arg(*text),
            Arg::Owned(text) => command.arg(text),
            Arg::Int(number) => command.arg(*number),
        };
    }
    command
}

fn timed_out() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
}

/// A factor around 1, so that those who fail together do not come back together.
fn spread() -> f64 {
    let hash = BootInstant::now().elapsed().subsec_nanos() ^ std::process::id().wrapping_mul(2_654_435_761);
    0.75 + f64::from(hash % 500) / 1000.0
}
