//! `cron backfill`: the instants of a past window that led to no job.

use std::io::{Write as _, stdout};

use carillon_shared::client::{BackfillMode, BackfillOutcome, BackfillRequest, Backfilled, Client};
use carillon_shared::clock::Timestamp;
use carillon_shared::name::CronName;
use serde_json::{Map, json};

use super::Failure;
use super::args::Format;
use super::failure::USAGE;
use super::table::{print, print_json};
use crate::http::backfilled_to_json;

/// Reads the flags as HTTP reads its members, so that both say the same of a mistake.
pub(super) fn request(from: &str, to: &str, limit: u16, apply: bool) -> Result<BackfillRequest, Failure> {
    let members = json!({"from": from, "to": to, "limit": limit, "dry_run": !apply});
    let none = Map::new();
    let members = members.as_object().unwrap_or(&none);
    BackfillRequest::read(members).map_err(|refusal| Failure::new(USAGE, format!("--{}", refusal.message)))
}

pub(super) async fn run(
    client: &Client,
    name: &CronName,
    request: &BackfillRequest,
    format: Format,
) -> Result<(), Failure> {
    let filled = client.backfill(name, request).await?;
    match format {
        Format::Json => Ok(print_json(&mut stdout(), &backfilled_to_json(name, request.mode, &filled))?),
        Format::Table => show(request, &filled),
    }
}

fn show(request: &BackfillRequest, filled: &Backfilled) -> Result<(), Failure> {
    let cells = |(at, outcome): &(Timestamp, BackfillOutcome)| {
        let job = outcome.job_id().map_or_else(|| "-".to_owned(), |id| id.to_string());
        vec![at.to_string(), outcome.as_str().to_owned(), job]
    };
    print(&mut stdout(), &["SCHEDULED", "OUTCOME", "JOB"], filled.instants.iter().map(cells).collect())?;
    let jobs = filled.instants.iter().filter(|(_, outcome)| outcome.job_id().is_some()).count();
    let total = filled.instants.len();
    match request.mode {
        BackfillMode::DryRun => {
            writeln!(stdout(), "of {total} instants {jobs} would be run: nothing was done, repeat with --apply")?;
        }
        BackfillMode::Apply => writeln!(stdout(), "of {total} instants {jobs} were run")?,
    }
    if let Some(next) = filled.next_from {
        writeln!(stdout(), "there are more: go on with --from {next}")?;
    }
    Ok(())
}
