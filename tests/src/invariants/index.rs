//! Index and state say the same of each job.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use crate::snapshot::Held;

type Fields = BTreeMap<String, String>;

impl World<'_> {
    pub(super) fn each_job_is_in_exactly_the_index_of_its_state(&self) -> Vec<String> {
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

    pub(super) fn each_indexed_job_exists(&self) -> Vec<String> {
        let members =
            self.indexes().into_iter().flat_map(|(name, ids)| ids.into_iter().map(move |id| (name.clone(), id)));
        members
            .filter(|(_, id)| !self.jobs.contains_key(id))
            .map(|(name, id)| format!("{name} names {id}, which is gone"))
            .collect()
    }

    pub(super) fn each_job_has_an_envelope(&self) -> Vec<String> {
        let missing = |id: &&String| !self.snapshot.0.contains_key(&format!("{}env:{id}", self.keys.root()));
        self.jobs.keys().filter(missing).map(|id| format!("job {id} has no envelope")).collect()
    }

    /// A job that waits for a claim is discarded when its time has passed.
    pub(super) fn what_may_expire_is_listed(&self) -> Vec<String> {
        let waits = |job: &Fields| ["available", "scheduled", "pending"].contains(&job["state"].as_str());
        self.listed("expires", |job| job.contains_key("expires") && waits(job))
    }

    pub(super) fn what_takes_too_long_is_listed(&self) -> Vec<String> {
        self.listed("timeouts", |job| job.contains_key("timeout") && job["state"] == "active")
    }

    /// A list of times names exactly the jobs that it concerns.
    fn listed(&self, list: &str, concerns: impl Fn(&Fields) -> bool) -> Vec<String> {
        let listed = self.snapshot.scores(&format!("{}{list}", self.keys.root()));
        let mut found: Vec<String> = listed
            .keys()
            .filter(|id| !self.jobs.contains_key(*id))
            .map(|id| format!("{list} names {id}, which is gone"))
            .collect();
        for (id, job) in &self.jobs {
            if concerns(job) != listed.contains_key(id) {
                let not = if concerns(job) { "not " } else { "" };
                found.push(format!("job {id} ({}) is {not}in {list}", job["state"]));
            }
        }
        found
    }

    pub(super) fn each_fingerprint_names_its_job(&self) -> Vec<String> {
        let prefix = format!("{}unique:", self.keys.root());
        let mut found = Vec::new();
        for (key, held) in &self.snapshot.0 {
            let (Some(fingerprint), Held::Text(id)) = (key.strip_prefix(&prefix), held) else { continue };
            if self.jobs.get(id).and_then(|job| job.get("unique")).map(String::as_str) != Some(fingerprint) {
                found.push(format!("{key} names {id}, which is not such a job"));
            }
        }
        found
    }

    /// The dead letters of each queue are those of all queues; what waits in any line is in the list of what waits.
    pub(super) fn lists_for_people_say_what_the_indexes_say(&self) -> Vec<String> {
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
}
