//! The envelope as it is kept: what its producer said, without what follows from anything else.
//!
//! A member that is as by default is left out, and the id, which names the key. What is kept is therefore a job that a producer
//! could have sent, and reads as the same envelope. [`complete`] gives it back whole; one that says everything, as an older
//! version kept it, stays as it is.

use std::sync::LazyLock;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::object::{Members, ObjectText};
use super::{Envelope, RetryPolicy};
use crate::id::JobId;
use crate::name::QueueName;

/// What is kept of a job that says little needs no more.
const KEPT_BYTES: usize = 256;

impl Envelope {
    /// The JSON text that is kept, in the order of the complete envelope.
    #[must_use]
    pub fn to_kept_json(&self) -> String {
        let mut text = ObjectText::new(KEPT_BYTES);
        text.word("type", self.job_type.as_str());
        if self.queue != QueueName::default() {
            text.word("queue", self.queue.as_str());
        }
        text.put("args", &self.args);
        if !self.meta.is_empty() {
            text.put("meta", &self.meta);
        }
        if self.priority != 0 {
            text.put("priority", &self.priority);
        }
        if !self.tags.is_empty() {
            text.put("tags", &self.tags);
        }
        if let Some(retry) = retry_to_keep(&self.retry) {
            text.put("retry", &retry);
        }
        text.spread(&self.rest_to_json());
        text.finish()
    }
}

/// What a policy says beside the default.
fn retry_to_keep(policy: &RetryPolicy) -> Option<Value> {
    if *policy == RetryPolicy::default() {
        return None;
    }
    let (mut said, usual) = (policy.to_json(), &*RETRY_DEFAULT);
    if let Some(said) = said.as_object_mut() {
        said.retain(|name, value| usual.get(name) != Some(value));
    }
    Some(said)
}

/// The policy that most jobs have, as the wire echoes it.
static RETRY_DEFAULT: LazyLock<Value> = LazyLock::new(|| RetryPolicy::default().to_json());
/// The text of it.
pub(super) static RETRY_WRITTEN: LazyLock<Box<RawValue>> =
    LazyLock::new(|| serde_json::value::to_raw_value(&*RETRY_DEFAULT).unwrap_or_default());

/// The envelope whole, as [`Envelope::to_json`] writes it, of what was kept for this job. Nothing, which stands for what cannot
/// be read, stays nothing.
#[must_use]
pub(super) fn complete(kept: &Map<String, Value>, id: JobId) -> Map<String, Value> {
    if kept.is_empty() || kept.contains_key("specversion") {
        return kept.clone();
    }
    let said = |name: &str| kept.get(name).cloned();
    // Room for what the record adds.
    let mut whole = Map::with_capacity(kept.len() + 20);
    let mut put = |name: &str, value: Value| whole.insert(name.to_owned(), value);
    put("specversion", "1.0".into());
    put("id", id.to_string().into());
    put("type", said("type").unwrap_or_default());
    put("queue", said("queue").unwrap_or_else(|| QueueName::default().as_str().into()));
    put("args", said("args").unwrap_or_else(|| Value::Array(Vec::new())));
    put("meta", said("meta").unwrap_or_else(|| Map::new().into()));
    put("priority", said("priority").unwrap_or_else(|| 0.into()));
    put("tags", said("tags").unwrap_or_else(|| Value::Array(Vec::new())));
    put("retry", kept.get("retry").map_or_else(|| RETRY_DEFAULT.clone(), whole_retry));
    for (name, value) in kept.iter().filter(|(name, _)| !WITH_DEFAULT.contains(&name.as_str())) {
        put(name, value.clone());
    }
    whole
}

/// The members that are always shown.
const WITH_DEFAULT: [&str; 7] = ["type", "queue", "args", "meta", "priority", "tags", "retry"];

fn whole_retry(kept: &Value) -> Value {
    // What was taken in can be read again.
    let policy = kept.as_object().and_then(|said| RetryPolicy::parse(said, "retry").ok());
    policy.map_or_else(|| kept.clone(), |policy| policy.to_json())
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Timestamp;
    use crate::id::Partition;

    const NOW: Timestamp = Timestamp::from_secs(1_772_947_800);

    pub(in crate::job) fn envelopes() -> Vec<Envelope> {
        let jobs = [
            json!({"type": "echo", "args": []}),
            json!({"type": "a.b", "args": [1, "x"], "queue": "b", "meta": {"a": 1}, "priority": -5, "tags": ["t"]}),
            json!({"type": "a", "args": [], "timeout_ms": 10, "expires_at": "2099-12-31T23:59:59Z", "x": null,
                "scheduled_at": "2098-01-01T00:00:00+01:00", "unique": {"keys": ["args"]}, "schema": "s",
                "visibility_timeout_ms": 5, "rate_limit": {"rate": 5, "period": "PT1M"}}),
            json!({"type": "a", "args": [{}], "rate_limit": {"key": "k", "concurrency": 2, "rate": 1}}),
            json!({"type": "a", "args": [], "retry": {"max_attempts": 9}}),
            json!({"type": "a", "args": [], "scheduled_at": "2098-01-01T00:00:00Z", "timeout_ms": 7, "x": [1.50]}),
            json!({"type": "a", "args": [], "retry": {"initial_interval": "PT1H", "backoff_strategy": "linear"}}),
            json!({"type": "a", "args": [], "retry": {"initial_interval": "PT10M", "max_interval": "PT20M",
                "jitter": false, "non_retryable_errors": ["X.*"], "on_exhaustion": "dead_letter"}}),
        ];
        jobs.iter().map(|job| Envelope::read(job, NOW).expect("a job")).collect()
    }

    #[test]
    fn only_what_is_not_as_by_default_is_kept() {
        let kept = |job: &Value| Envelope::read(job, NOW).expect("a job").to_kept_json();
        let job = json!({"id": "019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f6a", "type": "echo", "args": [1], "queue": "default",
            "meta": {}, "priority": 0, "tags": [], "retry": {"max_attempts": 3}});
        assert_eq!(kept(&job), r#"{"type":"echo","args":[1]}"#);
        assert!(kept(&json!({"type": "a", "args": [], "retry": {"max_attempts": 5}})).contains(r#""max_attempts":5"#));
    }

    #[test]
    fn what_was_kept_is_given_back_whole_in_the_same_order() {
        for envelope in envelopes() {
            let id = JobId::random(NOW, Partition(3));
            let kept: Map<String, Value> = serde_json::from_str(&envelope.to_kept_json()).expect("JSON");
            let (whole, said) = (complete(&kept, id), envelope.to_json(id));
            assert_eq!(Value::from(whole.clone()).to_string(), Value::from(said).to_string());
            assert_eq!(complete(&whole, id), whole, "what says everything stays as it is");
        }
    }

    #[test]
    fn what_was_kept_reads_as_the_same_envelope() {
        for envelope in envelopes() {
            assert_eq!(Envelope::parse(envelope.to_kept_json().as_bytes(), NOW), Ok(envelope));
        }
    }
}
