//! The record of a job, between hash and struct.

use serde_json::Value;

use super::StoreError;
use super::reply::Reply;
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::job::{Kept, Record};

/// Fields of a hash, looked up by name. Of a name that stands twice the first counts.
pub(super) struct Hash {
    key: String,
    /// Names and values, one after the other.
    text: String,
    /// Where each name begins, where its value begins, and where that ends.
    fields: Vec<(usize, usize, usize)>,
    is_sorted: bool,
}

/// The hash of a workflow has thousands of fields, which are sorted by name; in few it is quicker to look through all.
const UNSORTED_MAX: usize = 32;

impl Hash {
    pub(super) fn new(key: String, reply: &Reply) -> Result<Self, StoreError> {
        let mut hash = Self { key, text: String::new(), fields: Vec::with_capacity(reply.len() / 2), is_sorted: false };
        for i in 0..reply.len() / 2 {
            let from = hash.text.len();
            reply.append(2 * i, &mut hash.text)?;
            let middle = hash.text.len();
            reply.append(2 * i + 1, &mut hash.text)?;
            hash.fields.push((from, middle, hash.text.len()));
        }
        Ok(hash.sorted())
    }

    /// Fields and values by turns, joined by NUL, as `claim` hands them out.
    pub(super) fn joined(key: String, text: &str) -> Self {
        let mut hash = Self { key, text: String::with_capacity(text.len()), fields: Vec::new(), is_sorted: false };
        hash.fields.reserve(UNSORTED_MAX);
        let mut words = text.split('\0');
        while let Some((name, value)) = words.next().zip(words.next()) {
            let from = hash.text.len();
            hash.text.push_str(name);
            let middle = hash.text.len();
            hash.text.push_str(value);
            hash.fields.push((from, middle, hash.text.len()));
        }
        hash.sorted()
    }

    fn sorted(mut self) -> Self {
        if self.fields.len() > UNSORTED_MAX {
            let name = |field: &(usize, usize, usize)| &self.text[field.0..field.1];
            self.fields.sort_by(|one, other| name(one).cmp(name(other)));
            self.fields.dedup_by(|later, first| name(later) == name(first));
            self.is_sorted = true;
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The field; empty counts as absent.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        let name = |(from, middle, _): &(usize, usize, usize)| &self.text[*from..*middle];
        let place = if self.is_sorted {
            self.fields.binary_search_by(|one| name(one).cmp(field)).ok()
        } else {
            let is_named = |(from, middle, _): &(usize, usize, usize)| {
                middle - from == field.len() && &self.text.as_bytes()[*from..*middle] == field.as_bytes()
            };
            self.fields.iter().position(is_named)
        };
        let (_, middle, to) = self.fields[place?];
        Some(&self.text[middle..to]).filter(|value| !value.is_empty())
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

/// The envelope of a job. One that cannot be read is found out by whoever looks at it, and holds up no other.
pub(super) fn envelope(key: &str, text: &str) -> Kept {
    Kept::new(key, text)
}

/// The JSON value that stands in a key.
pub(super) fn json_value(key: &str, text: &str) -> Result<Value, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(key, error.to_string()))
}
