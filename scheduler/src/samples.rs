//! The sample entries: those that the OJS scheduling page shows, as written there, and one that rings every five seconds.

use carillon_shared::client::{Client, ClientError};
use carillon_shared::cron::Definition;
use carillon_shared::name::{CronName, QueueName};
use serde_json::Value;

const ENTRIES: &str = include_str!("../samples/entries.json");

/// The sample entries, as registrations.
///
/// # Panics
///
/// Never: a test reads the file.
#[must_use]
pub fn entries() -> Vec<Value> {
    serde_json::from_str(ENTRIES).expect("a test reads the file of samples")
}

/// The queues that the samples fire into, and the default one, first.
#[must_use]
pub fn queues() -> Vec<QueueName> {
    let mut queues = vec![QueueName::default()];
    for queue in entries().iter().filter_map(|entry| entry["options"]["queue"].as_str()?.parse().ok()) {
        if !queues.contains(&queue) {
            queues.push(queue);
        }
    }
    queues
}

/// Registers the samples of whose name there is no entry, and returns their names. Those that are there already stay as
/// they are, so that what a user changed or paused survives; one that was removed comes back.
///
/// # Errors
///
/// When Redis cannot be reached.
pub async fn register(client: &Client) -> Result<Vec<CronName>, ClientError> {
    let mut registered = Vec::new();
    for entry in entries() {
        let (definition, _) = Definition::read(&entry)?;
        if client.store().entry(&definition.name).await?.is_none() {
            client.register(&entry).await?;
            registered.push(definition.name);
        }
    }
    Ok(registered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_a_valid_entry() {
        let names: Vec<_> =
            entries().iter().map(|entry| Definition::read(entry).expect("valid").0.name.to_string()).collect();
        let expected = [
            "weekday-morning-report",
            "cache-cleanup",
            "upstream-health-check",
            "monthly-billing",
            "external-data-sync",
            "heartbeat-tick",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn every_queue_of_the_samples_is_known() {
        let queues: Vec<_> = queues().iter().map(ToString::to_string).collect();
        assert_eq!(queues, ["default", "reports", "maintenance", "monitoring", "billing", "integrations"]);
    }
}
