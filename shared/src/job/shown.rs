//! A job as the wire shows it (OJS HTTP binding §1): the envelope, whole, with the record's members among it.
//!
//! Where a job is asked for by itself it is written at once; a map is for whoever shows many, or changes something.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::object::{Members, ObjectText};
use super::short::{RETRY_WRITTEN, complete};
use super::{Job, JobState, RetryPolicy};
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::name::QueueName;

/// A job that says little needs no more.
const SHOWN_BYTES: usize = 768;

/// The text of a job, as far as every job has it.
pub(super) fn begun(id: JobId) -> ObjectText {
    let mut text = ObjectText::new(SHOWN_BYTES);
    text.word("specversion", "1.0");
    text.word("id", id.written(&mut [0; JobId::CHARS]));
    text
}

impl Job {
    /// The job as the wire shows it.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut map = complete(&self.envelope, self.record.id);
        let most = map.get("retry").and_then(|retry| retry.get("max_attempts")).cloned();
        // A job may have taken over the time of the one that it replaced.
        self.became(&mut map, &most.unwrap_or_else(|| RetryPolicy::ATTEMPTS.into()));
        map
    }

    /// The JSON text of it. What stands in an envelope that was not taken in by us, such as members that stand twice, is handed on
    /// as it is.
    #[must_use]
    pub fn to_json_text(&self) -> String {
        let Some(said) = Usual::read(self.envelope.text()) else { return Value::Object(self.to_json()).to_string() };
        let mut text = begun(self.record.id);
        said.say(&mut text);
        self.became(&mut text, &RetryPolicy::ATTEMPTS);
        text.finish()
    }

    /// What the record says of a job, and what its attempts left. A time that has not come is left out, never `null`: typed
    /// clients read absence, not null. `max_attempts` is what its policy of retries says.
    fn became(&self, to: &mut impl Members, max_attempts: &impl Serialize) {
        let record = &self.record;
        to.word("state", record.state.as_str());
        to.put("attempt", &record.attempt);
        to.put("max_attempts", max_attempts);
        for (name, time) in self.times() {
            if let Some(time) = time {
                to.word(name, time.written(&mut [0; Timestamp::CHARS_MAX]));
            }
        }
        if let Some(state) = record.previous_state {
            to.word("previous_state", state.as_str());
        }
        if let Some(worker) = record.worker.as_ref().filter(|worker| *worker != NOBODY) {
            to.put("worker_id", worker);
        }
        if let Some(lease) = record.lease.as_ref().filter(|_| record.state == JobState::Active) {
            to.word("lease_token", lease.as_ref());
        }
        if let Some(delay) = record.retry_delay_ms {
            to.put("retry_delay_ms", &delay);
        }
        if let Some(flow) = record.flow {
            to.word("workflow_id", flow.written(&mut [0; JobId::CHARS]));
        }
        if !record.parents.is_empty() {
            to.put("parent_results", &self.parent_results);
        }
        if let Some(result) = &self.result {
            to.put("result", result);
        }
        if let Some(error) = self.errors.last().filter(|_| record.failed) {
            to.put("error", error);
        }
        if !self.errors.is_empty() {
            to.put("errors", &self.errors);
        }
    }

    /// The times that have come, or may come yet, each by the name under which it is shown.
    fn times(&self) -> [(&'static str, Option<Timestamp>); 10] {
        let record = &self.record;
        let due = |state| record.due_at.filter(|_| record.state == state);
        let ended = |state| record.ended_at.filter(|_| record.state == state);
        [
            ("created_at", Some(record.created_at)),
            ("enqueued_at", Some(record.enqueued_at)),
            ("started_at", record.started_at),
            ("expired_at", record.expired_at),
            ("activated_at", record.activated_at),
            ("scheduled_at", due(JobState::Scheduled)),
            ("next_attempt_at", due(JobState::Retryable)),
            ("cancelled_at", ended(JobState::Cancelled)),
            ("discarded_at", ended(JobState::Discarded)),
            ("completed_at", record.ended_at.filter(|_| self.ended_by_an_attempt())),
        ]
    }

    /// An end that an attempt brought about: a job that expired or was cancelled did not complete anything.
    fn ended_by_an_attempt(&self) -> bool {
        match self.record.state {
            JobState::Completed => true,
            JobState::Discarded => self.record.expired_at.is_none(),
            _ => false,
        }
    }
}

/// The worker of a claim that did not say who asked; clients are not told of it.
const NOBODY: &str = "anonymous";

/// What is kept of most jobs, as it stands in its text: these members and no others, and the usual policy of retries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Usual<'a> {
    #[serde(borrow, rename = "type")]
    job_type: &'a RawValue,
    #[serde(borrow, default = "default_queue")]
    queue: &'a RawValue,
    #[serde(borrow)]
    args: &'a RawValue,
    #[serde(borrow, default = "no_meta")]
    meta: &'a RawValue,
    #[serde(default)]
    priority: i8,
    #[serde(borrow, default = "no_tags")]
    tags: &'a RawValue,
}

impl<'a> Usual<'a> {
    fn read(kept: &'a str) -> Option<Self> {
        serde_json::from_str(kept).ok()
    }

