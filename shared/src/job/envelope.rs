//! What a producer said (OJS core §5, HTTP binding §1): read once at the door, kept as text, never changed.
//!
//! Two spellings are taken: everything at the top level (the core envelope), or settings within `options` (the HTTP form);
//! where both speak, `options` wins. Members that we do not know are kept as they are. `args`, `meta` and unknown members
//! keep every digit of their numbers and the order of their members (`1e9` comes back as `1e+9`, the same number).

use std::time::Duration;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::limit::{KeyLimit, RateLimit};
use super::retry::RetryPolicy;
use super::{Refusal, RefusalKind, UniquePolicy};
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::name::{JobType, QueueName};

/// The largest envelope that is taken, in bytes of JSON.
pub const ENVELOPE_BYTES_MAX: usize = 1024 * 1024;

pub(super) const TAGS_MAX: usize = 50;
pub(super) const TAG_CHARS_MAX: usize = 255;

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

/// Members that only we write; what a client sends for them is ignored.
const SYSTEM: &[&str] = &[
    "state",
    "attempt",
    "max_attempts",
    "created_at",
    "enqueued_at",
    "started_at",
    "completed_at",
    "cancelled_at",
    "discarded_at",
    "expired_at",
    "activated_at",
    "previous_state",
    "error",
    "errors",
    "result",
    "retry_delay_ms",
    "next_attempt_at",
    "worker_id",
    "workflow_id",
    "step_id",
    "parent_results",
    "progress",
    "visibility_deadline",
];

/// Members that are read into fields of their own.
const KNOWN: &[&str] = &[
    "specversion",
    "id",
    "type",
    "queue",
    "args",
    "meta",
    "priority",
    "timeout",
    "timeout_ms",
    "visibility_timeout",
    "visibility_timeout_ms",
    "scheduled_at",
    "delay_until",
    "delay",
    "expires_at",
    "ttl",
    "ttl_ms",
    "enqueue_ttl",
    "retry",
    "unique",
    "tags",
    "schema",
    "rate_limit",
    "pending",
    "options",
];

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
            meta: meta(&said)?,
            priority: said
                .read(|fields| fields.integer("priority", -100, 100))?
                .map_or(0, |n| i8::try_from(n).unwrap_or(0)),
            timeout: said.read(|fields| milliseconds(fields, "timeout"))?,
            visibility: said.read(|fields| milliseconds(fields, "visibility_timeout"))?,
            scheduled_at: scheduled_at(&said, now)?,
            expires_at: expires_at(&said, now)?,
            retry: retry(&said)?,
            unique: unique(&said)?,
            rate_limit: None,
            key_limit: None,
            tags: tags(&said)?,
            schema: said.read(|fields| fields.text("schema"))?.map(str::to_owned),
            pending: said.read(|fields| fields.boolean("pending"))?.unwrap_or(false),
            unknown: map.iter().filter(|(name, _)| is_unknown(name)).map(|(n, v)| (n.clone(), v.clone())).collect(),
        };
        match limit(&said)? {
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

fn is_unknown(name: &str) -> bool {
    !KNOWN.contains(&name) && !SYSTEM.contains(&name)
}

fn ms(duration: Duration) -> Value {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).into()
}

/// The two places where a producer may say something.
struct Said<'a> {
    top: Fields<'a>,
    options: Fields<'a>,
}

impl<'a> Said<'a> {
    fn read<T>(&self, read: impl Fn(&Fields<'a>) -> Result<Option<T>, Refusal>) -> Result<Option<T>, Refusal> {
        Ok(read(&self.options)?.or(read(&self.top)?))
    }
}

fn unique(said: &Said<'_>) -> Result<Option<UniquePolicy>, Refusal> {
    for fields in [&said.options, &said.top] {
        if let Some(map) = fields.object("unique")? {
            return UniquePolicy::parse(map, &fields.path_of("unique")).map(Some);
        }
    }
    Ok(None)
}

/// An object, and its path.
type Placed<'a> = (&'a Map<String, Value>, String);

