//! From an entry as it was read to the decision on it, ready to be applied.

use serde_json::{Value, json};

use super::{FireDecision, FireItem, Run, StoreError, StoredEntry};
use crate::clock::Timestamp;
use crate::cron::{Decision, Due, FireKind, Pause, SkipReason, Timetable, decide, decide_asked, overlap};
use crate::id::JobId;
use crate::job::Refusal;

impl FireItem {
    /// Decides on an entry whose instant has come.
    ///
    /// # Errors
    ///
    /// When what stands in the store makes no job, which registration makes sure of.
    pub fn due(entry: &StoredEntry, timetable: &Timetable, now: Timestamp) -> Result<Self, StoreError> {
        let seen = entry.next_mark.unwrap_or(now);
        let decided = decide(&Due {
            timetable,
            overlap_policy: entry.definition.overlap_policy,
            lateness: entry.definition.lateness,
            enabled: entry.enabled,
            pause: entry.pause.as_ref(),
            live: entry.live_runs(),
            scheduled_runs: entry.scheduled_runs,
            seen,
            now,
        });
        let decision = made(entry, decided.decision, decided.scheduled, decided.kind, now)?;
        let because = match decided.decision {
            Decision::Skip(SkipReason::Paused) => entry.pause.as_ref().map(evidence).unwrap_or_default(),
            _ => String::new(),
        };
        Ok(Self {
            mark_seen: Some(seen),
            next_mark: decided.next,
            look_at: decided.look_at,
            because,
            ..Self::new(entry, decision, decided.scheduled, decided.instants, decided.kind)
        })
    }

    /// Decides on a run of this id that somebody asked for, with other arguments if they gave some.
    ///
    /// # Errors
    ///
    /// When what stands in the store makes no job, which registration makes sure of.
    pub fn asked(entry: &StoredEntry, id: JobId, now: Timestamp, args: Option<Vec<Value>>) -> Result<Self, StoreError> {
        let decision = decide_asked(entry.definition.overlap_policy, entry.live_runs());
        let run = run(entry, id, now, FireKind::Manual, now, args)?;
        let decision = FireDecision::Fire(decision, Box::new(run));
        Ok(Self::new(entry, decision, now, 1, FireKind::Manual))
    }

    /// Decides on `instants` instants of the past, the first of them `scheduled`, for somebody who asked for them.
    ///
    /// # Errors
    ///
    /// When what stands in the store makes no job, which registration makes sure of.
    pub fn backfill(
        entry: &StoredEntry,
        scheduled: Timestamp,
        instants: u64,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let decision = overlap(entry.definition.overlap_policy, entry.live_runs());
        let instants = if decision.fires() { 1 } else { instants };
        let decision = made(entry, decision, scheduled, FireKind::Backfill, now)?;
        Ok(Self::new(entry, decision, scheduled, instants, FireKind::Backfill))
    }

    fn new(entry: &StoredEntry, decision: FireDecision, scheduled: Timestamp, instants: u64, kind: FireKind) -> Self {
        let waiting = match &decision {
            FireDecision::Fire(Decision::FireBehind, _) => entry.waiting + 1,
            _ => entry.waiting,
        };
        Self {
            name: entry.definition.name.clone(),
            revision_seen: entry.revision,
            live_seen: entry.live.clone(),
            mark_seen: None,
            next_mark: None,
            look_at: None,
            decision,
            scheduled,
            instants,
            kind,
            waiting,
            told: told(entry, waiting),
            because: String::new(),
        }
    }
}

/// The decision with the job for it.
fn made(
    entry: &StoredEntry,
    decision: Decision,
    scheduled: Timestamp,
    kind: FireKind,
    now: Timestamp,
) -> Result<FireDecision, StoreError> {
    if let Decision::Skip(reason) = decision {
        return Ok(FireDecision::Skip(reason.as_str()));
    }
    let id = JobId::of_occurrence(&entry.uid, scheduled, entry.partition);
    Ok(FireDecision::Fire(decision, Box::new(run(entry, id, scheduled, kind, now, None)?)))
}

/// A pause as the ledger keeps it beside the instants that fell into it.
fn evidence(pause: &Pause) -> String {
    json!(pause).to_string()
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
fn told(entry: &StoredEntry, waiting: u64) -> String {
    let definition = &entry.definition;
    let queue = definition.options.get("queue").and_then(Value::as_str).unwrap_or("default");
    // An expression is text that somebody wrote, and is escaped; a zone is a name.
    let expression = Value::from(definition.expression.as_str());
    let (zone, queue) = (definition.zone.name(), Value::from(queue));
    format!(
        r#","cron_expression":{expression},"cron_expr":{expression},"timezone":"{zone}","queue":{queue},"waiting_runs":{waiting}"#
    )
}