    fn say(&self, text: &mut ObjectText) {
        text.json("type", self.job_type.get());
        text.json("queue", self.queue.get());
        text.json("args", self.args.get());
        text.json("meta", self.meta.get());
        text.put("priority", &self.priority);
        text.json("tags", self.tags.get());
        text.json("retry", RETRY_WRITTEN.get());
    }
}

/// What stands where nothing was said.
macro_rules! defaults {
    ($($name:ident: $text:expr),* $(,)?) => {
        $(fn $name() -> &'static RawValue {
            static JSON: LazyLock<Box<RawValue>> = LazyLock::new(|| raw($text));
            &JSON
        })*
    };
}

defaults! {
    default_queue: &QueueName::default(),
    no_meta: &Map::new(),
    no_tags: &[(); 0],
}

fn raw(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::Partition;
    use crate::job::short::tests::envelopes;
    use crate::job::{Envelope, Kept, Record};

    const NOW: Timestamp = Timestamp::from_secs(1_772_947_800);

    /// A record in some state, with nearly everything that a record can say.
    fn full(record: Record, state: JobState) -> Record {
        let later = |ms| Some(NOW + std::time::Duration::from_millis(ms));
        Record {
            state,
            attempt: 2,
            lease: "2-ab".parse().ok(),
            worker: Some("w \"1\"".to_owned()),
            started_at: later(1),
            ended_at: later(2),
            due_at: later(3),
            activated_at: later(4),
            retry_delay_ms: Some(7),
            previous_state: Some(JobState::Active),
            flow: Some(record.id),
            parents: vec![record.id],
            expired_at: later(5).filter(|_| state == JobState::Discarded),
            failed: true,
            ..record
        }
    }

    #[test]
    fn what_is_written_at_once_is_what_the_map_says() {
        let id = JobId::random(NOW, Partition(3));
        let usual = Envelope::read(&json!({"type": "a", "args": []}), NOW).expect("a job");
        let plain = Record::taken_in(id, &usual, Some(JobState::Available), NOW).expect("a record");
        let states =
            ["available", "scheduled", "pending", "active", "retryable", "completed", "cancelled", "discarded"];
        let full = states.map(|state| full(plain.clone(), state.parse().expect("a state")));
        for kept in envelopes().iter().map(Envelope::to_kept_json).chain(
            ["", "{", "{}", r#"{"args":[],"type":"a","state":"x"}"#, r#"{"type":null,"args":7,"queue":"b"}"#]
                .map(str::to_owned),
        ) {
            for record in full.iter().chain([&plain]) {
                let job = Job {
                    result: Some(json!({"sum": 1.50})),
                    errors: vec![json!({"code": "x"}), json!({"code": "y"})],
                    parent_results: vec![Value::Null],
                    ..Job::new(Kept::new("key", kept.clone()), record.clone())
                };
                assert_eq!(job.to_json_text(), Value::from(job.to_json()).to_string(), "{kept}");
            }
        }
    }

    #[test]
    fn a_record_says_all_it_knows_and_nothing_that_has_not_come() {
        let id: JobId = "019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f6a".parse().expect("an id");
        let said = Envelope::read(&json!({"type": "a", "args": [1]}), NOW).expect("a job");
        let plain = Record::taken_in(id, &said, Some(JobState::Available), NOW).expect("a record");
        let job = Job {
            errors: vec![json!({"code": "x"})],
            ..Job::new(Kept::new("key", said.to_kept_json()), full(plain, JobState::Retryable))
        };
        let retry = RetryPolicy::default().to_json();
        assert_eq!(
            job.to_json_text(),
            format!(
                r#"{{"specversion":"1.0","id":"{id}","type":"a","queue":"default","args":[1],"meta":{{}},"priority":0,"tags":[],"#
            ) + &format!(
                r#""retry":{retry},"state":"retryable","attempt":2,"max_attempts":3,"created_at":"2026-03-08T05:30:00Z","#
            ) + r#""enqueued_at":"2026-03-08T05:30:00Z","started_at":"2026-03-08T05:30:00.001Z","#
                + r#""activated_at":"2026-03-08T05:30:00.004Z","next_attempt_at":"2026-03-08T05:30:00.003Z","#
                + r#""previous_state":"active","worker_id":"w \"1\"","retry_delay_ms":7,"#
                + &format!(
                    r#""workflow_id":"{id}","parent_results":[],"error":{{"code":"x"}},"errors":[{{"code":"x"}}]}}"#
                )
        );
    }

    #[test]
    fn a_job_of_which_nothing_unusual_was_said_is_written_at_once() {
        let kept = |job: Value| Envelope::read(&job, NOW).expect("a job").to_kept_json();
        let full = json!({"type": "a", "args": [1, {"b": null}], "queue": "q", "meta": {"m": 1}, "priority": 3, "tags": ["t"]});
        for usual in [json!({"type": "a", "args": []}), full] {
            assert!(Usual::read(&kept(usual.clone())).is_some(), "{usual}");
        }
        assert!(Usual::read(&kept(json!({"type": "a", "args": [], "retry": {"max_attempts": 1}}))).is_none());
    }
}
