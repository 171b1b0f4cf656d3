//! The ledger of an entry in Redis: one row per decision, and how each run ended.
//!
//! Rows are appended by the scripts that fire and that end, and never changed. The end of a run is a row of its own, joined
//! to its decision here by the id of the job, so that it outlives the job's record. An end always comes after its decision
//! and a ledger is cut at its old side, so a decision never loses its end; an end whose decision was cut is passed over. Of
//! several ends the newest counts: a dead letter that was revived ends twice, and while it lives its record is asked.
//!
//! What is shown is exact: never more than the newest `ledger_rows` decisions, none older than `ledger_age`. What is kept
//! follows: whatever appends to a ledger cuts it to about twice the rows, since each has its end beside it, and the leader cuts all of
//! them by age from time to time.

use super::connection::Arg;
use super::job_lines::JobLines;
use super::record::record;
use super::{PartitionKeys, Store, StoreError, script};
use crate::cron::{LedgerCursor, LedgerNote, LedgerOrder, LedgerQuery, LedgerRow, LiveRun, RunEnd, position};
use crate::id::{JobId, Partition};
use crate::job::JobState;
use crate::name::CronName;

/// Part of a ledger.
#[derive(Debug)]
pub struct LedgerPage {
    /// These rows, in the order that was asked for.
    pub rows: Vec<LedgerRow>,
    /// Where to go on; `None` when these were the last.
    pub next: Option<LedgerCursor>,
}

/// A whole ledger.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Its decisions, the newest first.
    pub rows: Vec<LedgerRow>,
    /// What befell the entry, the newest first.
    pub notes: Vec<LedgerNote>,
    /// Whether there were older rows, which are not kept any more.
    pub is_cut: bool,
}

const RUNS_AT_ONCE: usize = 100;

impl Store {
    /// Reads the newest rows of an entry's ledger, newest first; `before` is the position of the row after them.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a ledger.
    pub async fn ledger(
        &self,
        name: &CronName,
        before: Option<&str>,
        most: usize,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        let cursor = before.map(|behind| LedgerCursor { order: LedgerOrder::NewestFirst, behind: behind.to_owned() });
        let query = LedgerQuery { cursor, ..LedgerQuery::default() };
        Ok(self.ledger_page(name, &query, most).await?.rows)
    }

    /// Reads the rows that are asked for, at most `most`. It is there for a removed entry too, while its rows are kept.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a ledger.
    pub async fn ledger_page(
        &self,
        name: &CronName,
        query: &LedgerQuery,
        most: usize,
    ) -> Result<LedgerPage, StoreError> {
        let mut rows = Vec::new();
        for partition in self.partitions() {
            let chosen = self.chosen(partition, name, query, most).await?;
            rows.extend(chosen);
        }
        // A removed entry may have left its rows in another partition than the one of that name has now.
        rows.sort_by_key(|row| position(&row.position));
        if query.order == LedgerOrder::NewestFirst {
            rows.reverse();
        }
        let has_more = rows.len() > most;
        rows.truncate(most);
        let last = rows.last().filter(|_| has_more);
        let next = last.map(|row| LedgerCursor { order: query.order, behind: row.position.clone() });
        Ok(LedgerPage { rows, next })
    }

    /// Reads everything that a ledger holds, with how each run stands.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a ledger.
    pub async fn whole_ledger(&self, name: &CronName) -> Result<Ledger, StoreError> {
        let mut whole = Ledger::default();
        for partition in self.partitions() {
            let keys = self.key(partition);
            let mut part = self.read_ledger(&keys, name, &|_| false).await?;
            self.look_at_runs(&keys, &mut part.rows).await?;
            whole.rows.append(&mut part.rows);
            whole.notes.append(&mut part.notes);
            whole.is_cut |= part.is_cut;
        }
        whole.rows.sort_by_key(|row| std::cmp::Reverse(position(&row.position)));
        whole.notes.sort_by_key(|note| std::cmp::Reverse(note.at));
        Ok(whole)
    }

    /// The rows of one partition that are asked for, in no order, and one more than `most` if there is one.
    async fn chosen(
        &self,
        partition: Partition,
        name: &CronName,
        query: &LedgerQuery,
        most: usize,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        let keys = self.key(partition);
        let (filter, wanted) = (&query.filter, most.saturating_add(1));
        let takes = |row: &LedgerRow| query.is_behind_cursor(&row.position) && filter.takes(row);
        // Only without a state to look up, and from the newest on, is it known early that there are enough.
        let may_stop = query.order == LedgerOrder::NewestFirst && filter.state.is_none();
        let enough = |rows: &[LedgerRow]| {
            // What was decided before `from` has its instant before it too.
            let past_from = rows.last().zip(filter.from).is_some_and(|(row, from)| row.decided_at < from);
            may_stop && (past_from || rows.iter().filter(|row| takes(row)).take(wanted).count() == wanted)
        };
        let mut rows = self.read_ledger(&keys, name, &enough).await?.rows;
        rows.retain(takes);
        if query.order == LedgerOrder::OldestFirst {
            rows.reverse();
        }
        if filter.state.is_none() {
            rows.truncate(wanted);
        }
        self.look_at_runs(&keys, &mut rows).await?;
        rows.retain(|row| filter.takes_state(row));
        rows.truncate(wanted);
        Ok(rows)
    }

    /// Asks the records of runs that have no end, or one that can be undone, how they stand.
    async fn look_at_runs(&self, keys: &PartitionKeys, rows: &mut [LedgerRow]) -> Result<(), StoreError> {
        let mut doubted: Vec<&mut LedgerRow> = rows.iter_mut().filter(|row| row.may_live()).collect();
        for some in doubted.chunks_mut(RUNS_AT_ONCE) {
            let ids: Vec<JobId> = some.iter().filter_map(|row| row.job()).collect();
            let args: Vec<Arg<'_>> = ids.iter().map(|id| id.to_string().into()).collect();
            let names = ids.iter().map(|id| keys.job(*id)).collect();
            let reply = self.run(&script::runs_look, keys, names, args).await?;
            for (i, (row, id)) in some.iter_mut().zip(&ids).enumerate() {
                let text = reply.read(i)?;
                let fields = JobLines::new(keys, *id, &text);
                row.live = if fields.is_empty() { None } else { live_run(*id, &fields, row.end.as_ref())? };
            }
        }
        Ok(())
    }
}

/// How a run stands by its record, unless its end says the same.
fn live_run(id: JobId, fields: &JobLines<'_>, end: Option<&RunEnd>) -> Result<Option<LiveRun>, StoreError> {
    let record = record(id, fields)?;
    if end.is_some() && record.state == JobState::Discarded {
        return Ok(None);
    }
    Ok(Some(LiveRun { state: record.state, started_at: record.started_at, attempts: record.attempt }))
}
