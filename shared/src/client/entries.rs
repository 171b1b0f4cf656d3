//! Cron entries: registered, changed, run by hand.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Client, ClientError};
use crate::clock::Timestamp;
use crate::cron::{Decision, Definition, Spelling, Warning, next_mark};
use crate::id::{JobId, Partition};
use crate::job::Refusal;
use crate::name::CronName;
use crate::store::{EntryPut, FireDecision, FireItem, FireResult, PutReply, StoreError, StoredEntry};

/// What became of a registration.
#[derive(Debug)]
pub struct Registered {
    /// The entry as it stands now.
    pub entry: StoredEntry,
    /// Whether there was none of this name before.
    pub created: bool,
    /// What its owner should know about the schedule.
    pub warnings: Vec<Warning>,
    /// How the request was spelled.
    pub spelling: Spelling,
}

/// A run that somebody asked for.
#[derive(Debug)]
pub struct Asked {
    /// Its job.
    pub job_id: JobId,
    /// Whether it waits until the live run has ended.
    pub waits: bool,
    /// The runs that were cancelled for it.
    pub cancelled: Vec<JobId>,
}

/// How often a change is decided anew because others were faster.
const TRIES_MAX: usize = 20;

impl Client {
    /// Registers a cron entry, or changes the one of that name.
    ///
    /// What a registration does not mention keeps its default, but `enabled` keeps what is stored: a deploy must not switch
    /// on again what an operator switched off. An unchanged schedule keeps its next instant.
    ///
    /// # Errors
    ///
    /// When the registration is wrong, or Redis cannot be reached or takes no more.
    pub async fn register(&self, request: &Value) -> Result<Registered, ClientError> {
        let (definition, spelling) = Definition::read(request)?;
        self.put(&definition, spelling).await
    }

    /// Changes some members of a cron entry, `enabled` among them.
    ///
    /// # Errors
    ///
    /// When there is no such entry, the change is wrong, or Redis cannot be reached.
    pub async fn patch(&self, name: &CronName, changes: &Map<String, Value>) -> Result<Registered, ClientError> {
        let known = changes.keys().any(|key| CHANGEABLE.contains(&key.as_str()));
        if !known {
            let message = format!("nothing to change: expected at least one of {}", CHANGEABLE.join(", "));
            return Err(Refusal::field("", message).into());
        }
        let entry = self.store.entry(name).await?.ok_or_else(|| ClientError::NoEntry(name.clone()))?;
        let Value::Object(mut request) = entry.definition.to_json() else {
            return Err(StoreError::corrupt(name.as_str(), "not an object").into());
        };
        if changes.contains_key("expression") || changes.contains_key("schedule") {
            request.remove("cron");
        }
        for (key, value) in changes.iter().filter(|(key, _)| CHANGEABLE.contains(&key.as_str())) {
            request.insert(key.clone(), value.clone());
        }
        let (definition, spelling) = Definition::read(&Value::Object(request))?;
        self.put(&definition, spelling).await
    }

    async fn put(&self, definition: &Definition, spelling: Spelling) -> Result<Registered, ClientError> {
        let queue = definition.envelope(Timestamp::from_ms(0), &[])?.queue;
        let partition = self.store.keys().partition_of(&queue);
        for _ in 0..TRIES_MAX {
            let now = self.store.now().await?;
            let existing = self.store.entry(&definition.name).await?;
            if existing.as_ref().is_some_and(|entry| entry.partition != partition) {
                let message =
                    "the queue of this entry belongs to another partition: remove the entry, then register it anew";
                return Err(Refusal::field("options.queue", message).into());
            }
            let put = plan(definition, existing.as_ref(), partition, now)?;
            if self.store.put_entry(&put).await? == PutReply::Stale {
                continue;
            }
            let Some(entry) = self.store.entry(&definition.name).await? else { continue };
            let warnings = entry.schedule()?.warnings(now);
            return Ok(Registered { entry, created: existing.is_none(), warnings, spelling });
        }
        Err(ClientError::Contended(definition.name.clone()))
    }

