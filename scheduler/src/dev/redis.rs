//! The private Redis: on loopback, on a free port, its data on disk from one run to the next.
//!
//! The wrapper keeps the data of a server under its port (`node-<port>`), so the port of the last run is taken again; when
//! somebody else has it now, the directory moves to another.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use redis_server_wrapper::{AppendFsync, Error, RedisServer, RedisServerHandle, process as of_wrapper};
use tokio::time::sleep;

use super::process;
use crate::cli::{Failure, UNAVAILABLE};

const TRIES_MAX: usize = 5;
/// Redis writes its data before it stops.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(500);

/// A Redis that runs.
pub(super) struct PrivateRedis {
    handle: RedisServerHandle,
    data: PathBuf,
}

impl PrivateRedis {
    /// Starts it on the data in `directory`.
    pub(super) async fn start(directory: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(directory).map_err(|error| cannot(&error))?;
        let mut last = None;
        for _ in 0..TRIES_MAX {
            let port = settle(directory).await?;
            let data = node(directory, port);
            match server(directory, port).start().await {
                Ok(handle) => return Ok(Self { handle, data }),
                // Somebody took the port in between.
                Err(error @ (Error::PortInUse { .. } | Error::ServerStart { .. })) => last = Some(error),
                Err(error) => {
                    // It may run although it did not answer in time.
                    of_wrapper::reclaim_from_pidfile(&data.join("redis.pid"));
                    return Err(cannot(&error));
                }
            }
        }
        Err(last.map_or_else(|| cannot(&"no port is free"), |error| cannot(&error)))
    }

    pub(super) fn port(&self) -> u16 {
        self.handle.port()
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    pub(super) fn log(&self) -> PathBuf {
        self.data.join("redis.log")
    }

    /// Waits until it ends, which it should not.
    pub(super) async fn ended(&self) -> Failure {
        while process::runs(self.handle.pid()) {
            sleep(POLL).await;
        }
        let (pid, log) = (self.handle.pid(), self.log());
        Failure::new(UNAVAILABLE, format!("Redis (process {pid}) has ended; its log is {}", log.display()))
    }

    /// Stops it. Its data is on disk then.
    pub(super) async fn stop(self) {
        // Not by the wrapper, which would then kill whoever listens on the port by now.
        process::end(self.handle.pid(), PATIENCE).await;
        self.handle.detach();
    }
}

fn server(directory: &Path, port: u16) -> RedisServer {
    RedisServer::new()
        .bind("127.0.0.1")
        .port(port)
        .protected_mode(true)
        .dir(directory)
        .save(false)
        .appendonly(true)
        .appendfsync(AppendFsync::Everysec)
        .maxmemory_policy("noeviction")
}

/// Finds the data of the last run and a port for it, and stops a server that was left behind on it.
async fn settle(directory: &Path) -> Result<u16, Failure> {
    let Some(port) = last_port(directory) else { return free_port() };
    let data = node(directory, port);
    stop_left(&data).await;
    if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
        return Ok(port);
    }
    let free = free_port()?;
    fs::rename(data, node(directory, free)).map_err(|error| cannot(&error))?;
    Ok(free)
}

/// Stops the server of a run that was killed. A number that another process has now is struck from the file, because the
/// wrapper would kill whatever bears it.
async fn stop_left(data: &Path) {
    let file = data.join("redis.pid");
    let Some(pid) = of_wrapper::read_pidfile(&file) else { return };
    if process::is_redis_in(pid, data) {
        tracing::warn!(pid, "stopping the Redis that an earlier run left behind");
        process::end(pid, PATIENCE).await;
    }
    if let Err(error) = fs::remove_file(&file) {
        tracing::debug!(error = %error, "the file of the process number is gone already");
    }
}

/// The port under which data was kept last.
fn last_port(directory: &Path) -> Option<u16> {
    let nodes = fs::read_dir(directory).ok()?.flatten().filter_map(|entry| {
        let port: u16 = entry.file_name().to_str()?.strip_prefix("node-")?.parse().ok()?;
        Some((entry.metadata().ok()?.modified().ok()?, port))
    });
    nodes.max().map(|(_, port)| port)
}

fn node(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!("node-{port}"))
}

fn free_port() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let port = listener.and_then(|listener| listener.local_addr()).map(|address| address.port());
    port.map_err(|error| cannot(&error))
}

fn cannot(error: &dyn std::fmt::Display) -> Failure {
    let text = error.to_string();
    // The wrapper adds lines of the log; the last says what is wrong.
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let (first, last) = (lines.next().unwrap_or_default(), lines.next_back());
    let detail = last.map(|last| format!(": {}", last.trim())).unwrap_or_default();
    Failure::new(UNAVAILABLE, format!("cannot start a private Redis: {first}{detail}"))
}
