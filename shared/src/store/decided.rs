//! Which instants of an entry led to a job, as far back as its ledger reaches.

use std::collections::HashSet;

use super::fields::Fields;
use super::{Reply, Store, StoreError};
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

const ROWS_AT_ONCE: usize = 1000;

impl Store {
    /// Reads which instants of an entry led to a job.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a ledger.
    pub async fn decided_instants(&self, name: &CronName, partition: Partition) -> Result<DecidedInstants, StoreError> {
        let key = self.key(partition).ledger(name);
        let (mut decided, mut from, mut rows) = (DecidedInstants::default(), "-".to_owned(), 0_u64);
        let mut oldest = None;
        loop {
            let mut range = redis::cmd("XRANGE");
            range.arg(&key).arg(&from).arg("+").arg("COUNT").arg(ROWS_AT_ONCE);
            let page = Reply::new("ledger", self.send(&range).await?)?;
            for item in page.lists(0)? {
                from = format!("({}", item.text(0)?);
                rows += 1;
                let hash = Fields::new(key.clone(), &item.list(1)?)?;
                let Some(at) = hash.time("s")? else { continue };
                oldest = oldest.or(Some(at));
                if hash.text("d") == Some("fired") && hash.text("k") != Some("manual") {
                    decided.fired.insert(at);
                }
            }
            if page.len() < ROWS_AT_ONCE {
                break;
            }
        }
        // Rows are dropped where there are more than are kept, and when they are too old.
        if rows >= self.kept().ledger_rows || self.was_cut(&key).await? {
            decided.forgotten_before = oldest.or(Some(self.clock().now()));
        }
        Ok(decided)
    }
}
