//! `cron`: entries, straight from Redis.

use std::io::{Write as _, stdout};

use carillon_shared::client::{Client, PauseRequest, Registered};
use carillon_shared::cron::{Definition, EntryStatus, Warning, to_wire};
use carillon_shared::name::{CronName, NameError};
use carillon_shared::store::StoredEntry;
use clap::ArgMatches;
use serde_json::{Map, Value};

use super::Failure;
use super::args::Format;
use super::cron_args::CronCommand;
use super::failure::{DATA, NO, USAGE};
use super::redis::with_client;
use super::table::{print, print_json};
use super::{backfill, input, ledger};

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
        CronCommand::Pause { name, note, by, until } => {
            let request = PauseRequest { note, by, until };
            on_one(matches, &name, async |client, name| pause(&client, name, &request).await)
        }
        CronCommand::Resume { names } => on_each(matches, &names, async |client, name| resume(client, name).await),
        CronCommand::Backfill { name, from, to, limit, apply, format } => {
            let request = backfill::request(&from, &to, limit, apply)?;
            on_one(matches, &name, async |client, name| backfill::run(&client, name, &request, format).await)
        }
        CronCommand::Run { name, args } => {
            let args = args.as_deref().map(arguments).transpose()?;
            on_one(matches, &name, async |client, name| run_now(&client, name, args).await)
        }
        CronCommand::Ledger(args) => ledger::run(matches, &args),
    }
}

pub(super) fn on_one<F>(matches: &ArgMatches, name: &str, command: F) -> Result<(), Failure>
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
            let headings = ["NAME", "SCHEDULE", "ZONE", "TYPE", "QUEUE", "OVERLAP", "STATE", "NEXT", "FROM", "RUNS"];
            print(&mut stdout(), &headings, chosen.map(row).collect())?;
        }
    }
    Ok(())
}

fn row(entry: &StoredEntry) -> Vec<String> {
    let definition = &entry.definition;
    let queue = definition.options.get("queue").and_then(Value::as_str).unwrap_or("default");
    let status = entry.status();
    let next = status.next_run_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    vec![
        definition.name.to_string(),
        definition.expression.clone(),
        definition.zone.to_string(),
        definition.job_type.to_string(),
        queue.to_owned(),
        definition.overlap_policy.as_str().to_owned(),
        state(&status).to_owned(),
        next,
        entry.source.as_ref().map_or_else(|| "client".to_owned(), |source| source.file.clone()),
        entry.run_count.to_string(),
    ]
}

fn state(status: &EntryStatus) -> &'static str {
    match status.as_str() {
        "active" => "on",
        "disabled" => "off",
        other => other,
    }
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
    format!("{verb} {}: {}", entry.definition.name, outlook(entry))
}

/// What an entry will do, in a few words.
fn outlook(entry: &StoredEntry) -> String {
    let status = entry.status();
    match (status.as_str(), status.next_run_at) {
        ("paused", Some(at)) => format!("paused, next at {at}"),
        ("paused", None) => "paused until it is resumed".to_owned(),
        (_, Some(at)) => format!("next at {at}"),
        ("disabled", None) => "switched off".to_owned(),
        ("ended", None) => "has ended".to_owned(),
        _ => "never fires".to_owned(),
    }
}

async fn pause(client: &Client, name: &CronName, request: &PauseRequest) -> Result<(), Failure> {
    let entry = client.pause(name, request).await?;
    Ok(writeln!(stdout(), "paused {name}: {}", outlook(&entry))?)
}

async fn resume(client: &Client, name: &CronName) -> Result<(), Failure> {
    let entry = client.resume(name).await?;
    Ok(writeln!(stdout(), "resumed {name}: {}", outlook(&entry))?)
}

fn tell(warnings: &[Warning]) -> Result<(), Failure> {
    for warning in warnings {
        writeln!(stdout(), "  note ({}): {}", warning.code, warning.message)?;
    }
    Ok(())
}

async fn remove(client: &Client, name: &CronName) -> Result<(), Failure> {
    client.remove(name).await?;
    Ok(writeln!(stdout(), "removed {name}")?)
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
    let asked = client.run_now(name, args).await?;
    for id in &asked.cancelled {
        writeln!(stdout(), "cancelled {id}")?;
    }
    Ok(writeln!(stdout(), "{name} runs as job {}, {}", asked.job_id, asked.message())?)
}

fn wire(entry: &StoredEntry) -> Value {
    to_wire(&entry.definition, &entry.status()).into()
}

pub(super) fn missing(name: &CronName) -> Failure {
    Failure::new(NO, format!("there is no cron entry named `{name}`"))
}
