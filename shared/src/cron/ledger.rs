//! The rows of an entry's ledger: one per decision, and how the run that it made ended.
//!
//! A row is complete by itself: it outlives the record of its job, and has the same shape whether the schedule, a catch-up
//! or somebody's wish made it.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::id::JobId;
use crate::job::JobState;

/// A decision on an instant of an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerRow {
    /// Its place in the ledger, `<ms>-<number>`: grows with time.
    pub position: String,
    /// What was decided.
    pub decision: LedgerDecision,
    /// `scheduled`, `catch_up`, `manual` or `backfill`.
    pub kind: String,
    /// The instant; for a manual run when it was asked for.
    pub scheduled_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// How many instants the row stands for.
    pub instants: u64,
    /// What is kept beside the reason: of `paused` the pause.
    pub because: Option<Value>,
    /// How the run ended, if it made one that has.
    pub end: Option<RunEnd>,
    /// How the run stands, if its record tells so and its end does not.
    pub live: Option<LiveRun>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub enum LedgerDecision {
    /// This job was made.
    Fired(JobId),
    /// No job was made.
    Skipped {
        /// Why.
        reason: String,
        /// The run that was live, if that was why.
        active: Option<JobId>,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd {
    /// In which state.
    pub state: JobState,
    /// When its last attempt began; `None` when there was none.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How many attempts there were.
    pub attempts: u32,
    /// The beginning of its result, or of its error.
    pub summary: String,
}

/// How a run stands that has no end in the ledger: live, a dead letter that was revived, or one that ended this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRun {
    /// Where it is in its life.
    pub state: JobState,
    /// When its latest attempt began.
    pub started_at: Option<Timestamp>,
    /// The number of its latest attempt.
    pub attempts: u32,
}

/// Something that befell the entry itself, kept among its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerNote {
    /// When.
    pub at: Timestamp,
    /// What.
    pub change: EntryChange,
}

/// What befell an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryChange {
    /// It was registered again under the name of one that had been removed.
    Registered,
    /// It was registered anew with other members.
    Changed,
    /// It was switched on.
    Enabled,
    /// It was switched off.
    Disabled,
    /// It was removed.
    Removed,
}

impl EntryChange {
    /// The change that the ledger writes so; `None` for a word of a later version.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Some(match word {
            "registered" => Self::Registered,
            "changed" => Self::Changed,
            "enabled" => Self::Enabled,
            "disabled" => Self::Disabled,
            "removed" => Self::Removed,
            _ => return None,
        })
    }
}

impl LedgerRow {
    /// The job that was made.
    #[must_use]
    pub fn job(&self) -> Option<JobId> {
        match &self.decision {
            LedgerDecision::Fired(id) => Some(*id),
            LedgerDecision::Skipped { .. } => None,
        }
    }

