//! Both ends of a ledger: what is appended to it, and what is cut off.

use std::time::Duration;

use super::ledger_list::{Item, item};
use super::ledger_pages::{Pages, Row};
use super::{Reply, Store, StoreError, script};
use crate::cron::{LedgerRow, RunEnd, position};
use crate::id::{JobId, Partition};
use crate::name::CronName;

/// What was appended to a ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum LedgerNews {
    /// A decision.
    Decided(LedgerRow),
    /// The end of the run of this job.
    Ended(JobId, RunEnd),
}

/// Rows of the list for each that may be shown: its decision and its end.
const KEPT_PER_ROW: u64 = 2;
/// And some for second ends and notes.
const KEPT_MORE: u64 = 100;
/// Entries whose ledgers are cut by one call.
const CUT_AT_ONCE: usize = 100;

impl Store {
    /// The position of what was appended to a ledger last; `0-0` when there is nothing.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn ledger_end(&self, name: &CronName) -> Result<String, StoreError> {
        let mut end = "0-0".to_owned();
        for partition in self.partitions() {
            let key = self.key(partition).ledger(name);
            let range = redis::cmd("LRANGE").arg(&key).arg(-1).arg(-1).to_owned();
            for text in Reply::new("ledger", self.send(&range).await?)?.texts(0)? {
                let row = Row::read(&key, text)?;
                if Some(row.position) > position(&end) {
                    row.place().clone_into(&mut end);
                }
            }
        }
        Ok(end)
    }

    /// Reads what was appended to a ledger behind a position, oldest first, and the position to go on from.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a ledger.
    pub async fn ledger_news(&self, name: &CronName, behind: &str) -> Result<(Vec<LedgerNews>, String), StoreError> {
        // Whoever follows a ledger asks often, and most often there is nothing.
        if position(&self.ledger_end(name).await?) <= position(behind) {
            return Ok((Vec::new(), behind.to_owned()));
        }
        let (mut news, mut end) = (Vec::new(), behind.to_owned());
        for partition in self.partitions() {
            let mut pages = Pages::new(self, self.key(partition).ledger(name));
            loop {
                let mut rows = pages.next().await?;
                let read = rows.len();
                rows.retain(|row| Some(row.position) > position(behind));
                for row in &rows {
                    let item = item(&pages.key, row)?;
                    news.extend(item.and_then(Item::news).map(|item| (row.position, item)));
                    if Some(row.position) > position(&end) {
                        row.place().clone_into(&mut end);
                    }
                }
                if rows.is_empty() || rows.len() < read {
                    break;
                }
            }
        }
        news.sort_by_key(|(position, _)| *position);
        Ok((news.into_iter().map(|(_, news)| news).collect(), end))
    }

    /// Cuts the ledgers of at most 100 entries, `from` the one of this rank on, to what may be shown. Says how many entries
    /// it looked at: none behind the last.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn trim_ledgers(&self, partition: Partition, from: usize) -> Result<usize, StoreError> {
        let keys = self.key(partition);
        let range = redis::cmd("ZRANGE").arg(keys.crons()).arg(from).arg(from + CUT_AT_ONCE - 1).to_owned();
        let names = Reply::new("crons", self.send(&range).await?)?.texts(0)?;
        let ledgers: Vec<String> =
            names.iter().filter_map(|name| Some(keys.ledger(&name.parse::<CronName>().ok()?))).collect();
        if !ledgers.is_empty() {
            let args = vec![self.ledger_kept().into(), self.ledger_age_ms().into()];
            self.run(&script::ledger_trim, &keys, ledgers, args).await?;
        }
        Ok(names.len())
    }

    /// How many rows a ledger's list may hold.
    pub(super) fn ledger_kept(&self) -> i64 {
        let rows = self.kept().ledger_rows.saturating_mul(KEPT_PER_ROW).saturating_add(KEPT_MORE);
        i64::try_from(rows).unwrap_or(i64::MAX)
    }

    /// How long rows of ledgers are kept.
    #[must_use]
    pub fn ledger_age(&self) -> Duration {
        self.kept().ledger_age
    }

    fn ledger_age_ms(&self) -> i64 {
        i64::try_from(self.ledger_age().as_millis()).unwrap_or(i64::MAX)
    }
}
