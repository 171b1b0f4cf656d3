//! `carillon-worker`: takes jobs from queues and runs built-in handlers, commands or URLs.

mod cli;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use carillon_shared::telemetry::chain;
use carillon_shared::telemetry::{install_logs, serve_metrics};
use carillon_worker::{Shutdown, WorkerError};
use cli::{Plan, Refusal, Setup};

/// How long the runtime waits for handlers that block their threads, after everything else has ended.
const RUNTIME_END_MAX: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match cli::plan() {
        Ok(Plan::Print(text)) => {
            // Whoever reads may have seen enough.
            let _closed = writeln!(std::io::stdout(), "{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Ok(Plan::Run(setup)) => run(*setup).map_or_else(refuse, |()| ExitCode::SUCCESS),
        Err(refusal) => refuse(refusal),
    }
}

fn refuse(refusal: Refusal) -> ExitCode {
    eprintln!("carillon-worker: {}", refusal.reason);
    ExitCode::from(refusal.code)
}

fn run(setup: Setup) -> Result<(), Refusal> {
    install_logs(&setup.config.telemetry).map_err(|error| Refusal::configuration(chain(&error)))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Refusal::unavailable(format!("no threads can be had: {error}")))?;
    let ended = runtime.block_on(work(setup));
    runtime.shutdown_timeout(RUNTIME_END_MAX);
    ended
}

async fn work(setup: Setup) -> Result<(), Refusal> {
    let shutdown =
        Shutdown::on_signals().map_err(|error| Refusal::unavailable(format!("no signals can be heard: {error}")))?;
    let metrics = serve(&setup)?;
    let url = setup.config.redis.url.to_string();
    let ended = setup.worker.run(shutdown).await;
    if let Some(metrics) = metrics {
        metrics.abort();
    }
    ended.map(drop).map_err(|error| cannot_start(&error, &url))
}

/// Serves metrics. The default address is a convenience: where it is taken, mostly by a second worker on the same machine,
/// the worker does without.
fn serve(setup: &Setup) -> Result<Option<tokio::task::JoinHandle<()>>, Refusal> {
    let Some(address) = setup.config.metrics else { return Ok(None) };
    match serve_metrics(address) {
        Ok(task) => Ok(Some(task)),
        Err(error) if setup.is_default(address) => {
            tracing::warn!(
                error = chain(&error),
                "metrics are not served: give each worker of a machine its own --metrics-addr"
            );
            Ok(None)
        }
        Err(error) => Err(Refusal::unavailable(format!("{}; choose another --metrics-addr, or off", chain(&error)))),
    }
}

fn cannot_start(error: &WorkerError, url: &str) -> Refusal {
    match error {
        WorkerError::Store(store) if store.kind() == "configuration" => Refusal::configuration(chain(error)),
        WorkerError::Store(_) => {
            Refusal::unavailable(format!("cannot start with the Redis at {url}: {}", chain(error)))
        }
        WorkerError::Thread(_) => Refusal::unavailable(chain(error)),
        WorkerError::Name(_) | WorkerError::HandlerTwice(_) => Refusal::configuration(chain(error)),
    }
}
