//! The record of a job, between hash and struct.

use serde_json::{Map, Value};

use super::StoreError;
use super::reply::Reply;
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::job::Record;

/// Fields of a hash, looked up by name. Sorted, because the hash of a workflow has thousands.
pub(super) struct Hash {
    key: String,
    pairs: Vec<(String, String)>,
}

impl Hash {
    pub(super) fn new(key: String, reply: &Reply) -> Result<Self, StoreError> {
        Ok(Self::of(key, reply.pairs()?))
    }

    /// Fields and values by turns, joined by NUL, as `claim` hands them out.
    pub(super) fn joined(key: String, text: &str) -> Self {
        let mut words = text.split('\0').map(str::to_owned);
        let pairs = std::iter::from_fn(|| words.next().zip(words.next())).collect();
        Self::of(key, pairs)
    }

    /// Of a name that stands twice the first counts.
    fn of(key: String, mut pairs: Vec<(String, String)>) -> Self {
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        pairs.dedup_by(|(later, _), (first, _)| later == first);
        Self { key, pairs }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The field; empty counts as absent.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        let place = self.pairs.binary_search_by(|(name, _)| name.as_str().cmp(field)).ok()?;
        self.pairs.get(place).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn parsed<T: std::str::FromStr>(&self, field: &str) -> Result<Option<T>, StoreError> {
        let Some(text) = self.text(field) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| StoreError::corrupt(&self.key, format!("{field} is `{text}`")))
    }

    pub(super) fn required<T: std::str::FromStr>(&self, field: &str) -> Result<T, StoreError> {
        self.parsed(field)?.ok_or_else(|| StoreError::corrupt(&self.key, format!("{field} is missing")))
    }

    pub(super) fn time(&self, field: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.parsed(field)?.map(Timestamp::from_ms))
    }

    pub(super) fn flag(&self, field: &str) -> bool {
        self.text(field).is_some()
    }
}

pub(super) fn record(id: JobId, hash: &Hash) -> Result<Record, StoreError> {
    let created_at = Timestamp::from_ms(hash.required("created")?);
    Ok(Record {
        id,
        state: hash.required("state")?,
        queue: hash.required("queue")?,
        job_type: hash.required("type")?,
        attempt: hash.required("attempt")?,
        lease: hash.parsed("lease")?,
        worker: hash.text("worker").map(str::to_owned),
        created_at,
        enqueued_at: hash.time("enqueued")?.unwrap_or(created_at),
        started_at: hash.time("started")?,
        ended_at: hash.time("ended")?,
        expired_at: hash.time("expired")?,
        due_at: hash.time("due")?,
        retry_delay_ms: hash.parsed("delay")?,
        previous_state: hash.parsed("previous")?,
        cron: hash.parsed("cron")?,
        flow: hash.parsed("flow")?,
        parents: hash.text("parents").unwrap_or_default().split(',').filter_map(|id| id.parse().ok()).collect(),
        activated_at: hash.time("activated")?,
        waits: hash.flag("waits"),
        failed: hash.flag("failed"),
        dead: hash.flag("dead"),
        crashes: hash.parsed("crashes")?.unwrap_or(0),
        returns: hash.parsed("returns")?.unwrap_or(0),
    })
}

/// The JSON object that stands in a key.
pub(super) fn json_object(key: &str, text: &str) -> Result<Map<String, Value>, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(key, error.to_string()))
}

/// The envelope of a job, or nothing if it cannot be read: one broken job must not hold up the others. Without an envelope a
/// job ends among the dead letters as soon as somebody has it in hand.
pub(super) fn envelope(key: &str, text: &str) -> Map<String, Value> {
    json_object(key, text).unwrap_or_else(|error| {
        tracing::error!(error = %error, "the envelope of a job cannot be read");
        Map::new()
    })
}

/// The JSON value that stands in a key.
pub(super) fn json_value(key: &str, text: &str) -> Result<Value, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(key, error.to_string()))
}
