//! A job as the wire shows it (OJS HTTP binding §1): the envelope, whole, with the record's members among it.
//!
//! Where a job is asked for by itself it is written at once; a map is for whoever shows many, or changes something.

use std::sync::LazyLock;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::short::{RETRY_WRITTEN, complete};
use super::{Job, JobState, RetryPolicy};
use crate::id::JobId;
use crate::name::QueueName;

/// A job that says little needs no more.
const SHOWN_BYTES: usize = 768;

/// All of it, in this order.
#[derive(Serialize)]
struct Shown<S, B> {
    specversion: &'static str,
    id: JobId,
    #[serde(flatten)]
    said: S,
    #[serde(flatten)]
    became: B,
}

pub(super) fn written(id: JobId, said: impl Serialize, became: impl Serialize) -> String {
    let mut text = Vec::with_capacity(SHOWN_BYTES);
    // Texts and numbers in maps and lists: nothing that JSON cannot say.
    let shown = serde_json::to_writer(&mut text, &Shown { specversion: "1.0", id, said, became });
    shown.ok().and_then(|()| String::from_utf8(text).ok()).unwrap_or_default()
}

impl Job {
    /// The job as the wire shows it.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut map = complete(&self.envelope, self.record.id);
        let most = map.get("retry").and_then(|retry| retry.get("max_attempts")).cloned();
        let became = Became { job: self, max_attempts: most.unwrap_or_else(|| RetryPolicy::ATTEMPTS.into()) };
        if let Ok(Value::Object(became)) = serde_json::to_value(became) {
            // A job may have taken over the time of the one that it replaced.
            map.extend(became);
        }
        map
    }

    /// The JSON text of it. What stands in an envelope that was not taken in by us, such as members that stand twice, is handed on
    /// as it is.
    #[must_use]
    pub fn to_json_text(&self) -> String {
        match Usual::read(self.envelope.text()) {
            Some(said) => written(self.record.id, said, Became { job: self, max_attempts: RetryPolicy::ATTEMPTS }),
            None => Value::Object(self.to_json()).to_string(),
        }
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

/// What the record says of a job, and what its attempts left. A time that has not come is left out, never `null`: typed clients
/// read absence, not null.
struct Became<'a, M> {
    job: &'a Job,
    /// As its policy of retries says.
    max_attempts: M,
}

impl<M: Serialize> Serialize for Became<'_, M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let job = self.job;
        let record = &job.record;
        let is = |state| record.state == state;
        let mut map = Members(serializer.serialize_map(None)?);
        map.put("state", Some(record.state.as_str()))?;
        map.put("attempt", Some(record.attempt))?;
        map.put("max_attempts", Some(&self.max_attempts))?;
        map.put("created_at", Some(record.created_at))?;
        map.put("enqueued_at", Some(record.enqueued_at))?;
        map.put("started_at", record.started_at)?;
        map.put("expired_at", record.expired_at)?;
        map.put("activated_at", record.activated_at)?;
        map.put("scheduled_at", record.due_at.filter(|_| is(JobState::Scheduled)))?;
        map.put("next_attempt_at", record.due_at.filter(|_| is(JobState::Retryable)))?;
        map.put("cancelled_at", record.ended_at.filter(|_| is(JobState::Cancelled)))?;
        map.put("discarded_at", record.ended_at.filter(|_| is(JobState::Discarded)))?;
        map.put("completed_at", record.ended_at.filter(|_| job.ended_by_an_attempt()))?;
        map.put("previous_state", record.previous_state.map(JobState::as_str))?;
        map.put("worker_id", record.worker.as_ref().filter(|worker| *worker != NOBODY))?;
        map.put("lease_token", record.lease.as_ref().filter(|_| is(JobState::Active)).map(AsRef::as_ref))?;
        map.put("retry_delay_ms", record.retry_delay_ms)?;
        map.put("workflow_id", record.flow)?;
        map.put("parent_results", Some(&job.parent_results).filter(|_| !record.parents.is_empty()))?;
        map.put("result", job.result.as_ref())?;
        map.put("error", job.errors.last().filter(|_| record.failed))?;
        map.put("errors", Some(&job.errors).filter(|errors| !errors.is_empty()))?;
        map.0.end()
    }
}

struct Members<M>(M);

impl<M: SerializeMap> Members<M> {
    fn put(&mut self, name: &'static str, value: Option<impl Serialize>) -> Result<(), M::Error> {
        value.map_or(Ok(()), |value| self.0.serialize_entry(name, &value))
    }
}

/// What is kept of most jobs, as it stands in its text: these members and no others, and the usual policy of retries.
#[derive(Serialize, Deserialize)]
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
    #[serde(skip_deserializing, default = "usual_retry")]
    retry: &'a RawValue,
}

impl<'a> Usual<'a> {
    fn read(kept: &'a str) -> Option<Self> {
        serde_json::from_str(kept).ok()
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

fn usual_retry() -> &'static RawValue {
    &RETRY_WRITTEN
}

fn raw(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Timestamp;
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
