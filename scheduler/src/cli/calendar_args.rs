//! The command line of the commands that need the calendar alone.

use clap::{Args, ValueEnum};

use super::args::Format;

#[derive(Debug, Args)]
pub(crate) struct ScheduleArgs {
    /// The expression, such as "0 9 * * MON-FRI"
    pub(crate) expr: String,
    #[command(flatten)]
    pub(crate) how: HowArgs,
    /// Look after this time (RFC 3339) instead of now
    #[arg(long, value_name = "TIME")]
    pub(crate) after: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct HowArgs {
    /// Time zone of the schedule, such as Europe/Berlin [default: UTC]
    #[arg(long, visible_alias = "timezone", value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// How the expression is written: ojs or quartz [default: ojs]
    #[arg(long, value_name = "DIALECT")]
    pub(crate) dialect: Option<String>,
    /// What a repeated local time does: auto, once or both [default: auto]
    #[arg(long, value_name = "RULE")]
    pub(crate) dst_fold: Option<String>,
    /// The number of fields that is required
    #[arg(long, value_name = "N")]
    pub(crate) fields: Option<u8>,
}

#[derive(Debug, Args)]
pub(crate) struct NextArgs {
    /// The expression, such as "0 9 * * MON-FRI"
    #[arg(required_unless_present = "batch")]
    pub(crate) expr: Option<String>,
    #[command(flatten)]
    pub(crate) how: HowArgs,
    /// Look after this time (RFC 3339) instead of now
    #[arg(long, value_name = "TIME")]
    pub(crate) after: Option<String>,
    /// How many times to show, at most 1000 [default: 5]
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) count: Option<u64>,
    /// The first time that counts (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) starts_at: Option<String>,
    /// The first time that does not count any more (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) ends_at: Option<String>,
    /// Show the times in this zone too
    #[arg(long, value_name = "ZONE")]
    pub(crate) viewer_tz: Option<String>,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Listing::Table)]
    pub(crate) format: Listing,
    /// Answer requests from standard input, one JSON object a line
    #[arg(long, conflicts_with_all = ["expr", "tz", "dialect", "dst_fold", "fields", "after", "count", "starts_at", "ends_at", "viewer_tz"])]
    pub(crate) batch: bool,
}

/// How to print a list of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listing {
    /// For people
    Table,
    /// One JSON object
    Json,
    /// One JSON object a line
    Jsonl,
}
