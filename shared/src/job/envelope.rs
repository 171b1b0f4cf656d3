//! What a producer said (OJS core §5, HTTP binding §1): read once at the door, kept as text, never changed.
//!
//! Two spellings are taken: everything at the top level (the core envelope), or settings within `options` (the HTTP form);
//! where both speak, `options` wins. Members that we do not know are kept as they are. `args`, `meta` and unknown members
//! keep every digit of their numbers and the order of their members (`1e9` comes back as `1e+9`, the same number).

use std::time::Duration;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::limit::{KeyLimit, RateLimit};
use super::member::is_unknown;
use super::retry::RetryPolicy;
use super::said::Said;
use super::{Refusal, RefusalKind, UniquePolicy};
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::name::{JobType, QueueName};

/// The largest envelope that is taken, in bytes of JSON.
pub const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;

/// A job as its producer described it.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The id that the producer brought.
    pub id: Option<JobId>,
    /// What is to be done.
    pub job_type: JobType,
    /// Where it waits.
    pub queue: QueueName,
    /// The arguments of the handler.
    pub args: Vec<Value>,
    /// What travels with the job.
    pub meta: Map<String, Value>,
    /// −100 to 100, higher first.
    pub priority: i8,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// How long a lease lasts without a heartbeat, if the job has a wish.
    pub visibility: Option<Duration>,
    /// Not before this instant.
    pub scheduled_at: Option<Timestamp>,
    /// Not at all after this instant, and how the producer wrote it.
    pub expires_at: Option<(Timestamp, String)>,
    /// What to do when an attempt fails.
    pub retry: RetryPolicy,
    /// Which jobs are the same, and what becomes of the second.
    pub unique: Option<UniquePolicy>,
    /// What is made to hold for its queue.
    pub rate_limit: Option<RateLimit>,
    /// What it shares with all jobs of a key, whatever their queue.
    pub key_limit: Option<KeyLimit>,
    /// Labels.
    pub tags: Vec<String>,
    /// URI of the schema of the arguments.
    pub schema: Option<String>,
    /// Starts as `pending`, until somebody activates it.
    pub pending: bool,
    /// Members that OJS does not name.
    pub unknown: Map<String, Value>,
}

impl Envelope {
    /// Reads the JSON text of one job. `now` turns relative times into instants.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, or a member is missing or wrong; the refusal names it.
    pub fn parse(json: &[u8], now: Timestamp) -> Result<Self, Refusal> {
        if json.len() > ENVELOPE_BYTES_MAX {
            let message = format!("the envelope has {} bytes, more than {ENVELOPE_BYTES_MAX}", json.len());
            return Err(Refusal { kind: RefusalKind::TooLarge, ..Refusal::field("", message) });
        }
        let value =
            serde_json::from_slice(json).map_err(|error| Refusal::payload(format!("not valid JSON: {error}")))?;
        Self::read(&value, now)
    }

    /// Reads one job.
    ///
    /// # Errors
    ///
    /// When a member is missing or wrong; the refusal names it.
    pub fn read(value: &Value, now: Timestamp) -> Result<Self, Refusal> {
        let Value::Object(map) = value else {
            return Err(Refusal::field("", "a job is a JSON object, such as {\"type\":\"echo\",\"args\":[]}"));
        };
        Self::read_map(map, now)
    }

