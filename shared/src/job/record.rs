//! What we keep about a job, and change: the record beside its envelope.

use serde_json::Value;

use super::{Envelope, JobState, Kept, Lease};
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::name::{CronName, JobType, QueueName};

/// The record of a job, as a script last left it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Which job.
    pub id: JobId,
    /// Where it is in its life.
    pub state: JobState,
    /// Its queue.
    pub queue: QueueName,
    /// Its type.
    pub job_type: JobType,
    /// The number of the latest attempt; 0 before the first.
    pub attempt: u32,
    /// The latest lease.
    pub lease: Option<Lease>,
    /// Who claimed it last.
    pub worker: Option<String>,
    /// When it was taken in.
    pub created_at: Timestamp,
    /// When it last became available.
    pub enqueued_at: Timestamp,
    /// When the latest attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When it expired, if it did.
    pub expired_at: Option<Timestamp>,
    /// When it is due, or was last.
    pub due_at: Option<Timestamp>,
    /// The delay before the latest retry.
    pub retry_delay_ms: Option<u64>,
    /// The state before it was cancelled.
    pub previous_state: Option<JobState>,
    /// The entry it is a run of.
    pub cron: Option<CronName>,
    /// The workflow it is a step of.
    pub flow: Option<JobId>,
    /// The jobs whose results it is handed.
    pub parents: Vec<JobId>,
    /// When it was activated.
    pub activated_at: Option<Timestamp>,
    /// Waits behind the previous run of its entry.
    pub waits: bool,
    /// Its latest attempt failed, so that the last of its errors is the present one.
    pub failed: bool,
    /// It is among the dead letters.
    pub dead: bool,
    /// How many workers it has outlived.
    pub crashes: u32,
    /// How often it was given back without an attempt.
    pub returns: u32,
}

impl Record {
    /// The record of a job that was just taken in, if all of it is known without looking: not of one that takes another's
    /// place, nor of one that is further on already.
    #[must_use]
    pub fn taken_in(id: JobId, envelope: &Envelope, state: Option<JobState>, at: Timestamp) -> Option<Self> {
        use JobState::{Available, Pending, Scheduled};
        let state = state.filter(|state| matches!(state, Available | Pending | Scheduled))?;
        if envelope.unique.is_some() {
            return None;
        }
        Some(Self {
            id,
            state,
            queue: envelope.queue.clone(),
            job_type: envelope.job_type.clone(),
            attempt: 0,
            lease: None,
            worker: None,
            created_at: at,
            enqueued_at: at,
            started_at: None,
            ended_at: None,
            expired_at: None,
            due_at: envelope.scheduled_at.filter(|_| state == Scheduled),
            retry_delay_ms: None,
            previous_state: None,
            cron: None,
            flow: None,
            parents: Vec::new(),
            activated_at: None,
            waits: false,
            failed: false,
            dead: false,
            crashes: 0,
            returns: 0,
        })
    }
}

/// A job, whole: what was said about it, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The envelope as it is kept, or whole.
    pub envelope: Kept,
    /// The record.
    pub record: Record,
    /// What its handler returned.
    pub result: Option<Value>,
    /// The errors of its attempts, oldest first.
    pub errors: Vec<Value>,
    /// The results of the steps before it, in order; `null` for one that left none.
    pub parent_results: Vec<Value>,
}

impl Job {
    /// A job that has no history.
    #[must_use]
    pub fn new(envelope: impl Into<Kept>, record: Record) -> Self {
        Self { envelope: envelope.into(), record, result: None, errors: Vec::new(), parent_results: Vec::new() }
    }
}
