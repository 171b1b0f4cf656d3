//! `cron ledger`: every decision on an entry, and how its runs ended.

use std::io::stdout;

use carillon_shared::client::Client;
use carillon_shared::name::CronName;
use carillon_shared::store::{LedgerDecision, LedgerRow};

use super::Failure;
use super::args::Format;
use super::cron::missing;
use super::table::{print, print_json};
use crate::http::row_to_json;

pub(super) async fn show(client: &Client, name: &CronName, limit: usize, format: Format) -> Result<(), Failure> {
    let rows = client.store().ledger(name, None, limit).await?;
    if rows.is_empty() && client.store().entry(name).await?.is_none() {
        return Err(missing(name));
    }
    match format {
        Format::Json => {
            print_json(&mut stdout(), &rows.iter().map(|row| row_to_json(row, None)).collect::<Vec<_>>().into())?
        }
        Format::Table => {
            let headings = ["SCHEDULED", "KIND", "INSTANTS", "DECISION", "JOB OR REASON", "ENDED", "MS", "SUMMARY"];
            print(&mut stdout(), &headings, rows.iter().map(cells).collect())?;
        }
    }
    Ok(())
}

fn cells(row: &LedgerRow) -> Vec<String> {
    let (decision, about) = match &row.decision {
        LedgerDecision::Fired(id) => ("fired", id.to_string()),
        LedgerDecision::Skipped { reason, .. } => ("skipped", reason.clone()),
    };
    let end = row.end.as_ref();
    let ended = end.map_or_else(|| "-".to_owned(), |end| end.state.to_string());
    let ms = end.and_then(|end| Some(end.ended_at.since(end.started_at?).as_millis().to_string()));
    let summary = end.map(|end| end.summary.chars().take(60).collect());
    let instants = row.instants.to_string();
    vec![
        row.scheduled_at.to_string(),
        row.kind.clone(),
        instants,
        decision.to_owned(),
        about,
        ended,
        ms.unwrap_or_else(|| "-".to_owned()),
        summary.unwrap_or_default(),
    ]
}
