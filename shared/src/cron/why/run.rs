//! How the run of a fired instant stands, in a clause.

use super::super::{LedgerRow, RunEnd};
use super::queued::held_up;
use super::words::{Wall, count, span};
use super::{Facts, Reason, Verdict};
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::job::{JobState, Record};

/// How a run stands.
pub(super) struct Standing {
    pub(super) verdict: Verdict,
    pub(super) reason: Option<Reason>,
    pub(super) clause: String,
}

/// How the run of a row stands, by its end if it has one and by its record if it lives.
pub(super) fn standing(facts: &Facts, row: &LedgerRow, id: JobId, wall: Wall) -> Standing {
    let record = facts.run(id);
    let ended = row.end.as_ref().filter(|end| {
        // A dead letter that was revived lives again.
        record.is_none_or(|record| record.state.is_terminal() || end.state != JobState::Discarded)
    });
    match (ended, record) {
        (Some(end), _) => by_end(end, id, wall),
        (None, Some(record)) => by_record(facts, record, wall),
        (None, None) => Standing {
            verdict: Verdict::Fired,
            reason: None,
            clause: format!("nothing more is known of job {id}: its record is gone, and no end of it is kept"),
        },
    }
}

fn by_end(end: &RunEnd, id: JobId, wall: Wall) -> Standing {
    let took = end.started_at.map(|since| span(end.ended_at.since(since)));
    let (ended, attempts) = (wall.time(end.ended_at), count(end.attempts as usize, "attempt", "attempts"));
    let summary = if end.summary.is_empty() { String::new() } else { format!(": {}", end.summary) };
    let (verdict, clause) = match (end.state, took) {
        (JobState::Completed, Some(took)) => {
            (Verdict::Ran, format!("job {id} completed at {ended} in {took}, at attempt {}", end.attempts))
        }
        (JobState::Cancelled, _) => (Verdict::Cancelled, format!("job {id} was cancelled at {ended}{summary}")),
        (_, Some(_)) => (Verdict::Failed, format!("job {id} was given up at {ended} after {attempts}{summary}")),
        (_, None) => (Verdict::Failed, format!("job {id} was given up at {ended} without an attempt{summary}")),
    };
    Standing { verdict, reason: None, clause }
}

fn by_record(facts: &Facts, record: &Record, wall: Wall) -> Standing {
    let id = record.id;
    let at = |at: Option<Timestamp>| at.map_or_else(|| "an unknown time".to_owned(), |at| wall.time(at));
    let worker = record.worker.as_deref().unwrap_or("unknown");
    let (verdict, reason, clause) = match record.state {
        JobState::Active => {
            let since = at(record.started_at);
            let clause = format!("job {id} runs on worker `{worker}` since {since}, attempt {}", record.attempt);
            (Verdict::Running, None, clause)
        }
        JobState::Retryable => retrying(facts, record, wall),
        JobState::Available | JobState::Scheduled | JobState::Pending => waiting(facts, record, wall),
        JobState::Completed => (Verdict::Ran, None, format!("job {id} completed at {}", at(record.ended_at))),
        JobState::Cancelled => (Verdict::Cancelled, None, format!("job {id} was cancelled at {}", at(record.ended_at))),
        JobState::Discarded => (Verdict::Failed, None, format!("job {id} was given up at {}", at(record.ended_at))),
    };
    Standing { verdict, reason, clause }
}

fn retrying(facts: &Facts, record: &Record, wall: Wall) -> (Verdict, Option<Reason>, String) {
    let due = record.due_at.map_or_else(|| "soon".to_owned(), |at| format!("at {}", wall.time(at)));
    let id = record.id;
    if record.returns > 0 && !record.failed {
        let held = held_up(facts, &record.job_type, wall);
        let because = held.as_ref().map(|held| format!(", because {}", held.clause)).unwrap_or_default();
        let times = count(record.returns as usize, "time", "times");
        let clause = format!("job {id} was given back by workers {times} and is offered again {due}{because}");
        return (Verdict::Queued, held.map(|held| held.reason), clause);
    }
    let clause = format!("attempt {} of job {id} failed, and the next comes {due}", record.attempt);
    (Verdict::Retrying, None, clause)
}

fn waiting(facts: &Facts, record: &Record, wall: Wall) -> (Verdict, Option<Reason>, String) {
    let id = record.id;
    if record.waits {
        let previous = facts.entry.as_ref().and_then(|entry| entry.live.iter().find(|live| **live != id));
        let behind = previous.map_or_else(|| "the previous run".to_owned(), |previous| format!("run {previous}"));
        let clause = format!("job {id} waits behind {behind}, because the entry's policy is `enqueue`");
        return (Verdict::Queued, Some(Reason::BehindPreviousRun), clause);
    }
    match held_up(facts, &record.job_type, wall) {
        Some(held) => {
            (Verdict::Queued, Some(held.reason), format!("job {id} is still queued, because {}", held.clause))
        }
        None => {
            let others = facts.queue.available.saturating_sub(1);
            let among = if others > 0 { format!(" among {others} others") } else { String::new() };
            let clause = format!("job {id} is queued{among}, and nothing holds it up: it is handed out in its turn");
            (Verdict::Queued, None, clause)
        }
    }
}
