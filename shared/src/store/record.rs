//! The record of a job: lines of text.
//!
//! Lines that every record has come first, each in its place; an empty one is absent. Whatever else there is to note has a line
//! of its own, `name value`. A script reads the text with one match and hands on what it does not change, which costs Redis
//! much less than a hash, each field of which is an answer of its own. `lua/record.lua` is the counterpart.

use serde_json::Value;

use super::StoreError;
use super::fields::Fields;
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::job::{Envelope, Kept, Record};

/// The lines that every record has: what changes on a job's way, then what its producer said of it.
const LINES: [&str; 13] = [
    "state", "attempt", "lease", "worker", "held", "seq", "created", "enqueued", "started", "ended", "queue", "type",
    "request",
];

/// As many attempts as scripts take for granted.
const MAX_ATTEMPTS: u32 = 3;

/// Reads a record; of an empty text, which is none, no fields.
pub(super) fn lines(key: String, text: &str) -> Fields {
    let mut lines = text.split('\n');
    let first: Vec<(&str, &str)> =
        if text.is_empty() { Vec::new() } else { LINES.into_iter().zip(lines.by_ref()).collect() };
    Fields::named(key, first.into_iter().chain(lines.filter_map(|line| line.split_once(' '))))
}

/// What a producer said of a job, as the lines of its record that repeat it, because scripts decide by it.
pub(super) struct Said(String);

impl Said {
    /// `request`: who asks.
    pub(super) fn new(envelope: &Envelope, request: &str) -> Self {
        let Envelope { queue, job_type, priority, retry, .. } = envelope;
        let mut said = Self(format!("{queue}\n{job_type}\n{request}\n"));
        said.note_some("priority", (*priority != 0).then(|| priority.to_string()));
        said.note_some("max", (retry.max_attempts != MAX_ATTEMPTS).then(|| retry.max_attempts.to_string()));
        let ms = |span: std::time::Duration| span.as_millis().to_string();
        said.note_some("timeout", envelope.timeout.map(ms));
        said.note_some("visibility", envelope.visibility.map(ms));
        said.note_some("expires", envelope.expires_at.as_ref().map(|(at, _)| at.as_ms().to_string()));
        if let Some(limit) = &envelope.key_limit {
            said.note("limit", &limit.key);
            said.note_some("lrate", limit.rate.map(|rate| rate.to_string()));
            said.note_some("lmost", limit.concurrency.map(|most| most.to_string()));
        }
        said
    }

    /// Whatever else scripts are to know of it: one line.
    pub(super) fn note(&mut self, name: &str, value: &str) {
        self.0.extend([name, " ", value, "\n"]);
    }

    pub(super) fn note_some(&mut self, name: &str, value: Option<String>) {
        value.iter().for_each(|value| self.note(name, value));
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

pub(super) fn record(id: JobId, hash: &Fields) -> Result<Record, StoreError> {
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
