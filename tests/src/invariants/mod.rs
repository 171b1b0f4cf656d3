//! What must hold, each predicate by its name: at every moment over what Redis holds, and at the end over what was told.

mod counters;
mod entries;
mod flows;
mod history;
mod index;
mod runs;
mod schema;

use std::collections::BTreeMap;

use carillon_shared::store::{Keys, PartitionKeys};

use crate::record::lines;
use crate::snapshot::{Held, Snapshot};

pub use history::{History, Told, each_row_has_its_own_job, every_second_has_one_row};

/// Everything that is wrong with a namespace; nothing if all is well.
#[must_use]
pub fn violations(keys: &Keys, snapshot: &Snapshot) -> Vec<String> {
    let mut found = schema::every_key_is_in_the_schema(keys, snapshot);
    for partition in keys.all() {
        let world = World::new(&partition, snapshot);
        found.extend(world.each_job_is_in_exactly_the_index_of_its_state());
        found.extend(world.each_indexed_job_exists());
        found.extend(world.counters_equal_what_is_there());
        found.extend(world.live_runs_are_not_terminal());
        found.extend(world.lists_for_people_say_what_the_indexes_say());
        found.extend(world.each_job_has_an_envelope());
        found.extend(world.the_declared_entries_are_those_with_a_source());
        found.extend(world.each_ledger_is_numbered_without_gaps_and_its_time_never_falls());
        found.extend(world.what_may_expire_is_listed());
        found.extend(world.what_takes_too_long_is_listed());
        found.extend(world.each_fingerprint_names_its_job());
        found.extend(world.workflow_counters_equal_their_steps());
        found.extend(world.open_steps_have_live_jobs());
        found.extend(world.ended_workflows_are_listed());
    }
    found
}

/// Fails, naming what is wrong.
///
/// # Panics
///
/// When an invariant does not hold.
pub fn assert_all_hold(keys: &Keys, snapshot: &Snapshot) {
    let found = violations(keys, snapshot);
    assert!(found.is_empty(), "{} invariants do not hold:\n{}", found.len(), found.join("\n"));
}

const STATES: [&str; 8] =
    ["scheduled", "available", "pending", "active", "completed", "retryable", "cancelled", "discarded"];
const TERMINAL: [&str; 3] = ["completed", "cancelled", "discarded"];

/// One partition, as it was read.
struct World<'a> {
    keys: &'a PartitionKeys,
    snapshot: &'a Snapshot,
    jobs: BTreeMap<String, BTreeMap<String, String>>,
}

impl<'a> World<'a> {
    fn new(keys: &'a PartitionKeys, snapshot: &'a Snapshot) -> Self {
        let prefix = format!("{}job:", keys.root());
        let jobs = snapshot.0.iter().filter_map(|(key, held)| match (key.strip_prefix(&prefix), held) {
            (Some(id), Held::Text(text)) => Some((id.to_owned(), lines(text))),
            _ => None,
        });
        Self { keys, snapshot, jobs: jobs.collect() }
    }

    /// Every index of this partition with its members.
    fn indexes(&self) -> Vec<(String, Vec<String>)> {
        let root = self.keys.root();
        let is_index = |name: &str| {
            ["due", "parked", "leases"].contains(&name)
                || ["ready:", "ended:", "wait:"].iter().any(|prefix| name.starts_with(prefix))
        };
        let members = |held: &Held| match held {
            Held::Scores(members) => members.keys().cloned().collect(),
            Held::List(items) => items.clone(),
            _ => Vec::new(),
        };
        let named = self.snapshot.0.iter().filter_map(|(key, held)| Some((key.strip_prefix(root)?, held)));
        named.filter(|(name, _)| is_index(name)).map(|(name, held)| (name.to_owned(), members(held))).collect()
    }
}
