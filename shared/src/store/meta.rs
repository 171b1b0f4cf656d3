//! What holds for a whole namespace: its partitions, fixed when it is first used, and how much of the past is kept.

use std::time::Duration;

use redis::Value;

use super::{Kept, Store, StoreError};

const PARTITIONS: &str = "partitions";
/// How keys are written. Raised when a version cannot read what the one before it wrote.
const FORMAT: &str = "format";
const FORMAT_KNOWN: u64 = 2;
/// The first had no number: the records of jobs were hashes.
const FORMAT_FIRST: u64 = 1;
const EVENTS_KEPT: &str = "events_kept";
const LEDGER_ROWS: &str = "ledger_rows";
const LEDGER_AGE_MS: &str = "ledger_age_ms";

impl Store {
    /// Writes the number of partitions if nobody has, and refuses to work with another number than was written.
    pub(super) async fn settle_partitions(&self) -> Result<(), StoreError> {
        let configured = self.keys().partitions();
        let meta = self.keys().meta();
        self.settle_format().await?;
        self.send(redis::cmd("HSETNX").arg(&meta).arg(PARTITIONS).arg(configured)).await?;
        match self.meta_number(PARTITIONS).await? {
            Some(stored) if stored == u64::from(configured) => Ok(()),
            Some(stored) => Err(StoreError::Partitions { stored, configured }),
            None => Err(StoreError::corrupt(meta, "`partitions` is not a number")),
        }
    }

    /// Writes the format before anything else stands there, and refuses to touch what is written in another.
    async fn settle_format(&self) -> Result<(), StoreError> {
        if self.meta_number(PARTITIONS).await?.is_none() {
            self.send(redis::cmd("HSETNX").arg(self.keys().meta()).arg(FORMAT).arg(FORMAT_KNOWN)).await?;
        }
        match self.meta_number(FORMAT).await?.unwrap_or(FORMAT_FIRST) {
            FORMAT_KNOWN => Ok(()),
            stored => Err(StoreError::Format { stored, known: FORMAT_KNOWN }),
        }
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
        match self.send(redis::cmd("HGET").arg(self.keys().meta()).arg(field)).await? {
            Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).parse().ok()),
            _ => Ok(None),
        }
    }
}
