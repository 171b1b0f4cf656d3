//! The counters of queues.

use std::collections::BTreeMap;

use super::{STATES, TERMINAL, World};
use crate::snapshot::Held;

impl World<'_> {
    pub(super) fn counters_equal_what_is_there(&self) -> Vec<String> {
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
}
