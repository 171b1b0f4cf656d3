//! `cron`: entries, straight from Redis.

use std::io::{Write as _, stdout};

use carillon_shared::client::{Asked, Client, Registered};
use carillon_shared::cron::{Definition, Warning, to_wire};
use carillon_shared::name::{CronName, NameError};
use carillon_shared::store::{EntryRemoved, StoredEntry};
use clap::ArgMatches;
use serde_json::{Map, Value};

use super::Failure;
use super::args::{CronCommand, Format};
use super::failure::{DATA, NO, USAGE};
use super::redis::with_client;
use super::table::{print, print_json};
use super::{input, ledger};

pub(super) fn run(matches: &ArgMatches, command: CronCommand) -> Result<(), Failure> {
    // What can be found wrong without Redis is told without Redis.
    match command {
        CronCommand::List { enabled, format } => {
            with_client(matches, async |client| list(&client, enabled, format).await)
        }
        CronCommand::Get { name } => on_one(matches, &name, async |client, name| get(&client, name).await),
        CronCommand::Add { entries } => {
            let entries = read(&entries)?;
            with_client(matches, async |client| add(&client, &entries).await)
        }
        CronCommand::Remove { names } => on_each(matches, &names, async |client, name| remove(client, name).await),
        CronCommand::Enable { names } => {
            on_each(matches, &names, async |client, name| switch(client, name, true).await)
        }
        CronCommand::Disable { names } => {
            on_each(matches, &names, async |client, name| switch(client, name, false).await)
        }
        CronCommand::Run { name, args } => {
            let args = args.as_deref().map(arguments).transpose()?;
            on_one(matches, &name, async |client, name| run_now(&client, name, args).await)
        }
        CronCommand::Ledger { name, limit, format } => {
            on_one(matches, &name, async |client, name| ledger::show(&client, name, limit.into(), format).await)
        }
    }
}

fn on_one<F>(matches: &ArgMatches, name: &str, command: F) -> Result<(), Failure>
where
    F: AsyncFnOnce(Client, &CronName) -> Result<(), Failure>,
{
    let name = parse(name)?;
    with_client(matches, async |client| command(client, &name).await)
}

fn on_each<F>(matches: &ArgMatches, names: &[String], command: F) -> Result<(), Failure>
where
    F: AsyncFn(&Client, &CronName) -> Result<(), Failure>,
{
    let names = names.iter().map(|name| parse(name)).collect::<Result<Vec<_>, _>>()?;
    with_client(matches, async |client| {
        for name in &names {
            command(&client, name).await?;
        }
        Ok(())
    })
}

fn parse(name: &str) -> Result<CronName, Failure> {
    name.parse().map_err(|error: NameError| Failure::new(USAGE, error.to_string()))
}

async fn list(client: &Client, enabled: Option<bool>, format: Format) -> Result<(), Failure> {
    let entries = client.store().entries().await?;
    let chosen = entries.iter().filter(|entry| enabled.is_none_or(|enabled| entry.enabled == enabled));
    match format {
        Format::Json => {
            let shown: Vec<_> = chosen.map(wire).collect();
            print_json(&mut stdout(), &shown.into())?;
        }
        Format::Table => {
            let headings = ["NAME", "SCHEDULE", "ZONE", "TYPE", "QUEUE", "OVERLAP", "STATE", "NEXT", "RUNS"];
            print(&mut stdout(), &headings, chosen.map(row).collect())?;
        }
    }
    Ok(())
}

fn row(entry: &StoredEntry) -> Vec<String> {
    let definition = &entry.definition;
    let queue = definition.options.get("queue").and_then(Value::as_str).unwrap_or("default");
    let next = entry.status().next_run_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    vec![
        definition.name.to_string(),
        definition.expression.clone(),
        definition.zone.to_string(),
        definition.job_type.to_string(),
        queue.to_owned(),
        definition.overlap_policy.as_str().to_owned(),
        if entry.enabled { "on" } else { "off" }.to_owned(),
        next,
        entry.run_count.to_string(),
    ]
}

async fn get(client: &Client, name: &CronName) -> Result<(), Failure> {
    let entry = client.store().entry(name).await?.ok_or_else(|| missing(name))?;
    Ok(print_json(&mut stdout(), &wire(&entry))?)
}

/// Reads all of them before any is registered.
fn read(source: &str) -> Result<Vec<Value>, Failure> {
    let entries = input::read(source)?;
    for (index, entry) in entries.iter().enumerate() {
        Definition::read(entry).map_err(|refusal| input::nth(index, entries.len(), &refusal.to_string()))?;
    }
    Ok(entries)
}

async fn add(client: &Client, entries: &[Value]) -> Result<(), Failure> {
    for entry in entries {
        let registered = client.register(entry).await?;
        writeln!(stdout(), "{}", put(&registered))?;
        tell(&registered.warnings)?;
    }
    Ok(())
}

fn put(registered: &Registered) -> String {
    let (entry, verb) = (&registered.entry, if registered.created { "registered" } else { "updated" });
    let next = match entry.status().next_run_at {
        Some(at) => format!("next at {at}"),
        None if entry.enabled => "never fires".to_owned(),
        None => "switched off".to_owned(),
    };
    format!("{verb} {}: {next}", entry.definition.name)
}

fn tell(warnings: &[Warning]) -> Result<(), Failure> {
    for warning in warnings {
        writeln!(stdout(), "  note ({}): {}", warning.code, warning.message)?;
    }
    Ok(())
}

async fn remove(client: &Client, name: &CronName) -> Result<(), Failure> {
    match client.store().remove_entry(name).await? {
        EntryRemoved::Removed(_) => Ok(writeln!(stdout(), "removed {name}")?),
        EntryRemoved::Gone => Err(missing(name)),
    }
}

async fn switch(client: &Client, name: &CronName, enabled: bool) -> Result<(), Failure> {
    let change = Map::from_iter([("enabled".to_owned(), enabled.into())]);
    let registered = client.patch(name, &change).await?;
    Ok(writeln!(stdout(), "{}", put(&registered))?)
}

fn arguments(text: &str) -> Result<Vec<Value>, Failure> {
    let read: Result<Vec<Value>, _> = serde_json::from_str(text);
    read.map_err(|error| Failure::new(DATA, format!("--args: expected a JSON array such as [1,\"x\"]: {error}")))
}

async fn run_now(client: &Client, name: &CronName, args: Option<Vec<Value>>) -> Result<(), Failure> {
    let Asked { job_id, waits, cancelled } = client.run_now(name, args).await?;
    for id in cancelled {
        writeln!(stdout(), "cancelled {id}")?;
    }
    let what = if waits { "waits behind the live run" } else { "is available" };
    Ok(writeln!(stdout(), "{name} runs as job {job_id}, which {what}")?)
}

fn wire(entry: &StoredEntry) -> Value {
    to_wire(&entry.definition, &entry.status()).into()
}

pub(super) fn missing(name: &CronName) -> Failure {
    Failure::new(NO, format!("there is no cron entry named `{name}`"))
}
