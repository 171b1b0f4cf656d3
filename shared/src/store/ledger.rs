//! The ledger of an entry: one row per decision, and how each run ended.
//!
//! Rows are appended by the scripts that fire and that end, and never changed. The end of a run is a row of its own, joined
//! to its decision here by the id of the job, so that it outlives the job's record.

use std::collections::HashMap;

use super::record::Hash;
use super::{Reply, Store, StoreError};
use crate::clock::Timestamp;
use crate::id::{JobId, Partition};
use crate::job::JobState;
use crate::name::CronName;

/// A decision on an instant of an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerRow {
    /// Its place in the ledger: grows with time.
    pub position: String,
    /// What was decided.
    pub decision: LedgerDecision,
    /// `scheduled`, `catch_up` or `manual`.
    pub kind: String,
    /// The instant.
    pub scheduled_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// How many instants the row stands for.
    pub instants: u64,
    /// How the run ended, if it made one that has.
    pub end: Option<RunEnd>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub enum LedgerDecision {
    /// This job was made.
    Fired(JobId),
    /// No job was made.
    Skipped {
        /// Why.
        reason: String,
        /// The run that was live, if that was why.
        active: Option<JobId>,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd {
    /// In which state.
    pub state: JobState,
    /// When its last attempt began; `None` when there was none.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How many attempts there were.
    pub attempts: u32,
    /// The beginning of its result, or of its error.
    pub summary: String,
}

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
        for partition in self.partitions() {
            let rows = self.ledger_in(partition, name, before, most).await?;
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
        Ok(Vec::new())
    }

    async fn ledger_in(
        &self,
        partition: Partition,
        name: &CronName,
        before: Option<&str>,
        most: usize,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        let key = self.key(partition).ledger(name);
        let (mut rows, mut ends) = (Vec::new(), HashMap::new());
        // Ends come after their decisions, so reading from the newest on meets each end first.
        let mut until = "+".to_owned();
        while rows.len() < most {
            let page = Reply::new(
                "ledger",
                self.send(redis::cmd("XREVRANGE").arg(&key).arg(&until).arg("-").arg("COUNT").arg(200)).await?,
            )?;
            for item in page.lists(0)? {
                let position = item.text(0)?;
                until = format!("({position}");
                let hash = Hash::new(key.clone(), &item.list(1)?)?;
                if let Some(state) = hash.parsed("e")? {
                    // The newest end counts: a dead letter that was revived ends twice.
                    let id = hash.required::<JobId>("j")?;
                    ends.entry(id).or_insert(end(state, &hash)?);
                } else if rows.len() < most && before.is_none_or(|before| comes_before(&position, before)) {
                    rows.push(row(position, &hash)?);
                }
            }
            if page.len() < 200 {
                break;
            }
        }
        for row in &mut rows {
            if let LedgerDecision::Fired(id) = &row.decision {
                row.end = ends.remove(id);
            }
        }
        Ok(rows)
    }
}

fn row(position: String, hash: &Hash) -> Result<LedgerRow, StoreError> {
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
        end: None,
    })
}

fn end(state: JobState, hash: &Hash) -> Result<RunEnd, StoreError> {
    Ok(RunEnd {
        state,
        started_at: hash.time("b")?,
        ended_at: Timestamp::from_ms(hash.required("f")?),
        attempts: hash.required("n")?,
        summary: hash.text("o").unwrap_or_default().to_owned(),
    })
}

/// Whether the stream position `a` is older than `b`.
pub(super) fn comes_before(a: &str, b: &str) -> bool {
    position(a) < position(b)
}

/// `<ms>-<seq>` as numbers.
fn position(text: &str) -> Option<(u64, u64)> {
    let (ms, seq) = text.split_once('-')?;
    Some((ms.parse().ok()?, seq.parse().ok()?))
}
