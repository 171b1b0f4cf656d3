//! The live runs of cron entries.

use super::{TERMINAL, World};
use crate::snapshot::Held;

impl World<'_> {
    pub(super) fn live_runs_are_not_terminal(&self) -> Vec<String> {
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
}
