//! The arguments of the commands on cron entries.

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{DecisionWord, KindWord, LedgerOrder, ReasonWord};
use carillon_shared::job::JobState;
use clap::{Args, Subcommand};

use super::args::Format;
use super::calendar_args::Listing;

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
