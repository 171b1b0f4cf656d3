//! Runs jobs: an application registers a handler for each type of job, and runs them on named queues.
//!
//! ```no_run
//! use carillon_worker::{Context, HandlerError, Shutdown, Worker};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Report {
//!     month: String,
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let worker = Worker::builder()
//!         .queues(["reports", "default"])
//!         .handler("report.generate", |_context: Context, report: Report| async move {
//!             Ok::<_, HandlerError>(format!("the report of {}", report.month))
//!         })
//!         .build()?;
//!     worker.run(Shutdown::on_signals()?).await?;
//!     Ok(())
//! }
//! ```
//!
//! What holds:
//!
//! - A job runs *at least* once: a worker that dies, or is cut off from Redis, loses its jobs to another one when their
//!   leases end. A handler that was stopped so may have done half of its work.
//! - Exactly one end of a job is recorded. Whoever ends an attempt presents its lease; a late end is refused.
//! - A handler that returns an error, panics or takes too long has failed an attempt; the job's retry policy decides what
//!   follows. Being given back, at a shutdown or for want of a handler, burns no attempt.
//! - A handler is told to stop through its [`Context`] when its job was cancelled, its lease is lost, its time is up, or the
//!   worker ends. It may wind up for a while (`stop_grace`); then it is aborted at its next await.
//! - Only handlers run on the runtime that the worker is run on. Heartbeats, and all that looks after claims, time limits,
//!   reports and the end, have threads of their own, so that handlers which block hold up none of it. They still keep their
//!   threads from other handlers, so blocking work belongs in [`tokio::task::spawn_blocking`].
//!
//! Rooms: [`WorkerBuilder`] puts a [`Worker`] together; `run` opens it and ends it, on a `thread` of its own; `orders` are what
//! an operator tells it; `claims` takes jobs, a free slot first;
//! `execute` takes one attempt from claim to report; `crew` runs its handler; `supervise` watches over its handler; `outcome` decides what is
//! reported; `report` reports; `leases` and `heartbeat` keep what is held; [`builtin`] and [`mod@file`] hold the handlers of
//! the program `carillon-worker`.

mod args;
mod backoff;
mod builder;
pub mod builtin;
mod claims;
mod context;
mod crew;
mod error;
mod execute;
pub mod file;
mod handler;
mod handler_error;
mod heartbeat;
mod leases;
mod orders;
mod outage;
mod outcome;
mod registry;
mod report;
mod run;
#[cfg(test)]
mod sample;
mod shutdown;
mod slots;
mod stop;
mod supervise;
mod tally;
mod thread;
mod wake;
mod workshop;

pub use args::{INVALID_ARGS, read_args};
pub use builder::{Worker, WorkerBuilder};
pub use context::Context;
pub use error::WorkerError;
pub use handler::Handler;
pub use handler_error::HandlerError;
pub use shutdown::Shutdown;
pub use stop::StopReason;
pub use tally::Summary;
