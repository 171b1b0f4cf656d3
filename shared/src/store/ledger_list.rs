//! A ledger as its stream has it, read from the newest item on.

use std::collections::HashMap;

use super::fields::Fields;
use super::{Ledger, PartitionKeys, Reply, Store, StoreError};
use crate::clock::Timestamp;
use crate::cron::{EntryChange, LedgerDecision, LedgerNote, LedgerRow, RunEnd, position};
use crate::id::JobId;
use crate::job::JobState;
use crate::name::CronName;

pub(super) const READ_AT_ONCE: usize = 1000;

/// One item of the stream.
pub(super) enum Item {
    Decision(LedgerRow),
    End(JobId, RunEnd),
    Note(LedgerNote),
}

impl Store {
    /// Reads a ledger from the newest item on until it ends, its bounds are reached, or there is `enough`. Each row has its
    /// end, because ends come after their decisions and so are met first.
    pub(super) async fn read_ledger(
        &self,
        keys: &PartitionKeys,
        name: &CronName,
        enough: &(dyn Fn(&[LedgerRow]) -> bool + Sync),
    ) -> Result<Ledger, StoreError> {
        let key = keys.ledger(name);
        let kept = self.kept();
        let rows_max = usize::try_from(kept.ledger_rows).unwrap_or(usize::MAX);
        let oldest = self.clock().now() - kept.ledger_age;
        let (mut ledger, mut ends) = (Ledger::default(), HashMap::new());
        let mut until = "+".to_owned();
        loop {
            let page = self.page_before(&key, &until).await?;
            for entry in page.lists(0)? {
                let place = entry.text(0)?;
                until = format!("({place}");
                match item(&key, place, &entry.list(1)?)? {
                    // The newest end counts: a dead letter that was revived ends twice.
                    Some(Item::End(id, end)) => _ = ends.entry(id).or_insert(end),
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
            if page.len() < READ_AT_ONCE {
                // An end without its decision: the decision was cut off.
                ledger.is_cut = !ends.is_empty() || self.was_cut(&key).await?;
                return Ok(ledger);
            }
            if enough(&ledger.rows) {
                return Ok(ledger);
            }
        }
    }

    async fn page_before(&self, key: &str, until: &str) -> Result<Reply, StoreError> {
        let mut range = redis::cmd("XREVRANGE");
        range.arg(key).arg(until).arg("-").arg("COUNT").arg(READ_AT_ONCE);
        Reply::new("ledger", self.send(&range).await?)
    }

    /// Whether more was ever appended to a stream than it holds.
    pub(super) async fn was_cut(&self, key: &str) -> Result<bool, StoreError> {
        let exists = redis::cmd("EXISTS").arg(key).to_owned();
        if self.send(&exists).await? != redis::Value::Int(1) {
            return Ok(false);
        }
        let info = Reply::new("ledger", self.send(redis::cmd("XINFO").arg("STREAM").arg(key)).await?)?;
        let number = |name: &str| {
            let at = (0..info.len()).step_by(2).find(|&i| info.text(i).is_ok_and(|text| text == name));
            at.and_then(|i| info.int(i + 1).ok())
        };
        Ok(number("entries-added") > number("length"))
    }
}

pub(super) fn item(key: &str, place: String, fields: &Reply) -> Result<Option<Item>, StoreError> {
    let hash = Fields::new(key.to_owned(), fields)?;
    if let Some(state) = hash.parsed("e")? {
        return Ok(Some(Item::End(hash.required("j")?, end(state, &hash)?)));
    }
    if let Some(word) = hash.text("x") {
        let at = position(&place).and_then(|(ms, _)| i64::try_from(ms).ok()).map(Timestamp::from_ms);
        let note = at.zip(EntryChange::read(word)).map(|(at, change)| LedgerNote { at, change });
        return Ok(note.map(Item::Note));
    }
    row(place, &hash).map(Item::Decision).map(Some)
}

fn row(position: String, hash: &Fields) -> Result<LedgerRow, StoreError> {
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
