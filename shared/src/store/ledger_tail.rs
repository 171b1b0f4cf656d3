//! Both ends of a ledger: what is appended to it, and what is cut off.

use std::time::Duration;

use super::ledger_list::{Item, READ_AT_ONCE, item};
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

/// Items of the stream for each row that may be shown: its decision and its end.
const ITEMS_PER_ROW: u64 = 2;
/// And some for second ends and notes.
const ITEMS_MORE: u64 = 100;
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
            let mut range = redis::cmd("XREVRANGE");
            range.arg(self.key(partition).ledger(name)).arg("+").arg("-").arg("COUNT").arg(1);
            for entry in Reply::new("ledger", self.send(&range).await?)?.lists(0)? {
                let place = entry.text(0)?;
                if position(&place) > position(&end) {
                    end = place;
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
        let (mut news, mut end) = (Vec::new(), behind.to_owned());
        for partition in self.partitions() {
            let keys = self.key(partition);
            let key = keys.ledger(name);
            let range = redis::cmd("XRANGE").arg(&key).arg(format!("({behind}")).arg("+").to_owned();
            let page = Reply::new("ledger", self.send(range.clone().arg("COUNT").arg(READ_AT_ONCE)).await?)?;
            for entry in page.lists(0)? {
                let place = entry.text(0)?;
                if position(&place) > position(&end) {
                    end.clone_from(&place);
                }
                match item(&key, place, &entry.list(1)?)? {
                    Some(Item::Decision(row)) => news.push(LedgerNews::Decided(row)),
                    Some(Item::End(id, end)) => news.push(LedgerNews::Ended(id, end)),
                    Some(Item::Note(_)) | None => {}
                }
            }
        }
        Ok((news, end))
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
            let args = vec![self.ledger_items_max().into(), self.ledger_age_ms().into()];
            self.run(&script::ledger_trim, &keys, ledgers, args).await?;
        }
        Ok(names.len())
    }

    /// How many items a ledger's stream may hold.
    pub(super) fn ledger_items_max(&self) -> i64 {
        let items = self.kept().ledger_rows.saturating_mul(ITEMS_PER_ROW).saturating_add(ITEMS_MORE);
        i64::try_from(items).unwrap_or(i64::MAX)
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
