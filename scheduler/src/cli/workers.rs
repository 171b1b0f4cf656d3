//! `workers`: the registry of workers, and orders to them.

use std::io::{Write as _, stdout};

use carillon_shared::client::Client;
use carillon_shared::name::WorkerId;
use carillon_shared::store::{KnownWorker, WorkerOrder};
use clap::ArgMatches;
use serde_json::json;

use super::Failure;
use super::args::Format;
use super::failure::{NO, USAGE};
use super::jobs_args::{WorkerNames, WorkersCommand};
use super::redis::with_client;
use super::table::{print, print_json};

const HEADINGS: [&str; 7] = ["WORKER", "STATE", "ORDER", "JOBS", "SLOTS", "QUEUES", "HEARD OF"];

pub(super) fn run(matches: &ArgMatches, command: WorkersCommand) -> Result<(), Failure> {
    let (names, order) = match command {
        WorkersCommand::List { format } => {
            return with_client(matches, async |client| list(&client, format).await);
        }
        WorkersCommand::Quiet(names) => (names, Some(WorkerOrder::Quiet)),
        WorkersCommand::Terminate(names) => (names, Some(WorkerOrder::Terminate)),
        WorkersCommand::Resume(names) => (names, None),
    };
    let workers = parse(&names)?;
    with_client(matches, async |client| tell(&client, &workers, order).await)
}

fn parse(names: &WorkerNames) -> Result<Vec<WorkerId>, Failure> {
    let read = |id: &String| id.parse().map_err(|error| Failure::new(USAGE, format!("`{id}`: {error}")));
    names.ids.iter().map(read).collect()
}

async fn list(client: &Client, format: Format) -> Result<(), Failure> {
    let workers = client.store().workers().await?;
    match format {
        Format::Json => print_json(&mut stdout(), &json!(workers))?,
        Format::Table => print(&mut stdout(), &HEADINGS, workers.iter().map(row).collect())?,
    }
    Ok(())
}

fn row(KnownWorker { info, order }: &KnownWorker) -> Vec<String> {
    let queues = info.queues.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    vec![
        info.worker_id.to_string(),
        info.state.clone(),
        order.map_or("-", WorkerOrder::as_str).to_owned(),
        info.active_job_ids.len().to_string(),
        info.concurrency.to_string(),
        queues,
        info.last_heartbeat_at.to_string(),
    ]
}

/// Tells each worker that is known; one that is not does not keep the others from being told.
async fn tell(client: &Client, workers: &[WorkerId], order: Option<WorkerOrder>) -> Result<(), Failure> {
    let mut unknown = Vec::new();
    for worker in workers {
        if client.order(worker, order).await? {
            let told = match order {
                None => "may take jobs again",
                Some(WorkerOrder::Quiet) => "is told to be quiet",
                Some(WorkerOrder::Terminate) => "is told to terminate",
            };
            writeln!(stdout(), "{worker} {told}")?;
        } else {
            unknown.push(worker.as_str());
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Failure::new(NO, format!("no such worker was heard of within a minute: {}", unknown.join(", "))))
}
