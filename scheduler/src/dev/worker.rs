//! The worker process: started, started again when it ends, stopped in order.

use std::env::current_exe;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use carillon_shared::config::{CONFIG_ENV, SchedulerConfig};
use carillon_shared::name::QueueName;
use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until, timeout};

use super::data::DataDirectory;
use super::process;
use crate::cli::{Failure, UNAVAILABLE};
use crate::samples;

const PROGRAM: &str = "carillon-worker";
const METRICS_PORT: u16 = 9091;
const METRICS_ENV: &str = "CARILLON_METRICS_ADDR";
/// Longer than the worker's own grace may be for jobs that run here.
const PATIENCE: Duration = Duration::from_secs(60);
/// Whoever ran for so long starts again at once.
const STEADY: Duration = Duration::from_secs(60);
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What becomes of the worker.
#[derive(Debug)]
pub(super) enum News {
    /// It ended by itself, and is started again after a pause.
    Ended(ExitStatus, Duration),
    /// It runs again.
    Started(u32),
}

/// A worker process that is kept running.
pub(super) struct Worker<'a> {
    data: &'a DataDirectory,
    command: Command,
    child: Option<Child>,
    started: Instant,
    resume_at: Instant,
    pause: Duration,
    metrics: String,
}

impl<'a> Worker<'a> {
    /// Starts a worker on the same Redis.
    pub(super) async fn start(
        data: &'a DataDirectory,
        config: &SchedulerConfig,
        settings: Option<&Path>,
    ) -> Result<Self, Failure> {
        data.stop_left_worker().await;
        let metrics = metrics_address();
        let now = Instant::now();
        let mut worker = Self {
            data,
            command: command(data, config, settings, &metrics)?,
            child: None,
            started: now,
            resume_at: now,
            pause: PAUSE_MIN,
            metrics,
        };
        worker.spawn()?;
        Ok(worker)
    }

    /// Where its metrics are.
    pub(super) fn metrics(&self) -> &str {
        &self.metrics
    }

    /// Waits until it ends or is started again. May be given up and asked again.
    pub(super) async fn next(&mut self) -> Result<News, Failure> {
        let Some(child) = &mut self.child else {
            sleep_until(self.resume_at).await;
            return self.spawn().map(News::Started);
        };
        let status = child.wait().await;
        let status =
            status.map_err(|error| Failure::new(UNAVAILABLE, format!("cannot wait for the worker: {error}")))?;
        self.child = None;
        let pause = if self.started.elapsed() > STEADY { PAUSE_MIN } else { self.pause };
        self.pause = (pause * 2).min(PAUSE_MAX);
        self.resume_at = Instant::now() + pause;
        Ok(News::Ended(status, pause))
    }

    /// Lets it finish what it runs.
    pub(super) async fn stop(mut self) {
        let Some(mut child) = self.child.take() else { return };
        if let Some(pid) = child.id() {
            process::signal(pid, Signal::TERM);
        }
        if timeout(PATIENCE, child.wait()).await.is_err() {
            tracing::warn!("the worker did not stop in time and is killed");
            if let Err(error) = child.kill().await {
                tracing::warn!(error = %error, "the worker cannot be killed");
            }
        }
    }

    fn spawn(&mut self) -> Result<u32, Failure> {
        let program = self.command.as_std().get_program().to_string_lossy().into_owned();
        let child = self.command.spawn().map_err(|error| {
            let remedy = "build it with `cargo build --bins`, it stands beside this program";
            Failure::new(UNAVAILABLE, format!("cannot start {program}: {error}; {remedy}"))
        })?;
        let pid = child.id().unwrap_or_default();
        self.data.note_worker(pid);
        self.started = Instant::now();
        self.child = Some(child);
        Ok(pid)
    }
}

fn command(
    data: &DataDirectory,
    config: &SchedulerConfig,
    settings: Option<&Path>,
    metrics: &str,
) -> Result<Command, Failure> {
    let mut command = Command::new(program());
    let queues = samples::queues();
    let queues: Vec<_> = queues.iter().map(QueueName::as_str).collect();
    command.args(["--queues", &queues.join(","), "--metrics-addr", metrics, "--handlers"]).arg(data.handlers()?);
    // In the environment, because everybody may see the arguments of a process, and an address may hold a password.
    command.env("REDIS_URL", config.redis.url.expose());
    command.env("CARILLON_NAMESPACE", config.redis.namespace.as_str());
    command.env("CARILLON_PARTITIONS", config.redis.partitions.to_string());
    command.env("CARILLON_LOG", &config.telemetry.filter);
    command.env_remove("OJS_API_KEY");
    if let Some(settings) = settings {
        command.env(CONFIG_ENV, settings);
    }
    // A group of its own: Ctrl-C at the terminal reaches us alone, and we stop it when its turn comes.
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    Ok(command)
}

/// The worker beside this program, else the one on the path.
fn program() -> PathBuf {
    let beside = current_exe().ok().map(|own| own.with_file_name(PROGRAM));
    beside.filter(|beside| beside.exists()).unwrap_or_else(|| PROGRAM.into())
}

/// The usual address if it is free, else one that is.
fn metrics_address() -> String {
    if let Some(given) = std::env::var(METRICS_ENV).ok().filter(|given| !given.is_empty()) {
        return given;
    }
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr());
    free(METRICS_PORT).or_else(|_| free(0)).map_or_else(|_| "off".to_owned(), |address: SocketAddr| address.to_string())
}
