//! The arguments of the commands on jobs, workers and the inbox.

use clap::{Args, Subcommand};

use super::args::Format;

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// Show a job as JSON
    Get {
        /// Its id
        id: String,
    },
    /// Cancel a job that has not ended
    Cancel {
        /// Its id
        id: String,
        /// Why, for its event
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Enqueue jobs
    Enqueue {
        /// JSON, a file of JSON, or - for standard input: one job, an array of them, or one a line
        jobs: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkersCommand {
    /// List the workers that were heard of within a minute
    List {
        /// How to print them
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Let workers take no more jobs, and finish those they run
    Quiet(WorkerNames),
    /// Let workers end as on SIGTERM; this cannot be taken back
    Terminate(WorkerNames),
    /// Take an order to be quiet back
    Resume(WorkerNames),
}

#[derive(Debug, Args)]
pub(crate) struct WorkerNames {
    /// Their ids
    #[arg(required = true, value_name = "ID")]
    pub(crate) ids: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum InboxCommand {
    /// Show what could not be taken and why, the newest first
    Rejected {
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// How to print them
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
}