    /// Runs a cron entry at once, with other arguments if some are given. The schedule does not move.
    ///
    /// # Errors
    ///
    /// When there is no such entry, or Redis cannot be reached or takes no more.
    pub async fn run_now(&self, name: &CronName, args: Option<Vec<Value>>) -> Result<Asked, ClientError> {
        // One id for all tries: one whose answer was lost is recognised when it is made again.
        let id = JobId::random(self.store.now().await?, Partition(0));
        for _ in 0..TRIES_MAX {
            let now = self.store.now().await?;
            let entry = self.store.entry(name).await?.ok_or_else(|| ClientError::NoEntry(name.clone()))?;
            let id = id.moved_to(entry.partition);
            let item = FireItem::asked(&entry, id, now, args.clone())?;
            let FireDecision::Fire(decision, run) = &item.decision else {
                return Err(StoreError::corrupt(name.as_str(), "a run that was asked for was skipped").into());
            };
            let asked = Asked {
                job_id: run.id,
                waits: *decision == Decision::FireBehind,
                cancelled: if *decision == Decision::CancelAndFire { entry.live } else { Vec::new() },
            };
            match self.store.fire_asked(entry.partition, item).await? {
                FireResult::Applied => return Ok(asked),
                FireResult::Gone => return Err(ClientError::NoEntry(name.clone())),
                FireResult::Stale | FireResult::Already | FireResult::Early => {}
            }
        }
        Err(ClientError::Contended(name.clone()))
    }
}

/// What a patch may change.
const CHANGEABLE: &[&str] = &[
    "enabled",
    "cron",
    "expression",
    "schedule",
    "timezone",
    "dialect",
    "fields",
    "dst_fold",
    "type",
    "args",
    "meta",
    "options",
    "job_template",
    "overlap_policy",
    "description",
    "paused",
    "status",
];

/// Decides what a registration makes of the entry that was read.
fn plan<'a>(
    definition: &'a Definition,
    existing: Option<&StoredEntry>,
    partition: Partition,
    now: Timestamp,
) -> Result<EntryPut<'a>, ClientError> {
    let same_schedule = existing.filter(|entry| is_same_schedule(&entry.definition, definition));
    let anchor = same_schedule.map_or(now, |entry| entry.anchor);
    let enabled = definition.enabled.unwrap_or_else(|| existing.is_none_or(|entry| entry.enabled));
    let schedule = definition.schedule(anchor).map_err(|error| Refusal::field("cron", error.to_string()))?;
    // An instant that has come but is not decided yet is kept too: it would be lost otherwise.
    let kept = same_schedule.filter(|entry| entry.enabled == enabled).map(|entry| entry.next_mark);
    let given_up = match (kept, existing.filter(|entry| entry.enabled)) {
        (None, Some(entry)) => undecided(entry, now)?,
        _ => 0,
    };
    Ok(EntryPut {
        definition,
        partition,
        revision_seen: existing.map_or(0, |entry| entry.revision),
        mark_seen: existing.and_then(|entry| entry.next_mark),
        enabled,
        next_mark: kept.unwrap_or_else(|| next_mark(&schedule, now)),
        anchor,
        given_up,
    })
}

/// How many instants of an entry have come without having been decided on.
fn undecided(entry: &StoredEntry, now: Timestamp) -> Result<u64, ClientError> {
    match entry.next_mark {
        Some(mark) if mark <= now => Ok(entry.schedule()?.count_between(mark - Duration::from_millis(1), now).max(1)),
        _ => Ok(0),
    }
}

fn is_same_schedule(a: &Definition, b: &Definition) -> bool {
    (&a.expression, a.dialect, a.zone, a.dst_fold) == (&b.expression, b.dialect, b.zone, b.dst_fold)
}
