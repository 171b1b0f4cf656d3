//! Redis servers: one shared by all tests of a process, and dedicated ones to kill, freeze and restart.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use carillon_shared::name::Namespace;
use redis::aio::MultiplexedConnection;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::watchdog::{self, Watchdog};

const START_TIMEOUT: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
const PORTS_TRIED_MAX: usize = 20;
const CONFIG: &str = "redis.conf";

/// A namespace that no other test of this process uses.
pub fn namespace() -> Namespace {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("test-{number}").parse().expect("letters, a dash and a number are a namespace")
}

/// The server that all tests of this process share. It keeps nothing on disk and must be neither stopped nor flushed.
pub fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&["--appendonly", "no"]))
}

/// A Redis server on a free port of loopback; it and its data go when this is dropped or the test process ends.
#[derive(Debug)]
pub struct Server {
    // Dropped in this order: the watchdog may go only when the process has gone, the directory last.
    process: Option<(Child, Watchdog)>,
    directory: TempDir,
    port: u16,
    options: Vec<String>,
}

impl Server {
    /// Starts a server of the caller's own, which keeps its data through [`kill`](Self::kill) and
    /// [`restart`](Self::restart).
    pub fn dedicated() -> Self {
        Self::start(&["--appendonly", "yes", "--appendfsync", "everysec"])
    }

    /// Starts a server with further options of `redis-server`.
    ///
    /// # Panics
    ///
    /// When `redis-server` is absent or does not come up.
    pub fn start(options: &[&str]) -> Self {
        Self::configured("", options)
    }

    /// Starts a server with a configuration file, which it may write to, and further options of `redis-server`.
    ///
    /// # Panics
    ///
    /// When `redis-server` is absent or does not come up.
    pub fn configured(config: &str, options: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("carillon-redis-").tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join(CONFIG), config).expect("a file in a directory of ours");
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        let started = (0..PORTS_TRIED_MAX).find_map(|_| {
            let port = free_port();
            spawn(directory.path(), port, &options).map(|process| (process, port))
        });
        let Some((process, port)) = started else { panic!("redis-server did not start: {}", log(directory.path())) };
        Self { process: Some(process), directory, port, options }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address as programs take it.
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// Connects to it.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    pub async fn connection(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("our own address is valid");
        // A slow machine is no dead server.
        let patient = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(START_TIMEOUT))
            .set_response_timeout(Some(START_TIMEOUT));
        client.get_multiplexed_async_connection_with_config(&patient).await.expect("the server answers")
    }

    /// Asks it something, words apart.
    ///
    /// # Panics
    ///
    /// When it does not answer, or not with what was expected.
    pub async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        let answer = command.query_async(&mut self.connection().await).await;
        answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// A connection that listens to channels, as a dashboard would.
    ///
    /// # Panics
    ///
    /// When the server does not answer.
    pub async fn subscriber(&self) -> redis::aio::PubSub {
        let client = redis::Client::open(self.url()).expect("our own address is valid");
        client.get_async_pubsub().await.expect("the server answers")
    }

    /// Kills it without warning, as a crash would.
    pub fn kill(&mut self) {
        if let Some((mut child, watchdog)) = self.process.take() {
            let ended = child.kill().and_then(|()| child.wait());
            ended.expect("the server is our child");
            drop(watchdog);
        }
    }

    /// Starts it again after [`kill`](Self::kill), on the same port with the same data.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    pub fn restart(&mut self) {
        self.kill();
        let process = spawn(self.directory.path(), self.port, &self.options);
        self.process = Some(process.unwrap_or_else(|| panic!("no restart: {}", log(self.directory.path()))));
    }

    /// Stops it in its tracks: connections stay open, nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// A place for files that go with it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn signal(&self, signal: Signal) {
        let (child, _) = self.process.as_ref().expect("a test signals a server only while it runs");
        kill_process(Pid::from_child(child), signal).expect("the server is our child");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/")
}

/// Free at this moment: another process may take it first, so whoever binds it must be ready to try another.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// Starts a server and waits until it answers; none if it ended instead, mostly because the port was taken.
fn spawn(directory: &Path, port: u16, options: &[String]) -> Option<(Child, Watchdog)> {
    let (mut child, watchdog) = watchdog::start(command(directory, port, options), Some(directory));
    let start = Instant::now();
    while child.try_wait().expect("the server is our child").is_none() {
        if answers(port, child.id()) {
            return Some((child, watchdog));
        }
        assert!(start.elapsed() < START_TIMEOUT, "redis-server does not answer: {}", log(directory));
        std::thread::sleep(POLL_INTERVAL);
    }
    None
}

fn command(directory: &Path, port: u16, options: &[String]) -> Command {
    let mut command = Command::new("redis-server");
    command.arg(directory.join(CONFIG)).args(options);
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--daemonize", "no"]);
    command.args(["--logfile", "redis.log", "--enable-debug-command", "yes", "--dir"]).arg(directory);
    let mut gated = watchdog::gated(&command);
    gated.stdout(Stdio::null());
    gated
}

/// Asks who answers on the port, because a foreign server may have taken it.
fn answers(port: u16, pid: u32) -> bool {
    let info = || -> redis::RedisResult<String> {
        let mut connection = redis::Client::open(url(port))?.get_connection_with_timeout(START_TIMEOUT)?;
        connection.set_read_timeout(Some(START_TIMEOUT))?;
        redis::cmd("INFO").arg("everything").query(&mut connection)
    };
    // A sentinel says nothing of loading.
    info().is_ok_and(|info| info.contains(&format!("process_id:{pid}\r\n")) && !info.contains("\nloading:1\r\n"))
}

fn log(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("redis.log")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use redis::AsyncTypedCommands;

    use super::*;
    use crate::process::alive;
    use crate::wait::until;

    #[tokio::test]
    async fn the_shared_server_is_one() {
        let mut connection = shared().connection().await;
        let key = format!("{}:x", namespace());
        connection.set(&key, "1").await.expect("a write");
        let read = shared().connection().await.get(&key).await.expect("a read");
        assert_eq!(read.as_deref(), Some("1"));
    }

    #[test]
    fn namespaces_differ() {
        assert_ne!(namespace(), namespace());
    }

    #[tokio::test]
    async fn a_dedicated_server_keeps_its_data_through_kill_and_restart() {
        let mut server = Server::dedicated();
        server.connection().await.set("k", "kept").await.expect("a write");
        server.kill();
        server.restart();
        let read = server.connection().await.get("k").await.expect("a read");
        assert_eq!(read.as_deref(), Some("kept"));
    }

    #[tokio::test]
    async fn a_frozen_server_answers_only_after_the_thaw() {
        let server = Server::dedicated();
        let mut connection = server.connection().await;
        server.freeze();
        connection.set_response_timeout(Duration::from_millis(50));
        assert!(connection.set("k", "v").await.is_err_and(|error| error.is_timeout()));
        server.thaw();
        until("an answer after the thaw", || {
            let mut connection = connection.clone();
            async move { connection.get("k").await.is_ok_and(|value| value.as_deref() == Some("v")) }
        })
        .await;
    }

    #[tokio::test]
    async fn a_dropped_server_leaves_neither_process_nor_directory() {
        let server = Server::dedicated();
        let path = server.directory.path().to_owned();
        let pid = server.process.as_ref().expect("it runs").0.id();
        drop(server);
        assert!(!path.exists());
        assert!(!alive(pid));
    }
}
