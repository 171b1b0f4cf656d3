//! `inbox`: what producers pushed that could not be taken.

use std::io::stdout;

use clap::ArgMatches;
use serde_json::Value;

use super::Failure;
use super::args::Format;
use super::jobs_args::InboxCommand;
use super::redis::with_client;
use super::table::{print, print_json};

pub(super) fn run(matches: &ArgMatches, command: &InboxCommand) -> Result<(), Failure> {
    let InboxCommand::Rejected { limit, format } = *command;
    with_client(matches, async |client| {
        let items = client.store().rejected(limit.into()).await?;
        let items: Vec<Value> =
            items.into_iter().map(|item| serde_json::from_str(&item).unwrap_or(Value::String(item))).collect();
        match format {
            Format::Json => print_json(&mut stdout(), &items.into())?,
            Format::Table => {
                print(&mut stdout(), &["TAKEN", "FIELD", "REASON", "PAYLOAD"], items.iter().map(row).collect())?;
            }
        }
        Ok(())
    })
}

fn row(item: &Value) -> Vec<String> {
    let text = |name: &str| item[name].as_str().unwrap_or("-").chars().take(80).collect();
    ["taken_at", "field", "reason", "payload"].map(text).to_vec()
}
