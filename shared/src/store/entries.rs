//! Cron entries as they stand in Redis.

use super::record::Hash;
use super::{PartitionKeys, Reply, StoreError};
use crate::clock::Timestamp;
use crate::cron::{Definition, EntryStatus, Schedule, next_run_at};
use crate::id::{JobId, Partition};

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

    /// What the wire shows beside the definition.
    #[must_use]
    pub fn status(&self) -> EntryStatus {
        let next = |mark| next_run_at(&self.schedule().ok()?, mark);
        EntryStatus {
            enabled: self.enabled,
            next_run_at: self.next_mark.filter(|_| self.enabled).and_then(next),
            last_run_at: self.last_run_at,
            run_count: self.run_count,
            created_at: self.created_at,
            updated_at: self.updated_at,
            live: self.live.clone(),
            waiting: self.waiting,
        }
    }
}

/// Reads `{name, fields, live runs, waiting}`.
pub(super) fn entry(keys: &PartitionKeys, reply: &Reply) -> Result<StoredEntry, StoreError> {
    let name = reply.text(0)?;
    let hash = Hash::new(format!("{}cron entry {name}", keys.root()), &reply.list(1)?)?;
    let runs = reply.list(2)?.texts(0)?;
    let run =
        |text: &String| text.parse().map_err(|_| StoreError::corrupt(name.as_str(), format!("`{text}` as a run")));
    Ok(StoredEntry {
        live: runs.iter().map(run).collect::<Result<_, _>>()?,
        waiting: reply.int(3)?.unsigned_abs(),
        ..bare_entry(keys.partition(), &hash)?
    })
}

/// Reads the hash of an entry alone.
pub(super) fn bare_entry(partition: Partition, hash: &Hash) -> Result<StoredEntry, StoreError> {
    let json: String = hash.required("def")?;
    let value = serde_json::from_str(&json).map_err(|error| StoreError::corrupt("cron entry", error.to_string()))?;
    let definition =
        Definition::read_kept(&value).map_err(|refusal| StoreError::corrupt("cron entry", refusal.message))?;
    let created_at = Timestamp::from_ms(hash.required("created")?);
    Ok(StoredEntry {
        definition,
        partition,
        revision: hash.required("rev")?,
        uid: hash.required("uid")?,
        anchor: hash.time("anchor")?.unwrap_or(created_at),
        next_mark: hash.time("next")?,
        enabled: hash.text("enabled") == Some("1"),
        last_run_at: hash.time("last")?,
        run_count: hash.parsed("runs")?.unwrap_or(0),
        created_at,
        updated_at: hash.time("updated")?.unwrap_or(created_at),
        live: Vec::new(),
        waiting: 0,
    })
}
