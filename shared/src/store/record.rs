//! The record of a job: lines of text.
//!
//! Lines that every record has come first, each in its place; an empty one is absent. Whatever else there is to note has a line
//! of its own, `name value` ([`JobLines`]). What jobs have in common stands together, and a script reads it once for all of
//! them; what it does not change it hands on as it stands. That costs Redis much less than a hash, each field of which is an
//! answer of its own. `lua/lines.lua` is the counterpart.

use serde_json::Value;

use super::StoreError;
use super::fields::Named as _;
use super::job_lines::JobLines;
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::job::{Envelope, Kept, Record, RetryPolicy};

/// What a producer said of a job, as the lines of its record that repeat it, because scripts decide by it.
pub(super) struct Said(String);

impl Said {
    pub(super) fn new(envelope: &Envelope) -> Self {
        let Envelope { queue, job_type, priority, retry, .. } = envelope;
        let mut said = Self(format!("{queue}\n{job_type}\n"));
        said.note_some("priority", (*priority != 0).then(|| priority.to_string()));
        said.note_some("max", (retry.max_attempts != RetryPolicy::ATTEMPTS).then(|| retry.max_attempts.to_string()));
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

pub(super) fn record(id: JobId, fields: &JobLines<'_>) -> Result<Record, StoreError> {
    let created_at = Timestamp::from_ms(fields.required("created")?);
    Ok(Record {
        id,
        state: fields.required("state")?,
        queue: fields.required("queue")?,
        job_type: fields.required("type")?,
        attempt: fields.required("attempt")?,
        lease: fields.parsed("lease")?,
        worker: fields.text("worker").map(str::to_owned),
        created_at,
        enqueued_at: fields.time("enqueued")?.unwrap_or(created_at),
        started_at: fields.time("started")?,
        ended_at: fields.time("ended")?,
        expired_at: fields.time("expired")?,
        due_at: fields.time("due")?,
        retry_delay_ms: fields.parsed("delay")?,
        previous_state: fields.parsed("previous")?,
        cron: fields.parsed("cron")?,
        flow: fields.parsed("flow")?,
        parents: fields.text("parents").unwrap_or_default().split(',').filter_map(|id| id.parse().ok()).collect(),
        activated_at: fields.time("activated")?,
        waits: fields.flag("waits"),
        failed: fields.flag("failed"),
        dead: fields.flag("dead"),
        crashes: fields.parsed("crashes")?.unwrap_or(0),
        returns: fields.parsed("returns")?.unwrap_or(0),
    })
}

/// The envelope of a job. One that cannot be read is found out by whoever looks at it, and holds up no other.
pub(super) fn envelope(key: &str, text: &str) -> Kept {
    Kept::new(key, text)
}

/// The JSON values that stand in a key, or in keys of its kind.
pub(super) fn json_values(key: impl Fn() -> String, texts: &[impl AsRef<str>]) -> Result<Vec<Value>, StoreError> {
    texts.iter().map(|text| json_value(&key, text.as_ref())).collect()
}

/// The JSON value that stands in a key.
pub(super) fn json_value(key: impl Fn() -> String, text: &str) -> Result<Value, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(key(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(json: Value) -> String {
        let envelope = Envelope::read(&json, Timestamp::from_secs(0)).expect("an envelope");
        Said::new(&envelope).into_text()
    }

    #[test]
    fn what_is_as_by_default_is_not_noted() {
        assert_eq!(said(json!({"type": "a", "args": []})), "default\na\n");
        let more = json!({"type": "a", "args": [], "queue": "q", "priority": -1, "timeout_ms": 7, "retry": {"max_attempts": 9}});
        assert_eq!(said(more), "q\na\npriority -1\nmax 9\ntimeout 7\n");
    }

    #[test]
    fn scripts_mind_what_decides_something() {
        let lines = include_str!("lua/lines.lua");
        let idle = lines.split_once("local IDLE = {").and_then(|(_, behind)| behind.split_once('}')).expect("a list").0;
        for name in ["timeout", "visibility", "expires", "limit", "cron", "waits", "flow", "parents", "failed", "dead"]
        {
            assert!(!idle.contains(name), "{name}");
        }
        assert!(["priority", "max", "unique"].iter().all(|name| idle.contains(name)), "{idle}");
    }

    #[test]
    fn scripts_take_the_same_number_of_attempts_for_granted() {
        assert_eq!(RetryPolicy::default().max_attempts, RetryPolicy::ATTEMPTS);
        assert!(include_str!("lua/attempt.lua").contains(&format!("job.max or '{}'", RetryPolicy::ATTEMPTS)));
    }
}
