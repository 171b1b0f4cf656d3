//! `ledger`: every decision on an entry, and how its runs ended.

use std::collections::{HashMap, VecDeque};
use std::io::{Write as _, stdout};
use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::cron::{LedgerFilter, LedgerOrder, LedgerQuery, LedgerRow, LiveRun, comes_before};
use carillon_shared::id::JobId;
use carillon_shared::job::JobState;
use carillon_shared::name::CronName;
use carillon_shared::store::LedgerNews;
use clap::ArgMatches;
use tokio::time::sleep;

use super::calendar_args::Listing;
use super::cron::{missing, on_one};
use super::cron_args::LedgerArgs;
use super::table::{print, print_json, print_row};
use super::{Failure, Signals};

/// How often a ledger that is followed is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Of so many runs that have not ended the end is awaited; the oldest are given up.
const AWAITED_MAX: usize = 1000;
const HEADINGS: [&str; 9] =
    ["SCHEDULED", "LATE MS", "KIND", "INSTANTS", "DECISION", "JOB OR REASON", "STATE", "MS", "SUMMARY"];

pub(super) fn run(matches: &ArgMatches, args: &LedgerArgs) -> Result<(), Failure> {
    on_one(matches, &args.name, async |client, name| show(&client, name, args).await)
}

async fn show(client: &Client, name: &CronName, args: &LedgerArgs) -> Result<(), Failure> {
    let filter = LedgerFilter {
        decision: args.decision,
        reason: args.reason.clone(),
        kind: args.kind.clone(),
        state: args.state,
        from: args.from,
        to: args.to,
    };
    let order = if args.follow { LedgerOrder::NewestFirst } else { args.order };
    let query = LedgerQuery { filter, order, cursor: None };
    // Before the rows are read: what is appended meanwhile is read again rather than missed.
    let end = client.store().ledger_end(name).await?;
    let rows = client.store().ledger_page(name, &query, args.limit.into()).await?.rows;
    if rows.is_empty() && client.store().entry(name).await?.is_none() {
        return Err(missing(name));
    }
    if args.follow {
        return follow(client, name, &query.filter, (rows, end), args.format).await;
    }
    match args.format {
        Listing::Json => print_json(&mut stdout(), &rows.iter().map(LedgerRow::to_json).collect::<Vec<_>>().into())?,
        Listing::Jsonl => print_lines(&rows)?,
        Listing::Table => print(&mut stdout(), &HEADINGS, rows.iter().map(cells).collect())?,
    }
    Ok(())
}

/// Prints the latest rows, oldest first, then each row when it is decided and once more when its run has ended.
async fn follow(
    client: &Client,
    name: &CronName,
    filter: &LedgerFilter,
    (mut rows, mut behind): (Vec<LedgerRow>, String),
    format: Listing,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    rows.sort_by_key(|row| row.decided_at);
    print_some(&rows, format, true)?;
    let mut awaited = Awaited::default();
    rows.into_iter().for_each(|row| awaited.add(row));
    loop {
        let (news, end) = client.store().ledger_news(name, &behind).await?;
        behind = end;
        let rows: Vec<LedgerRow> = news.into_iter().filter_map(|news| awaited.settle(news)).collect();
        let chosen: Vec<LedgerRow> =
            rows.into_iter().filter(|row| filter.takes(row) && filter.takes_state(row)).collect();
        print_some(&chosen, format, false)?;
        tokio::select! {
            () = sleep(LOOK_INTERVAL) => {}
            () = signals.next() => return Ok(()),
        }
    }
}

/// The rows that were shown last, whose runs may yet end.
#[derive(Default)]
struct Awaited {
    rows: HashMap<JobId, LedgerRow>,
    order: VecDeque<JobId>,
    /// The position of the newest row that was shown.
    newest: Option<String>,
}

impl Awaited {
    fn add(&mut self, row: LedgerRow) {
        self.newest = Some(row.position.clone());
        let Some(id) = row.job() else { return };
        self.order.push_back(id);
        self.rows.insert(id, row);
        if self.order.len() > AWAITED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.rows.remove(&oldest);
        }
    }

    /// The row that a piece of news is about, as it is now.
    fn settle(&mut self, news: LedgerNews) -> Option<LedgerRow> {
        match news {
            LedgerNews::Decided(row)
                if self.newest.as_ref().is_some_and(|shown| !comes_before(shown, &row.position)) =>
            {
                None
            }
            LedgerNews::Decided(mut row) => {
                // As the decision made it; what becomes of it is told by its end.
                let made = LiveRun { state: JobState::Available, started_at: None, attempts: 0 };
                row.live = row.job().map(|_| made);
                self.add(row.clone());
                Some(row)
            }
            LedgerNews::Ended(id, end) => {
                let row = self.rows.get_mut(&id).filter(|row| row.end.as_ref() != Some(&end))?;
                row.end = Some(end);
                row.live = None;
                Some(row.clone())
            }
        }
    }
}

fn print_some(rows: &[LedgerRow], format: Listing, with_headings: bool) -> Result<(), Failure> {
    match format {
        Listing::Table if with_headings => print(&mut stdout(), &HEADINGS, rows.iter().map(cells).collect())?,
        Listing::Table => rows.iter().try_for_each(|row| print_row(&mut stdout(), cells(row)))?,
        // Nobody can wait for the end of an array that has none.
        Listing::Json | Listing::Jsonl => print_lines(rows)?,
    }
    Ok(())
}

fn print_lines(rows: &[LedgerRow]) -> Result<(), Failure> {
    Ok(rows.iter().try_for_each(|row| writeln!(stdout(), "{}", row.to_json()))?)
}

fn cells(row: &LedgerRow) -> Vec<String> {
    let dash = || "-".to_owned();
    let decision = if row.job().is_some() { "fired" } else { "skipped" };
    let about = row.job().map(|id| id.to_string()).or(row.reason().map(str::to_owned));
    let summary = row.end.as_ref().filter(|_| row.live.is_none()).map(|end| end.summary.chars().take(60).collect());
    vec![
        row.scheduled_at.to_string(),
        row.lateness_ms().to_string(),
        row.kind.clone(),
        row.instants.to_string(),
        decision.to_owned(),
        about.unwrap_or_else(dash),
        row.state().map_or_else(dash, |state| state.to_string()),
        row.duration_ms().map_or_else(dash, |ms| ms.to_string()),
        summary.unwrap_or_default(),
    ]
}
