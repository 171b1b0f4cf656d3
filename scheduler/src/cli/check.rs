//! `check`: whether the Redis that the settings name will do.

use std::io::{Write, stdout};

use carillon_shared::config::{CommonConfig, process_environment};
use carillon_shared::store::{Finding, Grade, acl_rules};
use clap::ArgMatches;
use serde_json::json;

use super::args::Format;
use super::failure::{CONFIG, Failure};
use super::redis::with_client;
use super::table::{print, print_json};

pub(super) fn show(matches: &ArgMatches, format: Format) -> Result<(), Failure> {
    with_client(matches, async |client| {
        let findings = client.store().findings().await?;
        match format {
            Format::Table => print(&mut stdout(), &["SERVER", "SUBJECT", "GRADE", "FOUND"], rows(&findings))?,
            Format::Json => print_json(&mut stdout(), &findings.iter().map(object).collect::<Vec<_>>().into())?,
        }
        let refused = findings.iter().any(|finding| finding.grade == Grade::Refused);
        if refused { Err(Failure::quiet(CONFIG)) } else { Ok(()) }
    })
}

/// Prints the rules of a user with the least rights.
pub(super) fn acl(matches: &ArgMatches) -> Result<(), Failure> {
    let config = CommonConfig::read(matches, &process_environment)?;
    writeln!(stdout(), "{}", acl_rules(&config.redis.namespace))?;
    Ok(())
}

fn rows(findings: &[Finding]) -> Vec<Vec<String>> {
    let row = |finding: &Finding| {
        let server = if finding.server.is_empty() { "(all)" } else { &finding.server };
        vec![server.to_owned(), finding.subject.to_owned(), finding.grade.to_string(), finding.message.clone()]
    };
    findings.iter().map(row).collect()
}

fn object(finding: &Finding) -> serde_json::Value {
    json!({
        "server": finding.server,
        "subject": finding.subject,
        "grade": finding.grade.as_str(),
        "message": finding.message,
    })
}
