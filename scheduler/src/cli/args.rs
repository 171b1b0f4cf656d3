//! The command line, as it is written.

use std::path::PathBuf;

use carillon_shared::config::{Program, arguments};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::calendar_args::{NextArgs, ScheduleArgs};
use super::cron_args::{CronCommand, LedgerArgs, WhyArgs};
use super::declared_args::{DirectoryArgs, ImportArgs};
use super::jobs_args::{InboxCommand, JobsCommand, WorkersCommand};

/// Fires cron entries, takes jobs in, and shows everything over HTTP.
#[derive(Debug, Parser)]
#[command(name = "carillon-scheduler", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scheduler until SIGTERM or SIGINT
    Serve,
    /// Run everything for trying things out: a private Redis, a scheduler, a worker and sample entries
    Dev(DevArgs),
    /// Follow events as they happen
    Events(EventsArgs),
    /// Register, show, change and run cron entries
    Cron {
        #[command(subcommand)]
        command: CronCommand,
    },
    /// Show the decisions on an entry, the newest first, and how its runs ended
    Ledger(LedgerArgs),
    /// Say in a sentence why an entry ran, did not run or will run at a time, with the evidence
    Why(WhyArgs),
    /// Enqueue, show and cancel jobs
    Jobs {
        #[command(subcommand)]
        command: JobsCommand,
    },
    /// List workers, and tell them to be quiet, to terminate or to go on
    Workers {
        #[command(subcommand)]
        command: WorkersCommand,
    },
    /// Look at what producers pushed to the inbox
    Inbox {
        #[command(subcommand)]
        command: InboxCommand,
    },
    /// Say whether a directory of schedules can be applied as far as its files tell (needs no Redis)
    Lint(DirectoryArgs),
    /// Show what a directory of schedules would change; exit code 2 if there is something
    Plan(DirectoryArgs),
    /// Make the entries what a directory of schedules declares
    Apply(DirectoryArgs),
    /// Write schedules from a crontab, Quartz, Nuxeo or Kubernetes as files to be applied (needs no Redis)
    Import(ImportArgs),
    /// Show when an expression fires next (needs no Redis)
    Next(NextArgs),
    /// Say whether an expression is valid, and what to know about it (needs no Redis)
    Validate(ScheduleArgs),
    /// Say in words what an expression means (needs no Redis)
    Explain(ScheduleArgs),
    /// Look at the Redis that the settings name: version, memory, persistence, clock, rights
    Check {
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        /// Print the rules of a Redis user that may do what Carillon needs, and nothing else (needs no Redis)
        #[arg(long)]
        acl: bool,
    },
    /// Print the configuration in effect and where each value comes from
    Config {
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Where the data is kept from one run to the next
    #[arg(long, value_name = "DIR", default_value = ".carillon")]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Begin here instead of now: a time (RFC 3339), an age such as 10m, or `oldest`
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Only these types, such as job.completed or cron.*
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    pub(crate) types: Vec<String>,
    /// Only these queues
    #[arg(long = "queue", value_name = "QUEUES", value_delimiter = ',')]
    pub(crate) queues: Vec<String>,
    /// Print each event as a line of JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// End after so many events
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

/// The command line with the settings of each program among its flags.
pub(crate) fn command() -> clap::Command {
    let mut command = Cli::command();
    for name in ["serve", "dev", "config"] {
        command = command.mut_subcommand(name, |command| with_settings(command, Program::Scheduler));
    }
    for name in ["events", "cron", "ledger", "why", "jobs", "workers", "inbox", "check", "plan", "apply"] {
        command = command.mut_subcommand(name, |command| with_settings(command, Program::Client));
    }
    command
}

/// Settings stand last in the help, and may be given at any depth.
fn with_settings(command: clap::Command, program: Program) -> clap::Command {
    let settings = arguments(program).into_iter().map(|argument| argument.global(true).help_heading("Settings"));
    command.args(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_no_fault_in_the_command_line() {
        command().debug_assert();
    }

    #[test]
    fn settings_may_stand_before_and_after_the_inner_command() {
        for line in [["cron", "--namespace", "x", "list"], ["cron", "list", "--namespace", "x"]] {
            let matches = command().try_get_matches_from([&["carillon-scheduler"], &line[..]].concat()).expect("valid");
            let (_, cron) = matches.subcommand().expect("a command");
            assert_eq!(cron.get_one::<String>("namespace").map(String::as_str), Some("x"), "{line:?}");
        }
    }
}
