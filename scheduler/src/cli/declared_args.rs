//! The arguments of the commands on schedules in files.

use std::path::PathBuf;

use carillon_shared::cron::Zone;
use carillon_shared::name::OwnerName;
use clap::{Args, ValueEnum};

use super::args::Format;

#[derive(Debug, Args)]
pub(crate) struct DirectoryArgs {
    /// The directory; its .toml, .yaml, .yml and .json files are read
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Whose entries they are; entries of others are never touched
    #[arg(long, value_name = "NAME", env = "CARILLON_SCHEDULES_OWNER", default_value = "default")]
    pub(crate) owner: OwnerName,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What the file is
    #[arg(value_enum)]
    pub(crate) kind: ImportKind,
    /// The file, or - for standard input
    pub(crate) file: String,
    /// Write the entries here instead of to standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write the worker's handlers here instead of behind the entries, as a comment
    #[arg(long, value_name = "FILE")]
    pub(crate) handlers: Option<PathBuf>,
    /// Time zone of entries that name none: the one of the machine they ran on
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) tz: Zone,
    /// Write nothing if something cannot be carried over
    #[arg(long)]
    pub(crate) strict: bool,
    /// The crontab is one of the system, with the user in its sixth column [default: if it lies in /etc]
    #[arg(long)]
    pub(crate) system: bool,
}

/// Where schedules are imported from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportKind {
    /// A crontab of a user or of the system
    Crontab,
    /// Quartz: XML of jobs and triggers, or lines of name = expression
    Quartz,
    /// Nuxeo: XML contributions of schedules
    Nuxeo,
    /// Kubernetes: CronJobs in YAML
    K8s,
}
