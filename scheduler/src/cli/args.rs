//! The command line, as it is written.

use std::path::PathBuf;

use carillon_shared::clock::Timestamp;
use carillon_shared::config::{Program, arguments};
use carillon_shared::cron::{DecisionWord, KindWord, LedgerOrder, ReasonWord, Zone};
use carillon_shared::job::JobState;
use carillon_shared::name::OwnerName;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::calendar_args::{Listing, NextArgs, ScheduleArgs};

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

#[derive(Debug, Subcommand)]
pub(crate) enum CronCommand {
    /// List the entries
    List {
        /// Only those that are switched on, or off
        #[arg(long, value_name = "true|false")]
        enabled: Option<bool>,
        /// How to print them
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Show one entry as JSON
    Get {
        /// Its name
        name: String,
    },
    /// Register entries, or change those of the same names
    Add {
        /// JSON, a file of JSON, or - for standard input: one entry, an array of them, or one a line
        entries: String,
    },
    /// Remove entries; their jobs are not touched
    Remove {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Switch entries on
    Enable {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Switch entries off
    Disable {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Pause an entry: it does not fire until it is resumed, whatever is registered meanwhile
    Pause {
        /// Its name
        name: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Who asks for it
        #[arg(long, value_name = "WHO")]
        by: Option<String>,
        /// When the pause ends by itself: a time (RFC 3339), or a length from now such as 2h
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
    },
    /// End the pause of entries
    Resume {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Run an entry for the instants of a past window that led to no job; says what it would do unless told to apply it
    Backfill {
        /// Its name
        name: String,
        /// The first instant of the window (RFC 3339)
        #[arg(long, value_name = "TIME")]
        from: String,
        /// The first instant after it (RFC 3339)
        #[arg(long, value_name = "TIME")]
        to: String,
        /// How many instants at most, the earliest first
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// Do it
        #[arg(long)]
        apply: bool,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Run an entry now; its schedule does not move
    Run {
        /// Its name
        name: String,
        /// Arguments for this run, as a JSON array
        #[arg(long, value_name = "JSON")]
        args: Option<String>,
    },
    /// Show the decisions on an entry, the newest first, and how its runs ended
    Ledger(LedgerArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LedgerArgs {
    /// The name of the entry, which may have been removed
    pub(crate) name: String,
    /// Only instants from this one on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,
    /// Only instants before this one (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<Timestamp>,
    /// Only what was fired, or skipped
    #[arg(long, value_name = "fired|skipped")]
    pub(crate) decision: Option<DecisionWord>,
    /// Only what was skipped for this reason, such as overlap_skip
    #[arg(long, value_name = "REASON")]
    pub(crate) reason: Option<ReasonWord>,
    /// Only this kind: scheduled, catch_up, manual or backfill
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<KindWord>,
    /// Only runs in this state, such as completed or active
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<JobState>,
    /// The newest first (desc) or the oldest (asc)
    #[arg(long, value_name = "asc|desc", default_value_t = LedgerOrder::NewestFirst)]
    pub(crate) order: LedgerOrder,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Listing::Table)]
    pub(crate) format: Listing,
    /// Go on: print each row when it is decided, and once more when its run has ended
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The name of the entry, which may have been removed
    pub(crate) name: String,
    /// RFC 3339, a local time of the entry's zone such as 09:00 or "2026-11-21 09:00", last, or next [default: last]
    #[arg(value_name = "TIME", num_args = 0..=2)]
    pub(crate) time: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

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
