//! Tables of cases: what is known, what is asked, and what is answered.

use std::time::Duration;

use super::super::{Bounds, LedgerDecision, LedgerRow, OverlapPolicy, RunEnd, Schedule, ScheduleOptions};
use super::*;
use crate::job::{JobState, Record};

mod held;
mod last;
mod verdicts;

pub(super) const A: &str = "01a1fe18-7c60-7a0f-bb21-363773998000";
pub(super) const B: &str = "01a1fe18-7c60-7a0f-bb21-363773998001";
/// An hour after the last instant of `0 9 * * *`.
pub(super) const NOW: &str = "2026-11-21T10:00:00Z";
pub(super) const NINE: &str = "2026-11-21T09:00:00Z";

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub(super) fn id(text: &str) -> JobId {
    text.parse().expect("an id")
}

pub(super) fn schedule(expression: &str, zone: &str) -> Schedule {
    let options = ScheduleOptions { zone: zone.parse().expect("a zone"), ..ScheduleOptions::default() };
    Schedule::parse(expression, &options).expect("an expression")
}

/// A daily entry that was registered a week ago, with a leader and a worker, and nothing in its ledger.
pub(super) fn facts() -> Facts {
    let leader = Leadership {
        instance: "sched-1".to_owned(),
        since: at("2026-11-01T00:00:00Z"),
        seen_at: at(NOW),
        until: None,
        leads: true,
    };
    let queue = QueueFacts {
        name: "default".parse().expect("a queue"),
        paused_at: None,
        available: 1,
        active: 0,
        concurrency: None,
        rate: None,
    };
    Facts {
        name: "nightly".parse().expect("a name"),
        now: at(NOW),
        entry: Some(EntryFacts {
            schedule: schedule("0 9 * * *", "UTC"),
            job_type: "echo".parse().expect("a type"),
            overlap_policy: OverlapPolicy::Skip,
            enabled: true,
            pause: None,
            bounds: Bounds::default(),
            jitter: Duration::ZERO,
            next_mark: Some(at("2026-11-22T09:00:00Z")),
            created_at: at("2026-11-14T12:00:00Z"),
            updated_at: at("2026-11-14T12:00:00Z"),
            live: Vec::new(),
        }),
        rows: Vec::new(),
        notes: Vec::new(),
        is_cut: false,
        kept_since: at("2026-08-21T10:00:00Z"),
        leaderships: Leaderships(vec![leader]),
        queue,
        workers: vec![worker("w-1")],
        runs: Vec::new(),
    }
}

pub(super) fn worker(id: &str) -> WorkerFacts {
    WorkerFacts {
        worker_id: id.to_owned(),
        queues: vec!["default".parse().expect("a queue")],
        job_types: vec!["echo".parse().expect("a type")],
        concurrency: 10,
        active: 0,
        takes_jobs: true,
    }
}

pub(super) fn fired(scheduled: &str, decided: &str, job: &str) -> LedgerRow {
    let (scheduled_at, decided_at) = (at(scheduled), at(decided));
    LedgerRow {
        position: format!("{}-0", decided_at.as_ms()),
        decision: LedgerDecision::Fired(id(job)),
        kind: "scheduled".to_owned(),
        scheduled_at,
        decided_at,
        instants: 1,
        because: None,
        end: None,
        live: None,
    }
}

pub(super) fn skipped(scheduled: &str, reason: &str, active: Option<&str>) -> LedgerRow {
    let decision = LedgerDecision::Skipped { reason: reason.to_owned(), active: active.map(id) };
    LedgerRow { decision, ..fired(scheduled, scheduled, A) }
}

pub(super) fn ended(row: LedgerRow, state: JobState, attempts: u32, summary: &str) -> LedgerRow {
    let started_at = (attempts > 0).then(|| row.decided_at + Duration::from_secs(1));
    let ended_at = row.decided_at + Duration::from_secs(3);
    LedgerRow { end: Some(RunEnd { state, started_at, ended_at, attempts, summary: summary.to_owned() }), ..row }
}

pub(super) fn record(state: JobState) -> Record {
    Record {
        id: id(A),
        state,
        queue: "default".parse().expect("a queue"),
        job_type: "echo".parse().expect("a type"),
        attempt: 1,
        lease: None,
        worker: Some("w-1".to_owned()),
        created_at: at(NINE),
        enqueued_at: at(NINE),
        started_at: Some(at("2026-11-21T09:00:01Z")),
        ended_at: None,
        expired_at: None,
        due_at: Some(at("2026-11-21T10:05:00Z")),
        retry_delay_ms: None,
        previous_state: None,
        cron: None,
        flow: None,
        parents: Vec::new(),
        activated_at: None,
        waits: false,
        failed: true,
        dead: false,
        crashes: 0,
        returns: 0,
    }
}

pub(super) fn entry(facts: &mut Facts) -> &mut EntryFacts {
    facts.entry.as_mut().expect("there")
}
