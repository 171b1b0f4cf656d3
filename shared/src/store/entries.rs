//! Cron entries as they stand in Redis.

use serde_json::Value;
use std::borrow::Cow;

use super::entry_record::EntryRecord;
use super::reply::Items;
use super::{PartitionKeys, StoreError};
use crate::clock::Timestamp;
use crate::cron::{Definition, EntryStatus, LiveRuns, Pause, Schedule, Source, Standing, Timetable};
use crate::id::{JobId, Partition};
use crate::name::{CronName, QueueName};

/// An entry as it was read: what was registered, and what became of it since.
#[derive(Debug, Clone)]
pub struct StoredEntry {
    /// What was registered.
    pub definition: Definition,
    /// Where it lives.
    pub partition: Partition,
    /// Grows with every change of the definition; a decision on an older revision is refused.
    pub revision: u64,
    /// Tells this entry from another of the same name that was there before it.
    pub uid: String,
    /// Where `@every` counts from.
    pub anchor: Timestamp,
    /// The next instant to decide on, as the store keeps it (see [`next_mark`](crate::cron::next_mark)).
    pub next_mark: Option<Timestamp>,
    /// Whether it fires.
    pub enabled: bool,
    /// Its last pause, over or not.
    pub pause: Option<Pause>,
    /// How many jobs its schedule has made: those that somebody asked for are not among them.
    pub scheduled_runs: u64,
    /// Redis's time when it was read.
    pub read_at: Timestamp,
    /// When it last made a job.
    pub last_run_at: Option<Timestamp>,
    /// How many jobs it has made.
    pub run_count: u64,
    /// When it was first registered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its live runs, in order of their instants; at most 100.
    pub live: Vec<JobId>,
    /// How many of them wait for their predecessor.
    pub waiting: u64,
    /// The file that declares it; none for an entry that a client registered.
    pub source: Option<Source>,
}

impl StoredEntry {
    /// The compiled schedule.
    ///
    /// # Errors
    ///
    /// When the expression in the store is not one, which registration makes sure of.
    pub fn schedule(&self) -> Result<Schedule, StoreError> {
        let name = self.definition.name.as_str();
        self.definition.schedule(self.anchor).map_err(|error| StoreError::corrupt(name, error.to_string()))
    }

    /// Its instants.
    ///
    /// # Errors
    ///
    /// When the expression in the store is not one, which registration makes sure of.
    pub fn timetable(&self) -> Result<Timetable, StoreError> {
        let name = self.definition.name.as_str();
        let timetable = self.definition.timetable(self.anchor, &self.uid);
        timetable.map_err(|error| StoreError::corrupt(name, error.to_string()))
    }

    /// Where it stands between two decisions.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            uid: self.uid.clone(),
            enabled: self.enabled,
            pause: self.pause.clone(),
            mark: self.next_mark,
            anchor: self.anchor,
            scheduled_runs: self.scheduled_runs,
        }
    }

    /// How many runs of it are live.
    #[must_use]
    pub fn live_runs(&self) -> LiveRuns {
        LiveRuns { count: u64::try_from(self.live.len()).unwrap_or(u64::MAX), waiting: self.waiting }
    }

    /// The pause that lasts.
    #[must_use]
    pub fn pause_now(&self) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| pause.lasts(self.read_at))
    }

    /// The queue of its runs.
    #[must_use]
    pub fn queue(&self) -> QueueName {
        let queue = self.definition.options.get("queue").and_then(Value::as_str);
        queue.and_then(|queue| queue.parse().ok()).unwrap_or_default()
    }

    /// What the wire shows beside the definition.
    #[must_use]
    pub fn status(&self) -> EntryStatus {
        let timetable = self.timetable().ok();
        let never_fires = timetable.as_ref().is_some_and(|timetable| timetable.schedule().never_fires());
        EntryStatus {
            enabled: self.enabled,
            next_run_at: timetable.and_then(|timetable| self.next_run_at(&timetable)),
            last_run_at: self.last_run_at,
            run_count: self.run_count,
            created_at: self.created_at,
            updated_at: self.updated_at,
            live: self.live.clone(),
            waiting: self.waiting,
            pause: self.pause_now().cloned(),
            scheduled_runs: self.scheduled_runs,
            has_ended: self.next_mark.is_none() && !never_fires,
            source: self.source.clone(),
        }
    }

    /// What falls into a pause will not fire.
    fn next_run_at(&self, timetable: &Timetable) -> Option<Timestamp> {
        let mark = self.next_mark.filter(|_| self.enabled)?;
        match self.pause_now() {
            None => timetable.next_run_at(mark),
            Some(pause) => {
                let until = pause.until?;
                let before = Timestamp::from_ms(until.max(mark).as_ms() - 1);
                timetable.next_fire_after(before)
            }
        }
    }
}

/// An entry as scripts answer it.
pub(super) struct EntryText {
    pub(super) name: String,
    /// Empty where something stands that is no entry.
    record: String,
    /// JSON; empty where there is none.
    definition: String,
    waiting: u64,
    live: Vec<String>,
}

impl EntryText {
    /// Takes an entry from an answer: name, record, definition, how many runs wait, how many are live, those.
    pub(super) fn take(items: &mut Items<'_>) -> Result<Self, StoreError> {
        let [name, record, definition] = [items.text()?, items.text()?, items.text()?].map(Cow::into_owned);
        Ok(Self { name, record, definition, waiting: items.int()?.unsigned_abs(), live: items.list()? })
    }

    /// Takes what an entry was before it was removed: record, definition.
    pub(super) fn take_bare(name: &CronName, items: &mut Items<'_>) -> Result<Self, StoreError> {
        let [record, definition] = [items.text()?, items.text()?].map(Cow::into_owned);
        Ok(Self { name: name.to_string(), record, definition, waiting: 0, live: Vec::new() })
    }

    pub(super) fn read(&self, keys: &PartitionKeys, read_at: Timestamp) -> Result<StoredEntry, StoreError> {
        let corrupt =
            |problem: String| StoreError::corrupt(format!("{}cron entry {}", keys.root(), self.name), problem);
        if self.record.is_empty() {
            return Err(corrupt("its keys hold something else than an entry".to_owned()));
        }
        if self.definition.is_empty() {
            return Err(corrupt("its definition is missing".to_owned()));
        }
        let record = EntryRecord::read(&self.record).map_err(corrupt)?;
        let definition = Definition::parse_kept(&self.definition).map_err(|refusal| corrupt(refusal.message))?;
        let run = |text: &String| text.parse().map_err(|_| corrupt(format!("`{text}` as a run")));
        Ok(StoredEntry {
            definition,
            partition: keys.partition(),
            revision: record.revision,
            uid: record.uid.to_owned(),
            anchor: record.anchor,
            next_mark: record.next_mark,
            enabled: record.enabled,
            pause: record.pause,
            scheduled_runs: record.scheduled_runs,
            read_at,
            last_run_at: record.last_run_at,
            run_count: record.run_count,
            created_at: record.created_at,
            updated_at: record.updated_at,
            live: self.live.iter().map(run).collect::<Result<_, _>>()?,
            waiting: self.waiting,
            source: record.source,
        })
    }
}
