//! Entries whose instant has come, read for the leader.

use std::time::Duration;

use serde_json::json;

use super::connection::Arg;
use super::entries::EntryText;
use super::{LeaderToken, Store, StoreError, StoredEntry, script};
use crate::clock::{BootInstant, Timestamp};
use crate::id::Partition;

/// The entries of a partition whose instant has come.
#[derive(Debug)]
pub enum DueEntries {
    /// These, as read at `now`.
    Due {
        /// Redis's time.
        now: Timestamp,
        /// When the next instant comes that has not come yet.
        next_at: Option<Timestamp>,
        /// The entries, earliest first.
        entries: Vec<StoredEntry>,
        /// Those among them that cannot be read: their names, and why.
        unreadable: Vec<Unreadable>,
    },
    /// The token is not this partition's fence: somebody else leads, or Redis was emptied.
    Fenced,
}

/// An entry that stands in the store and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its name, as it stands there.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Store {
    /// Lists the entries of a partition whose instant has come, `most` at most, earliest first.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not an entry.
    pub async fn due_entries(
        &self,
        partition: Partition,
        token: &LeaderToken,
        most: usize,
    ) -> Result<DueEntries, StoreError> {
        self.due_entries_behind(partition, token, most, 0).await
    }

    /// Lists them but for the first `passed`: those whose decisions are on the way. What is decided on twice all the same is
    /// fired once.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not an entry.
    pub async fn due_entries_behind(
        &self,
        partition: Partition,
        token: &LeaderToken,
        most: usize,
        passed: usize,
    ) -> Result<DueEntries, StoreError> {
        let keys = self.key(partition);
        let args = vec![
            token.as_str().into(),
            i64::try_from(most).unwrap_or(100).into(),
            i64::try_from(passed).unwrap_or(0).into(),
        ];
        let sent = BootInstant::now();
        let reply = self.run(&script::cron_due, &keys, vec![keys.crons(), keys.fence()], args).await?;
        let now = self.heard(&reply, 1, sent)?;
        if reply.text(0)? != "ok" {
            return Ok(DueEntries::Fenced);
        }
        #[expect(clippy::cast_possible_truncation, reason = "a score in milliseconds, far below 2^53")]
        let next_at = reply.text(2)?.parse::<f64>().ok().map(|ms| Timestamp::from_ms(ms as i64));
        let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
        let mut items = reply.items(3);
        while !items.is_empty() {
            let text = EntryText::take(&mut items)?;
            match text.read(&keys, now) {
                Ok(entry) => entries.push(entry),
                // One unreadable entry must not keep the others from firing.
                Err(error) => unreadable.push(Unreadable { name: text.name, problem: error.to_string() }),
            }
        }
        Ok(DueEntries::Due { now, next_at, entries, unreadable })
    }

    /// Sets entries that cannot be read aside for `rest`, so that they are not read again and again before all others.
    /// False when the token is not this partition's fence.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn set_aside(
        &self,
        partition: Partition,
        token: &LeaderToken,
        unreadable: &[Unreadable],
        rest: Duration,
    ) -> Result<bool, StoreError> {
        let keys = self.key(partition);
        let mut args: Vec<Arg<'_>> =
            vec![token.as_str().into(), i64::try_from(rest.as_millis()).unwrap_or(i64::MAX).into()];
        for one in unreadable {
            let data = json!({"cron_name": one.name, "problem": one.problem});
            args.extend([one.name.as_str().into(), data.to_string().into()]);
        }
        let reply = self.run(&script::cron_aside, &keys, vec![keys.crons(), keys.fence()], args).await?;
        Ok(reply.text(0)? == "ok")
    }
}