    /// Why no job was made.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match &self.decision {
            LedgerDecision::Fired(_) => None,
            LedgerDecision::Skipped { reason, .. } => Some(reason),
        }
    }

    /// The state of the run, as far as it is known.
    #[must_use]
    pub fn state(&self) -> Option<JobState> {
        let end = self.end.as_ref().map(|end| end.state);
        self.live.as_ref().map(|live| live.state).or(end)
    }

    /// How long after the instant it was decided, in milliseconds.
    #[must_use]
    pub fn lateness_ms(&self) -> u64 {
        u64::try_from(self.decided_at.since(self.scheduled_at).as_millis()).unwrap_or(u64::MAX)
    }

    /// How long the last attempt took, in milliseconds.
    #[must_use]
    pub fn duration_ms(&self) -> Option<u64> {
        let end = self.end.as_ref()?;
        u64::try_from(end.ended_at.since(end.started_at?).as_millis()).ok()
    }

    /// Whether a record, if one is left, may tell more than the ledger does: the run has no end here, or one that can be
    /// undone (a dead letter may be revived).
    #[must_use]
    pub fn may_live(&self) -> bool {
        self.job().is_some() && self.end.as_ref().is_none_or(|end| end.state == JobState::Discarded)
    }

    /// The row in its one shape. `scheduled_time`, `actual_time` and `missed_count` are the words of the event.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (active, end) = match &self.decision {
            LedgerDecision::Skipped { active, .. } => (*active, None),
            LedgerDecision::Fired(_) => (None, self.end.as_ref().filter(|_| self.live.is_none())),
        };
        let live = self.live.as_ref();
        let summary = |good: bool| end.filter(|end| (end.state == JobState::Completed) == good).map(|end| &end.summary);
        json!({
            "position": self.position,
            "decision": if self.job().is_some() { "fired" } else { "skipped" },
            "reason": self.reason(),
            "because": self.because,
            "kind": self.kind,
            "scheduled_at": self.scheduled_at,
            "decided_at": self.decided_at,
            "scheduled_time": self.scheduled_at,
            "actual_time": self.decided_at,
            "lateness_ms": self.lateness_ms(),
            "instants": self.instants,
            "missed_count": self.instants.saturating_sub(1),
            "job_id": self.job(),
            "active_job_id": active,
            "state": self.state(),
            "started_at": live.map_or_else(|| end.and_then(|end| end.started_at), |live| live.started_at),
            "ended_at": end.map(|end| end.ended_at),
            "duration_ms": end.and_then(|_| self.duration_ms()),
            "attempts": live.map(|live| live.attempts).or(end.map(|end| end.attempts)),
            "result_summary": summary(true),
            "error_summary": summary(false),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired() -> LedgerRow {
        LedgerRow {
            position: "1-0".to_owned(),
            decision: LedgerDecision::Fired("01a1fe18-7c60-7a0f-bb21-363773998000".parse().expect("an id")),
            kind: "catch_up".to_owned(),
            scheduled_at: Timestamp::from_ms(1000),
            decided_at: Timestamp::from_ms(61_050),
            instants: 2,
            because: None,
            end: None,
            live: None,
        }
    }

    fn end(state: JobState) -> RunEnd {
        RunEnd {
            state,
            started_at: Some(Timestamp::from_ms(62_000)),
            ended_at: Timestamp::from_ms(64_500),
            attempts: 2,
            summary: "said".to_owned(),
        }
    }

    #[test]
    fn an_end_tells_a_result_or_an_error_and_never_both() {
        let good = LedgerRow { end: Some(end(JobState::Completed)), ..fired() }.to_json();
        assert_eq!((&good["result_summary"], &good["error_summary"]), (&json!("said"), &Value::Null));
        assert_eq!((&good["duration_ms"], &good["lateness_ms"]), (&json!(2500), &json!(60_050)));
        let bad = LedgerRow { end: Some(end(JobState::Discarded)), ..fired() }.to_json();
        assert_eq!((&bad["result_summary"], &bad["error_summary"]), (&Value::Null, &json!("said")));
    }

    #[test]
    fn a_revived_run_shows_how_it_stands_and_not_how_it_ended_before() {
        let live = Some(LiveRun { state: JobState::Active, started_at: Some(Timestamp::from_ms(70_000)), attempts: 1 });
        let row = LedgerRow { end: Some(end(JobState::Discarded)), live, ..fired() };
        assert!(row.may_live());
        let json = row.to_json();
        assert_eq!((&json["state"], &json["attempts"]), (&json!("active"), &json!(1)));
        assert!(json["ended_at"].is_null() && json["error_summary"].is_null() && json["duration_ms"].is_null());
    }

    #[test]
    fn only_an_end_that_can_be_undone_is_doubted() {
        assert!(fired().may_live());
        assert!(!LedgerRow { end: Some(end(JobState::Completed)), ..fired() }.may_live());
        let skipped = LedgerDecision::Skipped { reason: "overlap_skip".to_owned(), active: None };
        assert!(!LedgerRow { decision: skipped, ..fired() }.may_live());
    }
}
