//! Which instants of an entry led to a job, as far back as its ledger reaches.

use std::collections::HashSet;

use super::fields::Named as _;
use super::ledger_pages::Pages;
use super::{Store, StoreError};
use crate::clock::Timestamp;
use crate::id::Partition;
use crate::name::CronName;

/// What a ledger remembers of instants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecidedInstants {
    /// The instants for which a job was made.
    pub fired: HashSet<Timestamp>,
    /// Rows about instants before this one may have been forgotten; `None` when none have.
    pub forgotten_before: Option<Timestamp>,
}

impl Store {
    /// Reads which instants of an entry led to a job.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a ledger.
    pub async fn decided_instants(&self, name: &CronName, partition: Partition) -> Result<DecidedInstants, StoreError> {
        let mut pages = Pages::new(self, self.key(partition).ledger(name));
        let (mut decided, mut rows, mut oldest) = (DecidedInstants::default(), 0_u64, None);
        loop {
            let some = pages.next().await?;
            if some.is_empty() {
                break;
            }
            for row in some {
                rows += 1;
                let hash = row.fields(&pages.key);
                let Some(at) = hash.time("s")? else { continue };
                oldest = Some(at);
                if hash.text("d") == Some("fired") && hash.text("k") != Some("manual") {
                    decided.fired.insert(at);
                }
            }
        }
        // Rows are dropped where there are more than are kept, and when they are too old.
        if rows >= self.kept().ledger_rows || pages.was_cut() {
            decided.forgotten_before = oldest.or(Some(self.clock().now()));
        }
        Ok(decided)
    }
}
