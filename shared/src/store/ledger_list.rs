//! A ledger as its list has it, read from the newest row on.

use std::collections::HashMap;

use super::fields::{Fields, Named as _};
use super::ledger_pages::{Pages, Row};
use super::{Ledger, LedgerNews, PartitionKeys, Store, StoreError};
use crate::clock::Timestamp;
use crate::cron::{EntryChange, LedgerDecision, LedgerNote, LedgerRow, RunEnd};
use crate::id::JobId;
use crate::job::JobState;
use crate::name::CronName;

/// What a row tells.
pub(super) enum Item {
    Decision(LedgerRow),
    End(JobId, RunEnd),
    Note(LedgerNote),
}

impl Store {
    /// Reads a ledger from the newest row on until it ends, its bounds are reached, or there is `enough`. Each row has its
    /// end, because ends come after their decisions and so are met first.
    pub(super) async fn read_ledger(
        &self,
        keys: &PartitionKeys,
        name: &CronName,
        enough: &(dyn Fn(&[LedgerRow]) -> bool + Sync),
    ) -> Result<Ledger, StoreError> {
        let kept = self.kept();
        let rows_max = usize::try_from(kept.ledger_rows).unwrap_or(usize::MAX);
        let oldest = self.clock().now() - kept.ledger_age;
        let (mut ledger, mut ends) = (Ledger::default(), HashMap::new());
        let mut pages = Pages::new(self, keys.ledger(name));
        loop {
            let rows = pages.next().await?;
            if rows.is_empty() {
                // An end without its decision: the decision was cut off.
                ledger.is_cut = !ends.is_empty() || pages.was_cut();
                return Ok(ledger);
            }
            for row in rows {
                match item(&pages.key, &row)? {
                    // The newest end counts: a dead letter that was revived ends twice.
                    Some(Item::End(id, end)) => _ = ends.entry(id).or_insert(end),
                    Some(Item::Note(note)) if note.at < oldest => {}
                    Some(Item::Note(note)) => ledger.notes.push(note),
                    Some(Item::Decision(row)) if ledger.rows.len() >= rows_max || row.decided_at < oldest => {
                        ledger.is_cut = true;
                        return Ok(ledger);
                    }
                    Some(Item::Decision(mut row)) => {
                        row.end = row.job().and_then(|id| ends.remove(&id));
                        ledger.rows.push(row);
                    }
                    None => {}
                }
            }
            if enough(&ledger.rows) {
                return Ok(ledger);
            }
        }
    }
}

impl Item {
    /// What whoever follows the ledger is told.
    pub(super) fn news(self) -> Option<LedgerNews> {
        match self {
            Self::Decision(row) => Some(LedgerNews::Decided(row)),
            Self::End(id, end) => Some(LedgerNews::Ended(id, end)),
            Self::Note(_) => None,
        }
    }
}

pub(super) fn item(key: &str, row: &Row) -> Result<Option<Item>, StoreError> {
    let hash = row.fields(key);
    if let Some(state) = hash.parsed("e")? {
        return Ok(Some(Item::End(hash.required("j")?, end(state, &hash)?)));
    }
    if let Some(word) = hash.text("x") {
        let at = i64::try_from(row.position.0).ok().map(Timestamp::from_ms);
        let note = at.zip(EntryChange::read(word)).map(|(at, change)| LedgerNote { at, change });
        return Ok(note.map(Item::Note));
    }
    decided(row.place().to_owned(), &hash).map(Item::Decision).map(Some)
}

fn decided(position: String, hash: &Fields) -> Result<LedgerRow, StoreError> {
    let decision = match hash.text("d") {
        Some("fired") => LedgerDecision::Fired(hash.required("j")?),
        _ => LedgerDecision::Skipped { reason: hash.required("r")?, active: hash.parsed("l")? },
    };
    Ok(LedgerRow {
        position,
        decision,
        kind: hash.required("k")?,
        scheduled_at: Timestamp::from_ms(hash.required("s")?),
        decided_at: Timestamp::from_ms(hash.required("a")?),
        instants: hash.required("n")?,
        because: hash.text("w").and_then(|json| serde_json::from_str(json).ok()),
        end: None,
        live: None,
    })
}

fn end(state: JobState, hash: &Fields) -> Result<RunEnd, StoreError> {
    Ok(RunEnd {
        state,
        started_at: hash.time("b")?,
        ended_at: Timestamp::from_ms(hash.required("f")?),
        attempts: hash.required("n")?,
        summary: hash.text("o").unwrap_or_default().to_owned(),
    })
}
