//! From an entry as it was read to the decision on it, ready to be applied.

use serde_json::{Value, json};

use super::{FireDecision, FireItem, FireKind, Run, StoreError, StoredEntry};
use crate::clock::Timestamp;
use crate::cron::{Decision, Due, Schedule, decide, decide_asked};
use crate::id::JobId;
use crate::job::Refusal;

impl FireItem {
    /// Decides on an entry whose instant has come.
    ///
    /// # Errors
    ///
    /// When what stands in the store makes no job, which registration makes sure of.
    pub fn due(entry: &StoredEntry, schedule: &Schedule, now: Timestamp) -> Result<Self, StoreError> {
        let seen = entry.next_mark.unwrap_or(now);
        let decided = decide(&Due {
            schedule,
            overlap_policy: entry.definition.overlap_policy,
            enabled: entry.enabled,
            has_live_run: !entry.live.is_empty(),
            waiting: entry.waiting,
            seen,
            now,
        });
        let kind = if decided.instants > 1 { FireKind::CatchUp } else { FireKind::Scheduled };
        let decision = match decided.decision {
            Decision::Skip(reason) => FireDecision::Skip(reason.as_str()),
            fire => {
                let id = JobId::of_occurrence(&entry.uid, decided.scheduled, entry.partition);
                FireDecision::Fire(fire, Box::new(run(entry, id, decided.scheduled, kind, now, None)?))
            }
        };
        let instants = decided.instants;
        let told = told(entry);
        Ok(Self {
            mark_seen: Some(seen),
            next_mark: decided.next,
            ..Self::new(entry, decision, decided.scheduled, instants, kind, told)
        })
    }

    /// Decides on a run of this id that somebody asked for, with other arguments if they gave some.
    ///
    /// # Errors
    ///
    /// When what stands in the store makes no job, which registration makes sure of.
    pub fn asked(entry: &StoredEntry, id: JobId, now: Timestamp, args: Option<Vec<Value>>) -> Result<Self, StoreError> {
        let decision = decide_asked(entry.definition.overlap_policy, !entry.live.is_empty());
        let run = run(entry, id, now, FireKind::Manual, now, args)?;
        let decision = FireDecision::Fire(decision, Box::new(run));
        Ok(Self::new(entry, decision, now, 1, FireKind::Manual, told(entry)))
    }

    fn new(
        entry: &StoredEntry,
        decision: FireDecision,
        scheduled: Timestamp,
        instants: u64,
        kind: FireKind,
        told: String,
    ) -> Self {
        Self {
            name: entry.definition.name.clone(),
            revision_seen: entry.revision,
            live_seen: entry.live.clone(),
            mark_seen: None,
            next_mark: None,
            decision,
            scheduled,
            instants,
            kind,
            told,
        }
    }
}

/// The job of a run. Its `meta` says of which entry, for which instant, and why.
fn run(
    entry: &StoredEntry,
    id: JobId,
    scheduled: Timestamp,
    kind: FireKind,
    now: Timestamp,
    args: Option<Vec<Value>>,
) -> Result<Run, StoreError> {
    let told = [
        ("cron_name", entry.definition.name.as_str().into()),
        ("cron_triggered_at", scheduled.to_string().into()),
        ("cron_kind", kind.as_str().into()),
    ];
    let name = || format!("cron entry {}", entry.definition.name);
    let envelope = entry.definition.envelope(now, &told);
    let mut envelope = envelope.map_err(|refusal: Refusal| StoreError::corrupt(name(), refusal.message))?;
    if let Some(args) = args {
        envelope.args = args;
    }
    Ok(Run { id, envelope })
}

/// What the events of an entry say beside what the script adds.
fn told(entry: &StoredEntry) -> String {
    let definition = &entry.definition;
    let queue = definition.options.get("queue").and_then(Value::as_str).unwrap_or("default");
    let members = json!({
        "cron_expression": definition.expression,
        "cron_expr": definition.expression,
        "timezone": definition.zone.to_string(),
        "queue": queue,
    });
    let text = members.to_string();
    format!(",{}", text.trim_start_matches('{').trim_end_matches('}'))
}
