//! Workflows and their steps.

use std::collections::BTreeMap;

use super::{TERMINAL, World};
use crate::snapshot::Held;

/// A workflow as its hash tells it.
struct Flow<'a> {
    id: &'a str,
    fields: &'a BTreeMap<String, String>,
}

impl Flow<'_> {
    fn of(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> usize {
        self.of(name).parse().unwrap_or(usize::MAX)
    }

    fn steps(&self) -> impl Iterator<Item = usize> {
        0..self.of("nodes").parse().unwrap_or(0)
    }

    /// How many members of the root are in one of these states; callbacks do not count, nor what stands within another.
    fn members(&self, states: &[&str]) -> usize {
        let has = |kind: &str, place: usize| self.fields.contains_key(&format!("{kind}:{place}"));
        let is_member = |place: &usize| !has("c", *place) && !has("u", *place);
        let is_meant = |place: &usize| states.contains(&self.of(&format!("s:{place}")));
        self.steps().filter(is_member).filter(is_meant).count()
    }
}

impl World<'_> {
    fn flows(&self) -> Vec<Flow<'_>> {
        let prefix = format!("{}flow:", self.keys.root());
        let flow = |(key, held): (&'_ String, &'_ Held)| match held {
            Held::Hash(_) => key.starts_with(&prefix),
            _ => false,
        };
        let found = self.snapshot.0.iter().filter(|(key, held)| flow((key, held)));
        found
            .filter_map(|(key, held)| match held {
                Held::Hash(fields) => Some(Flow { id: &key[prefix.len()..], fields }),
                _ => None,
            })
            .collect()
    }

    pub(super) fn workflow_counters_equal_their_steps(&self) -> Vec<String> {
        let mut found = Vec::new();
        for flow in self.flows() {
            let (open, done, failed) =
                (flow.members(&["waiting", "enqueued"]), flow.members(&["completed"]), flow.members(&["failed"]));
            // A step that was dropped, because one before it did not succeed, is cancelled and has not failed.
            let ended_badly = failed + flow.members(&["cancelled"]);
            // A cancel closes the workflows within at once, and leaves what is open in the others to the ends of its jobs.
            let is_cancelled = flow.of("state") == "cancelled";
            if (flow.number("l:r") != open && !is_cancelled) || flow.number("f:r") != done {
                found.push(format!("workflow {} counts wrong: {:?}", flow.id, flow.fields));
            }
            if !(failed..=ended_badly).contains(&flow.number("x:r")) {
                found.push(format!("workflow {} counts {} failed: {:?}", flow.id, flow.of("x:r"), flow.fields));
            }
            let is_over = flow.of("state") != "running";
            if is_over != (open == 0) && flow.of("state") != "cancelled" {
                found.push(format!("workflow {} is {} with {open} members open", flow.id, flow.of("state")));
            }
        }
        found
    }

    /// Or they would never be forgotten.
    pub(super) fn ended_workflows_are_listed(&self) -> Vec<String> {
        let listed = self.snapshot.scores(&format!("{}flows", self.keys.root()));
        let is_wrong = |flow: &Flow<'_>| (flow.of("state") != "running") != listed.contains_key(flow.id);
        let wrong = self.flows().into_iter().filter(is_wrong);
        wrong
            .map(|flow| format!("workflow {} is {}, which is not what `flows` says", flow.id, flow.of("state")))
            .collect()
    }

    pub(super) fn open_steps_have_live_jobs(&self) -> Vec<String> {
        let mut found = Vec::new();
        for flow in self.flows() {
            for place in flow.steps().filter(|place| !flow.of(&format!("j:{place}")).is_empty()) {
                let (state, id) = (flow.of(&format!("s:{place}")), flow.of(&format!("j:{place}")));
                let job = self.jobs.get(id).map_or("gone", |job| job["state"].as_str());
                let is_live = job != "gone" && !TERMINAL.contains(&job);
                let fits = match state {
                    "waiting" => job == "pending" || flow.of("state") == "cancelled",
                    "enqueued" => is_live && job != "pending",
                    _ => true,
                };
                if !fits {
                    found.push(format!("step {place} of workflow {} is {state}, but its job {id} is {job}", flow.id));
                }
            }
        }
        found
    }
}
