//! Cron entries: registered, looked at, removed. Firing is in [`fire`](super::fire).

use std::time::Duration;

use serde_json::json;

use super::entries::EntryText;
use super::{Store, StoreError, StoredEntry, script};
use crate::clock::{BootInstant, Timestamp};
use crate::cron::{Change, Definition, Source};
use crate::id::Partition;
use crate::name::CronName;

/// A registration, decided on the entry as it was read.
#[derive(Debug)]
pub struct EntryPut<'a> {
    /// What is registered.
    pub definition: &'a Definition,
    /// Where: the partition of the queue it fires into.
    pub partition: Partition,
    /// The revision it was decided on; 0 when there was no entry.
    pub revision_seen: u64,
    /// The next instant it was decided on.
    pub mark_seen: Option<Timestamp>,
    /// What it makes of the entry.
    pub change: Change,
    /// The file that declares it, if one does.
    pub source: Option<&'a Source>,
    /// What is told of it.
    pub told: Option<Told>,
}

/// An event of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its type.
    pub kind: &'static str,
    /// Its data: a JSON object.
    pub data: String,
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutReply {
    /// It stands.
    Put,
    /// The entry was changed since it was read: read it again, decide again.
    Stale,
}

/// What became of a removal.
#[derive(Debug, Clone)]
pub enum EntryRemoved {
    /// This is what it was; `None` when it could not be read.
    Removed(Option<Box<StoredEntry>>),
    /// There is no such entry.
    Gone,
    /// It was changed since it was read: read it again.
    Stale,
}

/// For so long the ledger of a removed entry can still be read.
const LEDGER_KEPT_AFTER: Duration = Duration::from_secs(7 * 86_400);

impl Store {
    /// Registers an entry, or changes it.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached or takes no more.
    pub async fn put_entry(&self, put: &EntryPut<'_>) -> Result<PutReply, StoreError> {
        let put = self.put_and_read(put).await?;
        Ok(if put.is_some() { PutReply::Put } else { PutReply::Stale })
    }

    /// Registers an entry, or changes it, and says how it stands now; `None` where it was changed since it was read.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached or takes no more.
    pub async fn put_and_read(&self, put: &EntryPut<'_>) -> Result<Option<StoredEntry>, StoreError> {
        let keys = self.key(put.partition);
        let name = &put.definition.name;
        let names = vec![keys.crons(), keys.cron(name), keys.ledger(name), keys.declared(), keys.definition(name)];
        let mark = |mark: Option<Timestamp>| mark.map(|at| at.as_ms().to_string()).unwrap_or_default();
        let standing = &put.change.standing;
        let pause = standing.pause.as_ref().map(|pause| json!(pause).to_string()).unwrap_or_default();
        let (reason, instants) = put.change.given_up.map_or(("", 0), |given_up| (given_up.reason, given_up.instants));
        let scheduled = put.change.given_up.map(|given_up| given_up.scheduled);
        let source = put.source.map(|source| json!(source).to_string()).unwrap_or_default();
        let (kind, data) = put.told.as_ref().map_or(("", ""), |told| (told.kind, told.data.as_str()));
        let args = vec![
            name.as_str().into(),
            i64::try_from(put.revision_seen).unwrap_or(i64::MAX).into(),
            put.definition.to_kept_json().into(),
            i64::from(standing.enabled).into(),
            mark(standing.mark).into(),
            standing.uid.as_str().into(),
            standing.anchor.as_ms().into(),
            mark(put.mark_seen).into(),
            mark(put.change.look_at).into(),
            pause.into(),
            reason.into(),
            mark(scheduled).into(),
            i64::try_from(instants).unwrap_or(i64::MAX).into(),
            kind.into(),
            data.into(),
            source.into(),
        ];
        let reply = self.run(&script::cron_put, &keys, names, args).await?;
        if reply.text(0)? != "ok" {
            return Ok(None);
        }
        EntryText::take(&mut reply.items(2))?.read(&keys, reply.time(1)?).map(Some)
    }

    /// Looks at an entry.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not an entry.
    pub async fn entry(&self, name: &CronName) -> Result<Option<StoredEntry>, StoreError> {
        Ok(self.look_for(name).await?.1)
    }

    /// Looks at an entry, and says when.
    pub(crate) async fn look_for(&self, name: &CronName) -> Result<(Timestamp, Option<StoredEntry>), StoreError> {
        let mut now = Timestamp::MIN;
        for partition in self.partitions() {
            let (read_at, mut found) = self.entries_at(partition, std::slice::from_ref(name)).await?;
            now = read_at;
            if let Some(found) = found.pop() {
                return Ok((now, Some(found)));
            }
        }
        Ok((now, None))
    }

    pub(super) async fn entries_in(
        &self,
        partition: Partition,
        names: &[CronName],
    ) -> Result<Vec<StoredEntry>, StoreError> {
        Ok(self.entries_at(partition, names).await?.1)
    }

    /// The entries of these names, and when they were read.
    async fn entries_at(
        &self,
        partition: Partition,
        names: &[CronName],
    ) -> Result<(Timestamp, Vec<StoredEntry>), StoreError> {
        let keys = self.key(partition);
        let args = names.iter().map(|name| name.as_str().into()).collect();
        let sent = BootInstant::now();
        let reply =
            self.run(&script::cron_look, &keys, names.iter().map(|name| keys.cron(name)).collect(), args).await?;
        let read_at = self.heard(&reply, 0, sent)?;
        let mut found = Vec::with_capacity(names.len());
        let mut items = reply.items(1);
        while !items.is_empty() {
            match EntryText::take(&mut items)?.read(&keys, read_at) {
                Ok(entry) => found.push(entry),
                // One unreadable entry must not hide the others.
                Err(error) => tracing::error!(error = %error, "a cron entry cannot be read"),
            }
        }
        Ok((read_at, found))
    }

    /// Removes an entry, whatever it is by now. Its runs are not touched.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn remove_entry(&self, name: &CronName) -> Result<EntryRemoved, StoreError> {
        for partition in self.partitions() {
            match self.remove_from(partition, name, None).await? {
                EntryRemoved::Gone => {}
                removed => return Ok(removed),
            }
        }
        Ok(EntryRemoved::Gone)
    }

    /// Removes an entry if it is still as it was read. Its runs are not touched.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn remove_entry_seen(&self, entry: &StoredEntry) -> Result<EntryRemoved, StoreError> {
        self.remove_from(entry.partition, &entry.definition.name, Some(entry.revision)).await
    }

    async fn remove_from(
        &self,
        partition: Partition,
        name: &CronName,
        revision_seen: Option<u64>,
    ) -> Result<EntryRemoved, StoreError> {
        let keys = self.key(partition);
        let kept_ms = i64::try_from(LEDGER_KEPT_AFTER.as_millis()).unwrap_or(i64::MAX);
        let names = vec![keys.crons(), keys.cron(name), keys.ledger(name), keys.declared(), keys.definition(name)];
        let revision = revision_seen.map(|revision| revision.to_string()).unwrap_or_default();
        let args = vec![name.as_str().into(), kept_ms.into(), revision.into()];
        let reply = self.run(&script::cron_remove, &keys, names, args).await?;
        match reply.text(0)?.as_str() {
            "ok" => {
                let entry = EntryText::take_bare(name, &mut reply.items(2))?.read(&keys, reply.time(1)?);
                Ok(EntryRemoved::Removed(entry.ok().map(Box::new)))
            }
            "stale" => Ok(EntryRemoved::Stale),
            _ => Ok(EntryRemoved::Gone),
        }
    }
}