    /// Reads one job, whose members these are.
    ///
    /// # Errors
    ///
    /// When a member is missing or wrong; the refusal names it.
    pub fn read_map(map: &Map<String, Value>, now: Timestamp) -> Result<Self, Refusal> {
        let top = Fields::new(map, "");
        let none = Map::new();
        let options = Fields::new(top.object("options")?.unwrap_or(&none), "options");
        let job_type = top.parsed("type")?.ok_or_else(|| top.refuse("type", "a job type such as report.generate"))?;
        let args = match map.get("args") {
            Some(Value::Array(args)) => args.clone(),
            _ => return Err(top.refuse("args", "an array (it may be empty)")),
        };
        let id = match map.get("id") {
            Some(Value::Null) | None => None,
            Some(_) => top.parsed("id")?,
        };
        let said = Said { top, options };
        let mut read = Self {
            id,
            job_type,
            queue: said.read(|fields| fields.parsed("queue"))?.unwrap_or_default(),
            args,
            meta: said.meta()?,
            priority: said
                .read(|fields| fields.integer("priority", -100, 100))?
                .map_or(0, |n| i8::try_from(n).unwrap_or(0)),
            timeout: said.duration("timeout")?,
            visibility: said.duration("visibility_timeout")?,
            scheduled_at: said.scheduled_at(now)?,
            expires_at: said.expires_at(now)?,
            retry: said.retry()?,
            unique: said.unique()?,
            rate_limit: None,
            key_limit: None,
            tags: said.tags()?,
            schema: said.read(|fields| fields.text("schema"))?.map(str::to_owned),
            pending: said.read(|fields| fields.boolean("pending"))?.unwrap_or(false),
            unknown: map.iter().filter(|(name, _)| is_unknown(name)).map(|(n, v)| (n.clone(), v.clone())).collect(),
        };
        match said.limit()? {
            Some((map, path)) if KeyLimit::is_meant(map) => read.key_limit = Some(KeyLimit::parse(map, &path)?),
            Some((map, path)) => read.rate_limit = Some(RateLimit::parse(map, &path)?),
            None => {}
        }
        Ok(read)
    }

    /// The envelope as it is echoed: every default said, every time absolute.
    #[must_use]
    pub fn to_json(&self, id: JobId) -> Map<String, Value> {
        let mut map = Map::new();
        let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
        put("specversion", "1.0".into());
        put("id", id.to_string().into());
        put("type", self.job_type.as_str().into());
        put("queue", self.queue.as_str().into());
        put("args", self.args.clone().into());
        put("meta", self.meta.clone().into());
        put("priority", self.priority.into());
        put("tags", self.tags.clone().into());
        put("retry", self.retry.to_json());
        map.extend(self.rest_to_json());
        map
    }

    /// The members that have no default, in the order in which they are shown.
    pub(super) fn rest_to_json(&self) -> Map<String, Value> {
        let mut map = Map::new();
        let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
        if let Some(timeout) = self.timeout {
            put("timeout_ms", ms(timeout));
        }
        if let Some(visibility) = self.visibility {
            put("visibility_timeout_ms", ms(visibility));
        }
        if let Some(at) = self.scheduled_at {
            put("scheduled_at", at.to_string().into());
        }
        if let Some((_, text)) = &self.expires_at {
            put("expires_at", text.as_str().into());
        }
        if let Some(unique) = &self.unique {
            put("unique", unique.to_json());
        }
        if let Some(limit) = self.rate_limit {
            put("rate_limit", limit.to_json());
        }
        if let Some(limit) = &self.key_limit {
            put("rate_limit", limit.to_json());
        }
        if let Some(schema) = &self.schema {
            put("schema", schema.as_str().into());
        }
        map.extend(self.unknown.clone());
        map
    }
}

