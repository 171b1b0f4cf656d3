//! `jobs`: straight from Redis.

use std::io::{Write as _, stdout};

use carillon_shared::client::Client;
use carillon_shared::clock::Timestamp;
use carillon_shared::id::{JobId, JobIdError};
use carillon_shared::job::Envelope;
use carillon_shared::store::CancelReply;
use clap::ArgMatches;
use serde_json::Value;

use super::Failure;
use super::failure::{NO, USAGE};
use super::input;
use super::jobs_args::JobsCommand;
use super::redis::with_client;
use super::table::print_json;

pub(super) fn run(matches: &ArgMatches, command: JobsCommand) -> Result<(), Failure> {
    match command {
        JobsCommand::Get { id } => {
            let id = parse(&id)?;
            with_client(matches, async |client| get(&client, id).await)
        }
        JobsCommand::Cancel { id, reason } => {
            let id = parse(&id)?;
            with_client(matches, async |client| cancel(&client, id, &reason).await)
        }
        JobsCommand::Enqueue { jobs } => {
            let jobs = input::read(&jobs)?;
            envelopes(&jobs, Timestamp::from_ms(0))?;
            with_client(matches, async |client| enqueue(&client, &jobs).await)
        }
    }
}

fn parse(id: &str) -> Result<JobId, Failure> {
    id.parse().map_err(|error: JobIdError| Failure::new(USAGE, error.to_string()))
}

async fn get(client: &Client, id: JobId) -> Result<(), Failure> {
    let job = client.store().job(id).await?.ok_or_else(|| missing(id))?;
    Ok(print_json(&mut stdout(), &job.to_json().into())?)
}

async fn cancel(client: &Client, id: JobId, reason: &str) -> Result<(), Failure> {
    match client.store().cancel(id, "cli", reason).await? {
        CancelReply::Cancelled(before) => Ok(writeln!(stdout(), "cancelled {id}, which was {before}")?),
        CancelReply::Ended(state) => Err(Failure::new(NO, format!("job {id} has ended already: it is {state}"))),
        CancelReply::Gone => Err(missing(id)),
    }
}

/// All are read before any is enqueued.
fn envelopes(jobs: &[Value], now: Timestamp) -> Result<Vec<Envelope>, Failure> {
    let read =
        |(index, job)| Envelope::read(job, now).map_err(|refusal| input::nth(index, jobs.len(), &refusal.to_string()));
    jobs.iter().enumerate().map(read).collect()
}

async fn enqueue(client: &Client, jobs: &[Value]) -> Result<(), Failure> {
    for envelope in envelopes(jobs, client.store().clock().now())? {
        let enqueued = client.enqueue(&envelope).await?;
        let record = &enqueued.job.record;
        let note = if enqueued.deduplicated { " (it was there before)" } else { "" };
        writeln!(stdout(), "{} {} {} on {}{note}", record.id, record.state, record.job_type, record.queue)?;
    }
    Ok(())
}

fn missing(id: JobId) -> Failure {
    Failure::new(NO, format!("there is no job with the id {id}"))
}
