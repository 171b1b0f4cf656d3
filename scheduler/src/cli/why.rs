//! `why`: what became of an instant of an entry, in sentences, with the evidence.

use std::io::{Write as _, stdout};

use carillon_shared::cron::why::Why;
use clap::ArgMatches;
use serde_json::{Value, json};

use super::Failure;
use super::args::Format;
use super::cron::on_one;
use super::cron_args::WhyArgs;
use super::table::{print, print_json};

pub(super) fn run(matches: &ArgMatches, args: &WhyArgs) -> Result<(), Failure> {
    let time = args.time.join(" ");
    on_one(matches, &args.name, async |client, name| {
        let why = client.why(name, &time).await?;
        match args.format {
            Format::Json => Ok(print_json(&mut stdout(), &json!(why))?),
            Format::Table => tell(&why),
        }
    })
}

fn tell(why: &Why) -> Result<(), Failure> {
    for sentence in why.sentences() {
        writeln!(stdout(), "{sentence}")?;
    }
    writeln!(stdout())?;
    let mut rows = vec![vec!["verdict".to_owned(), why.verdict.to_string()]];
    rows.extend(why.reason.as_ref().map(|reason| vec!["reason".to_owned(), reason.as_str().to_owned()]));
    for (name, value) in &why.evidence {
        rows.extend(flat(name, value));
    }
    Ok(print(&mut stdout(), &["EVIDENCE", ""], rows)?)
}

/// One row for each fact; what is absent is not shown.
fn flat(name: &str, value: &Value) -> Vec<Vec<String>> {
    match value {
        Value::Null => Vec::new(),
        Value::Object(members) => {
            members.iter().flat_map(|(key, value)| flat(&format!("{name}.{key}"), value)).collect()
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().enumerate().flat_map(|(i, item)| flat(&format!("{name}.{i}"), item)).collect()
        }
        Value::Array(items) if items.is_empty() => Vec::new(),
        Value::String(text) => vec![vec![name.to_owned(), text.clone()]],
        other => vec![vec![name.to_owned(), other.to_string()]],
    }
}
