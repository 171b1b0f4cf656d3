//! Entries by name: all of them, some, or a page, which reads no more of them than it shows.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reply, Store, StoreError, StoredEntry};
use crate::id::Partition;
use crate::name::CronName;

/// Part of the entries, by name.
#[derive(Debug)]
pub struct EntryPage {
    /// These.
    pub entries: Vec<StoredEntry>,
    /// How many there are in all. Those that cannot be read are counted, and not shown.
    pub total: usize,
}

/// So many names, roughly, are asked for at once.
const NAMES_AT_ONCE: usize = 1000;
const LOOKED_AT_ONCE: usize = 100;

impl Store {
    /// Looks at every entry, by name.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not an entry.
    pub async fn entries(&self) -> Result<Vec<StoredEntry>, StoreError> {
        Ok(self.entry_page(0, usize::MAX).await?.entries)
    }

    /// Looks at `most` entries from the `offset`th on, by name. Only names are read of the others.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not an entry.
    pub async fn entry_page(&self, offset: usize, most: usize) -> Result<EntryPage, StoreError> {
        let names = self.entry_names().await?;
        let mut found = Vec::new();
        let mut shown: BTreeMap<Partition, Vec<CronName>> = BTreeMap::new();
        let total = names.len();
        for (name, partition) in names.into_iter().skip(offset).take(most) {
            shown.entry(partition).or_default().push(name);
        }
        for (partition, names) in shown {
            for some in names.chunks(LOOKED_AT_ONCE) {
                found.extend(self.entries_in(partition, some).await?);
            }
        }
        found.sort_by(|a, b| a.definition.name.cmp(&b.definition.name));
        Ok(EntryPage { entries: found, total })
    }

    /// The names of all entries, and where each is. A few at a time: Redis does nothing else while it writes out a list.
    async fn entry_names(&self) -> Result<BTreeSet<(CronName, Partition)>, StoreError> {
        let mut names = BTreeSet::new();
        for partition in self.partitions() {
            let key = self.key(partition).crons();
            let mut cursor = "0".to_owned();
            loop {
                let mut scan = redis::cmd("ZSCAN");
                scan.arg(&key).arg(&cursor).arg("COUNT").arg(NAMES_AT_ONCE);
                let reply = Reply::new("crons", self.send(&scan).await?)?;
                cursor = reply.text(0)?;
                let found = reply.list(1)?.pairs()?;
                names.extend(found.iter().filter_map(|(name, _)| Some((name.parse().ok()?, partition))));
                if cursor == "0" {
                    break;
                }
            }
        }
        Ok(names)
    }

    /// Looks at the entries of these names, as far as there are any, by name.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn entries_named(&self, names: &[CronName]) -> Result<Vec<StoredEntry>, StoreError> {
        let mut found = Vec::new();
        for partition in self.partitions() {
            for some in names.chunks(LOOKED_AT_ONCE) {
                found.extend(self.entries_in(partition, some).await?);
            }
        }
        found.sort_by(|a, b| a.definition.name.cmp(&b.definition.name));
        Ok(found)
    }

    /// The names of the entries that files declare, whoever owns them.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn declared_names(&self) -> Result<Vec<CronName>, StoreError> {
        let mut found = Vec::new();
        for partition in self.partitions() {
            let names = self.send(redis::cmd("SMEMBERS").arg(self.key(partition).declared())).await?;
            found.extend(Reply::new("declared", names)?.texts(0)?.iter().filter_map(|name| name.parse().ok()));
        }
        Ok(found)
    }

    /// How many entries there are.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn count_entries(&self) -> Result<u64, StoreError> {
        let mut total = 0;
        for partition in self.partitions() {
            let count = self.send(redis::cmd("ZCARD").arg(self.key(partition).crons())).await?;
            total += Reply::new("crons", redis::Value::Array(vec![count]))?.int(0)?.unsigned_abs();
        }
        Ok(total)
    }
}
