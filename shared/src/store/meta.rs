//! What holds for a whole namespace: its partitions and its format, fixed when it is first used, and how much of the past is
//! kept.

use std::time::Duration;

use redis::Value;

use super::{Kept, Store, StoreError};

/// `<partitions>/<format>`. One field, so that both are fixed at one moment, and versions that know only a number refuse it.
const PARTITIONS: &str = "partitions";
/// How keys are written. Raised when a version cannot read what the one before it wrote.
const FORMAT: u64 = 5;
/// The first was not written down: the records of jobs were hashes.
const FORMAT_FIRST: u64 = 1;
const EVENTS_KEPT: &str = "events_kept";
const LEDGER_ROWS: &str = "ledger_rows";
const LEDGER_AGE_MS: &str = "ledger_age_ms";

impl Store {
    /// Writes what the namespace is if nobody has, and refuses to work with one that is otherwise. To be asked again after Redis
    /// was emptied.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or the namespace has another number of partitions or another format.
    pub async fn settle(&self) -> Result<(), StoreError> {
        let configured = self.keys().partitions();
        let meta = self.keys().meta();
        let found = match self.meta_text(PARTITIONS).await? {
            // Nothing is written where it stands already: a leader is needed also when memory is full.
            Some(found) => found,
            None => {
                let ours = format!("{configured}/{FORMAT}");
                self.send(redis::cmd("HSETNX").arg(&meta).arg(PARTITIONS).arg(ours)).await?;
                self.meta_text(PARTITIONS).await?.unwrap_or_default()
            }
        };
        let (partitions, format) = found.split_once('/').map_or((found.as_str(), None), |(n, of)| (n, Some(of)));
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| StoreError::corrupt(&meta, "`partitions` is unknown"));
        let (stored, format) = (number(partitions)?, format.map_or(Ok(FORMAT_FIRST), number)?);
        if format != FORMAT {
            return Err(StoreError::Format { stored: format, known: FORMAT });
        }
        if stored != u64::from(configured) {
            return Err(StoreError::Partitions { stored, configured });
        }
        Ok(())
    }

    /// Writes how much is kept if this process was told, and reads it if it was not: whoever trims must agree.
    pub(super) async fn settle_kept(&self) -> Result<Kept, StoreError> {
        if let Some(kept) = self.0.options.kept {
            let mut put = redis::cmd("HSET");
            put.arg(self.keys().meta()).arg(EVENTS_KEPT).arg(kept.events).arg(LEDGER_ROWS).arg(kept.ledger_rows);
            put.arg(LEDGER_AGE_MS).arg(u64::try_from(kept.ledger_age.as_millis()).unwrap_or(u64::MAX));
            self.send(&put).await?;
            return Ok(kept);
        }
        let default = Kept::default();
        Ok(Kept {
            events: self.meta_number(EVENTS_KEPT).await?.unwrap_or(default.events),
            ledger_rows: self.meta_number(LEDGER_ROWS).await?.unwrap_or(default.ledger_rows),
            ledger_age: self.meta_number(LEDGER_AGE_MS).await?.map_or(default.ledger_age, Duration::from_millis),
        })
    }

    async fn meta_number(&self, field: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.meta_text(field).await?.and_then(|text| text.parse().ok()))
    }

    async fn meta_text(&self, field: &str) -> Result<Option<String>, StoreError> {
        match self.send(redis::cmd("HGET").arg(self.keys().meta()).arg(field)).await? {
            Value::BulkString(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            _ => Ok(None),
        }
    }
}
