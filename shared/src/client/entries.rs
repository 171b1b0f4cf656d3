//! Cron entries: registered and changed.

use serde_json::{Map, Value};

use super::declared::Author;
use super::{Client, ClientError};
use crate::clock::Timestamp;
use crate::cron::{Change, Definition, MEMBERS, Pause, Spelling, Warning, change};
use crate::id::nonce;
use crate::job::Refusal;
use crate::name::CronName;
use crate::store::{EntryPut, StoreError, StoredEntry};

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

/// How often a change is decided anew because others were faster.
pub(super) const TRIES_MAX: usize = 20;

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
        self.put(&definition, spelling, Author::Client).await
    }

    /// Changes some members of a cron entry, `enabled` among them. What the wire shows and nobody may change is ignored.
    ///
    /// # Errors
    ///
    /// When there is no such entry, the change is wrong or names a member that no entry has, or Redis cannot be reached.
    pub async fn patch(&self, name: &CronName, changes: &Map<String, Value>) -> Result<Registered, ClientError> {
        check_members(name, changes)?;
        let entry = self.store.entry(name).await?.ok_or_else(|| ClientError::NoEntry(name.clone()))?;
        let Value::Object(mut request) = entry.definition.to_json() else {
            return Err(StoreError::corrupt(name.as_str(), "not an object").into());
        };
        if changes.contains_key("expression") || changes.contains_key("schedule") {
            request.remove("cron");
        }
        for (key, value) in changes.iter().filter(|(key, _)| is_changeable(key)) {
            request.insert(key.clone(), value.clone());
        }
        let (definition, spelling) = Definition::read(&Value::Object(request))?;
        let mut changed = changes.keys().filter(|key| is_changeable(key));
        let only_switches = changed.all(|key| SWITCHES.contains(&key.as_str()));
        self.put(&definition, spelling, if only_switches { Author::Operator } else { Author::Client }).await
    }

    pub(super) async fn put(
        &self,
        definition: &Definition,
        spelling: Spelling,
        author: Author<'_>,
    ) -> Result<Registered, ClientError> {
        let queue = definition.envelope(Timestamp::from_ms(0), &[])?.queue;
        let partition = self.store.keys().partition_of(&queue);
        for _ in 0..TRIES_MAX {
            let (now, existing) = self.store.look_for(&definition.name).await?;
            if existing.as_ref().is_some_and(|entry| entry.partition != partition) {
                let message =
                    "the queue of this entry belongs to another partition: remove the entry, then register it anew";
                return Err(Refusal::field("options.queue", message).into());
            }
            let pause = existing.as_ref().and_then(|entry| entry.pause.clone());
            let source = author.source(&definition.name, existing.as_ref())?;
            let definition = author.wish(definition, existing.as_ref());
            let change = planned(existing.as_ref(), &definition, pause, now)?;
            let put = EntryPut {
                definition: &definition,
                partition,
                revision_seen: existing.as_ref().map_or(0, |entry| entry.revision),
                mark_seen: existing.as_ref().and_then(|entry| entry.next_mark),
                change,
                source: source.as_ref(),
                told: None,
            };
            let Some(entry) = self.store.put_and_read(&put).await? else { continue };
            let warnings = entry.schedule()?.warnings(now);
            return Ok(Registered { entry, created: existing.is_none(), warnings, spelling });
        }
        Err(ClientError::Contended(definition.name.clone()))
    }
}

/// What a patch may change: what an entry can say of itself but its name, and whether it is switched on by other words.
fn changeable() -> impl Iterator<Item = &'static str> {
    MEMBERS.iter().copied().filter(|name| *name != "name").chain(["paused", "status"])
}

fn is_changeable(name: &str) -> bool {
    changeable().any(|known| known == name)
}

/// What an operator may change of an entry that a file declares, unless the file says it.
const SWITCHES: &[&str] = &["enabled", "paused", "status"];

/// What the wire shows beside: a client that sends back what it was shown means no change by these.
const SHOWN: &[&str] = &[
    "name",
    "last_run_at",
    "next_run_at",
    "run_count",
    "scheduled_runs",
    "created_at",
    "updated_at",
    "active_job_ids",
    "waiting_runs",
    "source",
    "pause",
    "warnings",
    "cron_job",
];

fn check_members(name: &CronName, changes: &Map<String, Value>) -> Result<(), Refusal> {
    let known = |key: &&String| is_changeable(key) || SHOWN.contains(&key.as_str());
    if let Some(unknown) = changes.keys().find(|key| !known(key)) {
        let message = format!(
            "an entry has no member `{unknown}` that could be changed: expected {}",
            changeable().collect::<Vec<_>>().join(", ")
        );
        return Err(Refusal::field(unknown.clone(), message));
    }
    if changes.get("name").is_some_and(|other| other.as_str() != Some(name.as_str())) {
        return Err(Refusal::field(
            "name",
            "the name of an entry cannot be changed: register another, and remove this one",
        ));
    }
    if changes.keys().any(|key| is_changeable(key)) {
        return Ok(());
    }
    let message =
        format!("nothing to change: expected at least one of {}", changeable().collect::<Vec<_>>().join(", "));
    Err(Refusal::field("", message))
}

/// What a change makes of the entry that was read.
pub(super) fn planned(
    existing: Option<&StoredEntry>,
    definition: &Definition,
    pause: Option<Pause>,
    now: Timestamp,
) -> Result<Change, ClientError> {
    let standing = existing.map(StoredEntry::standing);
    let before = existing.map(|entry| &entry.definition).zip(standing.as_ref());
    let change = change(before, definition, pause, &nonce(), now);
    Ok(change.map_err(|error| Refusal::field("cron", error.to_string()))?)
}
