//! What is known when somebody asks why.

use std::time::Duration;

use serde::Serialize;

use super::super::{Bounds, EntryChange, LedgerNote, LedgerRow, OverlapPolicy, Pause, Schedule, Zone};
use super::Leaderships;
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::job::Record;
use crate::name::{CronName, JobType, QueueName};

/// Everything that a verdict is reached from.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The entry that is asked about.
    pub name: CronName,
    /// Redis's time.
    pub now: Timestamp,
    /// The entry, unless it was removed.
    pub entry: Option<EntryFacts>,
    /// Its decisions, the newest first.
    pub rows: Vec<LedgerRow>,
    /// What befell it, the newest first.
    pub notes: Vec<LedgerNote>,
    /// Whether older rows were there once.
    pub is_cut: bool,
    /// No row from before this is shown.
    pub kept_since: Timestamp,
    /// Who led.
    pub leaderships: Leaderships,
    /// The queue of its runs.
    pub queue: QueueFacts,
    /// The workers that were heard of within a minute.
    pub workers: Vec<WorkerFacts>,
    /// The records of runs that are asked about.
    pub runs: Vec<Record>,
}

/// An entry as it stands.
#[derive(Debug, Clone)]
pub struct EntryFacts {
    /// Its schedule.
    pub schedule: Schedule,
    /// The type of its jobs.
    pub job_type: JobType,
    /// What becomes of an instant that comes too soon.
    pub overlap_policy: OverlapPolicy,
    /// Whether it fires.
    pub enabled: bool,
    /// Its last pause, over or not.
    pub pause: Option<Pause>,
    /// Its bounds.
    pub bounds: Bounds,
    /// How long after its instant it may be decided on without being late.
    pub jitter: Duration,
    /// The instant to be decided on next, as the store keeps it.
    pub next_mark: Option<Timestamp>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its live runs, in order of their instants.
    pub live: Vec<JobId>,
}

/// The queue that an entry fires into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueFacts {
    /// Its name.
    pub name: QueueName,
    /// Since when claims are held back.
    pub paused_at: Option<Timestamp>,
    /// How many of its jobs are available.
    pub available: u64,
    /// How many of its jobs run.
    pub active: u64,
    /// How many may run at once.
    pub concurrency: Option<u32>,
    /// Its rate limit.
    pub rate: Option<RateFacts>,
}

/// A rate limit, and how much of it is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RateFacts {
    /// How many may start within the window.
    pub starts: u64,
    /// The window, in milliseconds.
    pub window_ms: u64,
    /// How many did, within the window that ends now.
    pub started: u64,
}

/// A worker, as it last said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerFacts {
    /// Its id.
    pub worker_id: String,
    /// The queues it takes from; none if it does not say.
    pub queues: Vec<QueueName>,
    /// The types it has handlers for; none if it does not say.
    pub job_types: Vec<JobType>,
    /// How many jobs it runs at once; 0 if it does not say.
    pub concurrency: usize,
    /// How many it runs now.
    pub active: usize,
    /// Whether it takes jobs, or winds up.
    pub takes_jobs: bool,
}

impl EntryFacts {
    /// Whether an instant is one of the schedule, within its bounds.
    pub(super) fn is_due_at(&self, at: Timestamp) -> bool {
        self.schedule.is_due_at(at) && self.bounds.admit(at)
    }

    /// The pause that an instant falls into.
    pub(super) fn pause_at(&self, at: Timestamp) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| pause.covers(at))
    }
}

impl Facts {
    /// The zone in which the entry is read; UTC when the entry is not there to tell.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.entry.as_ref().map_or(Zone::UTC, |entry| entry.schedule.zone())
    }

    /// The record of a run, if it was read and is there.
    #[must_use]
    pub fn run(&self, id: JobId) -> Option<&Record> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// The row that made a run.
    pub(super) fn row_of(&self, id: JobId) -> Option<&LedgerRow> {
        self.rows.iter().find(|row| row.job() == Some(id))
    }

    /// The last time before `until` that something befell the entry.
    pub(super) fn last_change(&self, change: EntryChange, until: Timestamp) -> Option<Timestamp> {
        self.notes.iter().find(|note| note.change == change && note.at <= until).map(|note| note.at)
    }

    /// The last instant of the schedule that has come since the entry is there; of a removed entry, the last that is known.
    #[must_use]
    pub fn last_instant(&self) -> Option<Timestamp> {
        match &self.entry {
            Some(entry) => {
                let just_after_now = Timestamp::from_ms(self.now.as_ms() + 1);
                let fires = entry.schedule.occurrences_before(just_after_now).filter(|occurrence| occurrence.is_fire());
                fires.map(|fire| fire.at()).next().filter(|at| *at >= entry.created_at && entry.bounds.admit(*at))
            }
            None => self.rows.iter().find(|row| row.kind != "manual").map(|row| row.scheduled_at),
        }
    }

    /// The next instant of the schedule.
    #[must_use]
    pub fn next_instant(&self) -> Option<Timestamp> {
        let entry = self.entry.as_ref()?;
        let after = entry.bounds.starts_at.map_or(self.now, |start| self.now.max(start - Duration::from_millis(1)));
        entry.schedule.next_fire_after(after).filter(|at| entry.bounds.admit(*at))
    }
}
