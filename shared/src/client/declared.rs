//! Cron entries that belong to a file, and those that do not.

use std::borrow::Cow;

use super::entries::TRIES_MAX;
use super::{Client, ClientError, Registered};
use crate::cron::{Definition, Source, Spelling};
use crate::name::{CronName, OwnerName};
use crate::store::{EntryRemoved, StoredEntry};

/// Who puts an entry there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Author<'a> {
    /// A client, who says all that the entry is.
    Client,
    /// An operator, who switches it on or off.
    Operator,
    /// The file that declares it.
    File(&'a Source),
}

impl Author<'_> {
    /// What declares the entry once it is put there. What belongs to somebody else is refused.
    pub(super) fn source(self, name: &CronName, existing: Option<&StoredEntry>) -> Result<Option<Source>, ClientError> {
        let held = existing.and_then(|entry| entry.source.as_ref());
        match (self, held) {
            (Self::File(source), Some(held)) if held.owner == source.owner => Ok(Some(source.clone())),
            (Self::File(_), None) if existing.is_some() => Err(ClientError::Taken(name.clone())),
            (Self::File(source), None) => Ok(Some(source.clone())),
            (Self::Operator, Some(held)) if held.enabled.is_none() => Ok(Some(held.clone())),
            (Self::Client | Self::Operator, None) => Ok(None),
            (_, Some(held)) => Err(ClientError::Declared { name: name.clone(), by: held.clone() }),
        }
    }
}

impl Author<'_> {
    /// What is put there: a file also decides on being enabled.
    pub(super) fn wish<'d>(self, definition: &'d Definition, existing: Option<&StoredEntry>) -> Cow<'d, Definition> {
        let Self::File(source) = self else { return Cow::Borrowed(definition) };
        let enabled = source.enables(existing.map(|entry| (entry.source.as_ref(), entry.enabled)));
        Cow::Owned(Definition { enabled: Some(enabled), ..definition.clone() })
    }
}

impl Client {
    /// Registers a cron entry that a file declares, or changes it. What happened to it so far is kept.
    ///
    /// # Errors
    ///
    /// When an entry of this name is there that this owner does not own, or Redis cannot be reached or takes no more.
    pub async fn declare(&self, definition: &Definition, source: &Source) -> Result<Registered, ClientError> {
        self.put(definition, Spelling::Flat, Author::File(source)).await
    }

    /// Removes a cron entry that files of this owner declared; says whether there was one.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or others keep changing the entry.
    pub async fn withdraw(&self, name: &CronName, owner: &OwnerName) -> Result<bool, ClientError> {
        for _ in 0..TRIES_MAX {
            let entry = self.store.entry(name).await?;
            let ours = |entry: &StoredEntry| entry.source.as_ref().is_some_and(|source| source.owner == *owner);
            let Some(entry) = entry.filter(ours) else { return Ok(false) };
            match self.store.remove_entry_seen(&entry).await? {
                EntryRemoved::Removed(_) => return Ok(true),
                EntryRemoved::Gone => return Ok(false),
                EntryRemoved::Stale => {}
            }
        }
        Err(ClientError::Contended(name.clone()))
    }

    /// Removes a cron entry that no file declares, and returns it as it was; none if it could not be read.
    ///
    /// # Errors
    ///
    /// When there is no such entry, a file declares it, or Redis cannot be reached.
    pub async fn remove(&self, name: &CronName) -> Result<Option<Box<StoredEntry>>, ClientError> {
        for _ in 0..TRIES_MAX {
            let entry = self.store.entry(name).await?;
            Author::Client.source(name, entry.as_ref())?;
            let removed = match &entry {
                Some(entry) => self.store.remove_entry_seen(entry).await?,
                // What cannot be read can be removed all the same.
                None => self.store.remove_entry(name).await?,
            };
            match removed {
                EntryRemoved::Removed(entry) => return Ok(entry),
                EntryRemoved::Gone => return Err(ClientError::NoEntry(name.clone())),
                EntryRemoved::Stale => {}
            }
        }
        Err(ClientError::Contended(name.clone()))
    }
}