/// The object in the one or the other place.
fn limit<'a>(said: &Said<'a>) -> Result<Option<Placed<'a>>, Refusal> {
    for fields in [&said.options, &said.top] {
        if let Some(map) = fields.object("rate_limit")? {
            return Ok(Some((map, fields.path_of("rate_limit"))));
        }
    }
    Ok(None)
}

/// `meta`, with what `options` adds; the top level wins.
fn meta(said: &Said<'_>) -> Result<Map<String, Value>, Refusal> {
    let mut meta = said.options.object("metadata")?.cloned().unwrap_or_default();
    meta.extend(said.options.object("meta")?.cloned().unwrap_or_default());
    meta.extend(said.top.object("meta")?.cloned().unwrap_or_default());
    Ok(meta)
}

/// `<name>_ms` in milliseconds, or `<name>` in seconds (OJS core writes seconds, the HTTP binding milliseconds).
fn milliseconds(fields: &Fields<'_>, name: &str) -> Result<Option<Duration>, Refusal> {
    const MS_MAX: i64 = 365 * 86_400_000;
    let read_ms = fields.integer(&format!("{name}_ms"), 1, MS_MAX)?;
    let read = match read_ms {
        Some(ms) => Some(ms),
        None => fields.integer(name, 1, MS_MAX / 1000)?.map(|seconds| seconds * 1000),
    };
    Ok(read.map(|ms| Duration::from_millis(ms.unsigned_abs())))
}

fn scheduled_at(said: &Said<'_>, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    said.read(|fields| {
        for name in ["scheduled_at", "delay_until", "delay"] {
            if let Some(at) = fields.instant(name, now)? {
                return Ok(Some(at));
            }
        }
        Ok(None)
    })
}

fn expires_at(said: &Said<'_>, now: Timestamp) -> Result<Option<(Timestamp, String)>, Refusal> {
    said.read(|fields| {
        if let Some(ttl_ms) = fields.integer("ttl_ms", 1, i64::MAX)? {
            let at = now + Duration::from_millis(ttl_ms.unsigned_abs());
            return Ok(Some((at, at.to_string())));
        }
        for name in ["expires_at", "ttl", "enqueue_ttl"] {
            let Some(at) = fields.instant(name, now)? else { continue };
            // An absolute time is echoed as it was written.
            let written = fields.text(name)?.filter(|text| text.parse::<Timestamp>().is_ok());
            return Ok(Some((at, written.map_or_else(|| at.to_string(), str::to_owned))));
        }
        Ok(None)
    })
}

fn retry(said: &Said<'_>) -> Result<RetryPolicy, Refusal> {
    let mut policy = RetryPolicy::default();
    for fields in [&said.top, &said.options] {
        let path = fields.path_of("retry");
        if let Some(map) = fields.object("retry").map_err(|refusal| Refusal::retry(refusal.field, refusal.message))? {
            policy = RetryPolicy::parse(map, &path)?;
        }
    }
    // It is part of the policy wherever it stands.
    let most = said.read(|fields| fields.integer("max_attempts", 0, 1000));
    if let Some(most) = most.map_err(|refusal| Refusal::retry(refusal.field, refusal.message))? {
        policy.max_attempts = u32::try_from(most).unwrap_or(policy.max_attempts);
    }
    Ok(policy)
}

fn tags(said: &Said<'_>) -> Result<Vec<String>, Refusal> {
    let tags = said.read(|fields| fields.texts("tags"))?.unwrap_or_default();
    if tags.len() > TAGS_MAX || tags.iter().any(|tag| tag.chars().count() > TAG_CHARS_MAX) {
        let message = format!("tags must be at most {TAGS_MAX} strings of at most {TAG_CHARS_MAX} characters");
        return Err(Refusal::field("tags", message));
    }
    Ok(tags)
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
