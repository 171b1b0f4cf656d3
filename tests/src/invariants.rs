//! What must hold at every moment, each predicate by its name.

use std::collections::{BTreeMap, BTreeSet};

use carillon_shared::store::{Keys, PartitionKeys};

use crate::snapshot::{Held, Snapshot};

/// Everything that is wrong with a namespace; nothing if all is well.
#[must_use]
pub fn violations(keys: &Keys, snapshot: &Snapshot) -> Vec<String> {
    let mut found = every_key_is_in_the_schema(keys, snapshot);
    for partition in keys.all() {
        let world = World::new(&partition, snapshot);
        found.extend(world.each_job_is_in_exactly_the_index_of_its_state());
        found.extend(world.each_indexed_job_exists());
        found.extend(world.counters_equal_what_is_there());
        found.extend(world.live_runs_are_not_terminal());
        found.extend(world.lists_for_people_say_what_the_indexes_say());
        found.extend(world.each_job_has_an_envelope());
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
            (Some(id), Held::Hash(fields)) => Some((id.to_owned(), fields.clone())),
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

    fn each_job_is_in_exactly_the_index_of_its_state(&self) -> Vec<String> {
        let mut found = Vec::new();
        let indexes = self.indexes();
        for (id, job) in &self.jobs {
            let field = |name: &str| job.get(name).cloned().unwrap_or_default();
            let expected = match field("state").as_str() {
                "available" if job.contains_key("waits") => format!("wait:{}", field("cron")),
                "available" => format!("ready:{}", field("queue")),
                "scheduled" | "retryable" => "due".to_owned(),
                "pending" => "parked".to_owned(),
                "active" => "leases".to_owned(),
                _ if job.contains_key("dead") => "ended:dead".to_owned(),
                ended => format!("ended:{ended}"),
            };
            let actual: Vec<&str> =
                indexes.iter().filter(|(_, members)| members.contains(id)).map(|(name, _)| name.as_str()).collect();
            if actual != [expected.as_str()] {
                found.push(format!("job {id} ({}) is in {actual:?}, not in {expected}", field("state")));
            }
        }
        found
    }

    fn each_indexed_job_exists(&self) -> Vec<String> {
        let members =
            self.indexes().into_iter().flat_map(|(name, ids)| ids.into_iter().map(move |id| (name.clone(), id)));
        members
            .filter(|(_, id)| !self.jobs.contains_key(id))
            .map(|(name, id)| format!("{name} names {id}, which is gone"))
            .collect()
    }

    fn counters_equal_what_is_there(&self) -> Vec<String> {
        let mut counts: BTreeMap<(String, String), i64> = BTreeMap::new();
        for job in self.jobs.values() {
            let key = (job["queue"].clone(), job["state"].clone());
            *counts.entry(key).or_default() += 1;
        }
        let prefix = format!("{}queue:", self.keys.root());
        let mut found = Vec::new();
        for (key, held) in &self.snapshot.0 {
            let (Some(queue), Held::Hash(fields)) = (key.strip_prefix(&prefix), held) else { continue };
            // Terminal states count what ever was, so trimming may leave fewer.
            for (state, counted) in fields.iter().filter(|(name, _)| STATES.contains(&name.as_str())) {
                let there = counts.get(&(queue.to_owned(), state.clone())).copied().unwrap_or(0);
                let counted: i64 = counted.parse().unwrap_or(i64::MIN);
                let wrong = if TERMINAL.contains(&state.as_str()) { counted < there } else { counted != there };
                if wrong {
                    found.push(format!("queue {queue} counts {counted} {state}, there are {there}"));
                }
            }
        }
        found
    }

    fn live_runs_are_not_terminal(&self) -> Vec<String> {
        let prefix = format!("{}live:", self.keys.root());
        let mut found = Vec::new();
        for (key, held) in &self.snapshot.0 {
            let (Some(name), Held::Scores(runs)) = (key.strip_prefix(&prefix), held) else { continue };
            for id in runs.keys() {
                let state = self.jobs.get(id).map(|job| job["state"].clone()).unwrap_or_default();
                if state.is_empty() || TERMINAL.contains(&state.as_str()) {
                    found.push(format!("run {id} of {name} is live, but `{state}`"));
                }
            }
        }
        let live = |cron: &str| self.snapshot.scores(&format!("{prefix}{cron}"));
        for (id, job) in self.jobs.iter().filter(|(_, job)| !TERMINAL.contains(&job["state"].as_str())) {
            if job.get("cron").is_some_and(|cron| !live(cron).contains_key(id)) {
                found.push(format!("run {id} ({}) of {} is not live", job["state"], job["cron"]));
            }
        }
        found
    }

    /// The dead letters of each queue are those of all queues; what waits in any line is in the list of what waits.
    fn lists_for_people_say_what_the_indexes_say(&self) -> Vec<String> {
        let root = self.keys.root();
        let members = |prefix: &str| -> BTreeSet<String> {
            let named = self.snapshot.0.iter().filter(|(key, _)| key.starts_with(&format!("{root}{prefix}")));
            let ids = named.flat_map(|(_, held)| match held {
                Held::Scores(members) => members.keys().cloned().collect(),
                Held::List(items) => items.clone(),
                _ => Vec::new(),
            });
            ids.collect()
        };
        let pairs = [("dead:", "ended:dead"), ("wait:", "waiting")];
        let differ = pairs.into_iter().filter(|(listed, index)| members(listed) != members(index));
        differ.map(|(listed, index)| format!("{listed} and {index} do not have the same members")).collect()
    }

    fn each_job_has_an_envelope(&self) -> Vec<String> {
        let missing = |id: &&String| !self.snapshot.0.contains_key(&format!("{}env:{id}", self.keys.root()));
        self.jobs.keys().filter(missing).map(|id| format!("job {id} has no envelope")).collect()
    }
}

fn every_key_is_in_the_schema(keys: &Keys, snapshot: &Snapshot) -> Vec<String> {
    const INSIDE: [&str; 34] = [
        "job:",
        "env:",
        "out:",
        "errors:",
        "ready:",
        "queue:",
        "queues",
        "bell:",
        "due",
        "parked",
        "leases",
        "ended:",
        "dead:",
        "claim:",
        "cron:",
        "crons",
        "live:",
        "wait:",
        "waiting",
        "ledger:",
        "fence",
        "reaper",
        "events",
        "flow:",
        "flows",
        "unique:",
        "expires",
        "timeouts",
        "rate:",
        "progress:",
        "limit:",
        "running:",
        "minutes:",
        "done:",
    ];
    let outside = [
        keys.meta(),
        keys.leader(),
        keys.leader_epoch(),
        keys.leader_beat(),
        keys.leader_bell(),
        keys.inbox(),
        keys.inbox_taken(),
        keys.inbox_ticket(),
        keys.inbox_rejected(),
        keys.workers(),
        keys.heard(),
    ];
    let roots: Vec<PartitionKeys> = keys.all().collect();
    let known = |key: &str| {
        let inside = roots.iter().filter_map(|partition| key.strip_prefix(partition.root())).any(|name| {
            INSIDE.iter().any(|suffix| if suffix.ends_with(':') { name.starts_with(suffix) } else { name == *suffix })
        });
        inside
            || outside.iter().any(|name| name == key)
            || ["said", "order"].iter().any(|kind| key.starts_with(&format!("{{{}}}:{kind}:", keys.workers())))
    };
    snapshot.0.keys().filter(|key| !known(key)).map(|key| format!("{key} is not in the schema")).collect()
}