fn ms(duration: Duration) -> Value {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_secs(1_772_947_800);

    fn read(value: &Value) -> Result<Envelope, Refusal> {
        Envelope::read(value, NOW)
    }

    #[test]
    fn the_smallest_job_has_every_default() {
        let envelope = read(&json!({"type": "echo", "args": []})).expect("a job");
        assert_eq!(envelope.queue.as_str(), "default");
        assert_eq!((envelope.priority, envelope.retry.max_attempts, envelope.pending), (0, 3, false));
    }

    #[test]
    fn options_win_over_the_top_level() {
        let job = json!({"type": "echo", "args": [], "queue": "a", "priority": 1, "meta": {"x": 1, "y": 1},
            "options": {"queue": "b", "timeout": 5, "delay_until": "+PT2S", "meta": {"x": 2, "z": 2}}});
        let envelope = read(&job).expect("a job");
        assert_eq!((envelope.queue.as_str(), envelope.priority), ("b", 1));
        assert_eq!(envelope.timeout, Some(Duration::from_secs(5)));
        assert_eq!(envelope.scheduled_at, Some(NOW + Duration::from_secs(2)));
        assert_eq!(Value::from(envelope.meta), json!({"x": 1, "z": 2, "y": 1}));
    }

    #[test]
    fn unknown_members_and_odd_numbers_survive() {
        let text =
            r#"{"type":"echo","args":[9007199254740993,1.0,1e+999,[],{}],"x_custom":{"a":[]},"state":"completed"}"#;
        let envelope = Envelope::parse(text.as_bytes(), NOW).expect("a job");
        let kept = Value::from(envelope.to_json(JobId::random(NOW, crate::id::Partition(0)))).to_string();
        assert!(kept.contains(r#""args":[9007199254740993,1.0,1e+999,[],{}]"#), "{kept}");
        assert!(kept.contains(r#""x_custom":{"a":[]}"#), "{kept}");
        assert!(!kept.contains("completed"), "{kept}");
    }

    #[test]
    fn every_mistake_is_refused_by_name() {
        for (job, field) in [
            (json!([]), ""),
            (json!({"args": []}), "type"),
            (json!({"type": "A", "args": []}), "type"),
            (json!({"type": "a"}), "args"),
            (json!({"type": "a", "args": {}}), "args"),
            (json!({"type": "a", "args": [], "id": "7"}), "id"),
            (json!({"type": "a", "args": [], "queue": "My Queue"}), "queue"),
            (json!({"type": "a", "args": [], "options": {"priority": 101}}), "options.priority"),
            (json!({"type": "a", "args": [], "meta": []}), "meta"),
            (json!({"type": "a", "args": [], "timeout_ms": 0}), "timeout_ms"),
            (json!({"type": "a", "args": [], "delay": "soon"}), "delay"),
            (json!({"type": "a", "args": [], "retry": 3}), "retry"),
            (json!({"type": "a", "args": [], "tags": "x"}), "tags"),
            (json!({"type": "a", "args": [], "unique": 1}), "unique"),
            (json!({"type": "a", "args": [], "rate_limit": {"max_per_second": 0}}), "rate_limit.max_per_second"),
            (json!({"type": "a", "args": [], "options": {"rate_limit": {"key": "k"}}}), "options.rate_limit.rate"),
            (json!({"type": "a", "args": [], "max_attempts": -1}), "max_attempts"),
        ] {
            assert_eq!(read(&job).expect_err(field).field, field, "{job}");
        }
    }

    #[test]
    fn the_number_of_attempts_may_be_said_in_three_places_and_is_part_of_the_policy() {
        let most = |job: Value| read(&job).map(|envelope| envelope.retry.max_attempts).map_err(|refusal| refusal.kind);
        let retry = json!({"max_attempts": 5});
        assert_eq!(most(json!({"type": "a", "args": [], "retry": retry})), Ok(5));
        assert_eq!(most(json!({"type": "a", "args": [], "retry": retry, "max_attempts": 6})), Ok(6));
        assert_eq!(most(json!({"type": "a", "args": [], "max_attempts": 6, "options": {"max_attempts": 7}})), Ok(7));
        assert_eq!(most(json!({"type": "a", "args": [], "max_attempts": 1.5})), Err(RefusalKind::RetryPolicy));
    }

    #[test]
    fn what_is_kept_reads_as_the_same_envelope() {
        let keyed = json!({"type": "a", "args": [], "rate_limit": {"key": "k", "concurrency": 2, "rate": 1}});
        let first = read(&keyed).expect("a job");
        let id = JobId::random(NOW, crate::id::Partition(0));
        assert_eq!(read(&Value::from(first.to_json(id))), Ok(Envelope { id: Some(id), ..first }));
        let job = json!({"type": "a.b", "args": [1, "x"], "priority": -5, "timeout_ms": 10, "expires_at": "2099-12-31T23:59:59Z",
            "scheduled_at": "2098-01-01T00:00:00+01:00", "retry": {"max_attempts": 9}, "tags": ["t"], "x": null,
            "unique": {"keys": ["args"]}, "rate_limit": {"rate": 5, "period": "PT1M"}});
        let first = read(&job).expect("a job");
        let id = JobId::random(NOW, crate::id::Partition(0));
        let again = read(&Value::from(first.to_json(id))).expect("what we wrote");
        assert_eq!(again, Envelope { id: Some(id), ..first });
    }
}
