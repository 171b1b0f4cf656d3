//! A job in the answer of a script, as `job_to` in `lua/record.lua` writes it.

use super::job_lines::JobLines;
use super::record::{envelope, json_values, record};
use super::reply::Items;
use super::{PartitionKeys, StoreError};
use crate::id::JobId;
use crate::job::Job;

/// The first of its items.
pub(super) struct JobItem<'a> {
    /// What the script says about it.
    pub(super) word: &'a str,
    /// What stands behind: its record; the state alone, or nothing, where the script shows no more.
    pub(super) behind: &'a str,
    errors: usize,
    parents: usize,
}

impl<'a> JobItem<'a> {
    pub(super) fn read(script: &str, text: &'a str) -> Result<Self, StoreError> {
        let (head, behind) = text.split_once('\n').unwrap_or((text, ""));
        let mut words = head.split(' ');
        let word = words.next().unwrap_or_default();
        let mut count = || words.next().map_or(Ok(0), str::parse).map_err(|_| StoreError::corrupt(script, head));
        Ok(Self { word, behind, errors: count()?, parents: count()? })
    }

    /// The job, with the items that follow.
    pub(super) fn job(&self, keys: &PartitionKeys, id: JobId, items: &mut Items<'_>) -> Result<Job, StoreError> {
        Ok(Job {
            envelope: envelope(&keys.envelope(id), &items.text()?),
            record: record(id, &JobLines::new(keys, id, self.behind))?,
            result: None,
            errors: json_values(|| keys.errors(id), &items.texts(self.errors)?)?,
            parent_results: json_values(|| keys.out(id), &items.texts(self.parents)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stands_before_the_record_and_counts_behind_the_word() {
        let read =
            |text| JobItem::read("a script", text).map(|item| (item.word, item.behind, item.errors, item.parents)).ok();
        assert_eq!(read("ok\nactive\n1\n"), Some(("ok", "active\n1\n", 0, 0)));
        assert_eq!(read("ok 2 1\nactive"), Some(("ok", "active", 2, 1)));
        assert_eq!(read("gone"), Some(("gone", "", 0, 0)));
        assert_eq!(read("ok many\nactive"), None);
    }
}
