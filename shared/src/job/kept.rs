//! The envelope of a job as it is kept: JSON text, read no further than somebody asks.
//!
//! A worker needs what [`Envelope`] has and nothing else, and reads it from the text in one go; who shows the job to others
//! needs all of its members, and gets them as a map that is made when it is first looked at.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::said::{TAG_CHARS_MAX, TAGS_MAX};
use super::short::RETRY_WRITTEN;
use super::{Envelope, Refusal, RetryPolicy};
use crate::clock::Timestamp;
use crate::id::JobId;

/// The envelope of a job as it is kept. Its members are those of a map, none if it cannot be read.
#[derive(Clone, Default)]
pub struct Kept {
    /// The key it stands in, for whoever has to look at what cannot be read.
    key: String,
    /// Empty when only the map is known.
    text: String,
    map: OnceLock<Map<String, Value>>,
}

impl Kept {
    /// The envelope that stands in a key.
    #[must_use]
    pub fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into(), map: OnceLock::new() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What its producer said. `taken_in` is when: it counts only for times that were kept as relative ones.
    ///
    /// # Errors
    ///
    /// When it is not what was taken in; the refusal says why.
    pub fn envelope(&self, taken_in: Timestamp) -> Result<Envelope, Refusal> {
        Plain::read(&self.text).map_or_else(|| Envelope::read_map(self, taken_in), Ok)
    }
}

/// One broken job must not hold up the others: without an envelope it ends among the dead letters as soon as somebody has it
/// in hand.
impl Deref for Kept {
    type Target = Map<String, Value>;
    fn deref(&self) -> &Map<String, Value> {
        self.map.get_or_init(|| {
            serde_json::from_str(&self.text).unwrap_or_else(|error| {
                tracing::error!(key = self.key, error = %error, "the envelope of a job cannot be read");
                Map::new()
            })
        })
    }
}

impl From<Map<String, Value>> for Kept {
    fn from(map: Map<String, Value>) -> Self {
        Self { map: map.into(), ..Self::default() }
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The members that nearly every job has, and no others. What does not fit is read through the map, which says what is wrong.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    #[serde(rename = "specversion")]
    _version: Option<IgnoredAny>,
    id: Option<JobId>,
    r#type: &'a str,
    queue: Option<&'a str>,
    args: Vec<Value>,
    meta: Option<Map<String, Value>>,
    priority: Option<i8>,
    tags: Option<Vec<String>>,
    #[serde(borrow)]
    retry: Option<&'a RawValue>,
    timeout_ms: Option<u64>,
    visibility_timeout_ms: Option<u64>,
    scheduled_at: Option<&'a str>,
    expires_at: Option<&'a str>,
    schema: Option<String>,
}

impl Plain<'_> {
    fn read(text: &str) -> Option<Envelope> {
        let plain: Plain<'_> = serde_json::from_str(text).ok()?;
        let tags = plain.tags.unwrap_or_default();
        let fits = plain.priority.is_none_or(|priority| (-100..=100).contains(&priority))
            && tags.len() <= TAGS_MAX
            && tags.iter().all(|tag| tag.len() <= TAG_CHARS_MAX);
        fits.then_some(Envelope {
            id: plain.id,
            job_type: plain.r#type.parse().ok()?,
            queue: plain.queue.map_or_else(|| Ok(crate::name::QueueName::default()), str::parse).ok()?,
            args: plain.args,
            meta: plain.meta.unwrap_or_default(),
            priority: plain.priority.unwrap_or(0),
            timeout: duration(plain.timeout_ms)?,
            visibility: duration(plain.visibility_timeout_ms)?,
            scheduled_at: plain.scheduled_at.map(str::parse).transpose().ok()?,
            expires_at: expiry(plain.expires_at)?,
            retry: retry(plain.retry)?,
            unique: None,
            rate_limit: None,
            key_limit: None,
            tags,
            schema: plain.schema,
            pending: false,
            unknown: Map::new(),
        })
    }
}

fn duration(ms: Option<u64>) -> Option<Option<Duration>> {
    const MS_MAX: u64 = 365 * 86_400_000;
    ms.is_none_or(|ms| (1..=MS_MAX).contains(&ms)).then(|| ms.map(Duration::from_millis))
}

fn expiry(text: Option<&str>) -> Option<Option<(Timestamp, String)>> {
    let Some(text) = text else { return Some(None) };
    Some(Some((text.parse().ok()?, text.to_owned())))
}

fn retry(raw: Option<&RawValue>) -> Option<RetryPolicy> {
    match raw {
        None => Some(RetryPolicy::default()),
        Some(raw) if raw.get() == RETRY_WRITTEN.get() => Some(RetryPolicy::default()),
        Some(raw) => RetryPolicy::parse(&serde_json::from_str(raw.get()).ok()?, "retry").ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_772_947_800);

    fn through_the_map(text: &str) -> Result<Envelope, Refusal> {
        Envelope::read_map(&serde_json::from_str(text).unwrap_or_default(), NOW)
    }

    fn agrees(text: &str) {
        assert_eq!(Kept::new("key", text).envelope(NOW), through_the_map(text), "{text}");
    }

    #[test]
    fn the_short_way_reads_what_the_long_way_reads() {
        let id = "019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f6a";
        for (name, values) in [
            ("id", json!([null, id, "7", 7])),
            ("specversion", json!([null, "1.0", 2])),
            ("type", json!([null, "A", "", 1, "x\u{e9}"])),
            ("queue", json!([null, "mail", "My Queue", 1])),
            ("args", json!([null, {}, [], [{"a": [1.50, null]}], [9_007_199_254_740_993_u64]])),
            ("meta", json!([null, {}, {"b": 1, "a": {"c": []}}, [], "x"])),
            ("priority", json!([null, -100, 100, 101, -101, 1000, 1.0, 1.5, "1"])),
            ("tags", json!([null, [], ["a"], ["\u{e9}".repeat(200)], ["x".repeat(256)], vec!["t"; 51], "x", [1]])),
            (
                "retry",
                json!([null, {}, {"max_attempts": 5}, {"max_attempts": -1}, 3, RetryPolicy::default().to_json()]),
            ),
            ("timeout_ms", json!([null, 1, 0, -1, 5.0, 365_u64 * 86_400_000, u64::MAX])),
            ("visibility_timeout_ms", json!([null, 1, 0, "1"])),
            ("scheduled_at", json!([null, "2098-01-01T00:00:00+01:00", "+PT5M", "soon", 5])),
            ("expires_at", json!([null, "2098-01-01T00:00:00+01:00", "PT5M", "soon", 5])),
            ("schema", json!([null, "https://x", "a\"b", 1])),
            ("pending", json!([true, false, 1])),
            ("unique", json!([null, {"keys": ["args"]}, 1])),
            ("rate_limit", json!([null, {"rate": 5, "period": "PT1M"}, {"key": "k", "concurrency": 1}, 1])),
            ("options", json!([{"priority": 7}, {"priority": 101}])),
            ("max_attempts", json!([7, "x"])),
            ("state", json!(["completed"])),
            ("x_own", json!([{"a": 1}, null])),
        ] {
            for value in values.as_array().expect("values") {
                let mut job = json!({"type": "a.b", "args": [1, "x"]});
                job[name] = value.clone();
                agrees(&job.to_string());
                // In another order, which the map keeps.
                let Value::Object(map) = job else { unreachable!("an object") };
                agrees(&Value::Object(map.into_iter().rev().collect()).to_string());
            }
        }
    }

    #[test]
    fn what_is_no_job_is_refused_as_the_long_way_refuses_it() {
        for text in ["", "{", "[]", "null", r#"{"type":"a"}"#, r#"{"args":[]}"#, r#"{"type":"a","args":[],"args":[1]}"#]
        {
            agrees(text);
        }
    }

    #[test]
    fn what_is_kept_of_a_job_is_read_the_short_way() {
        let job = json!({"type": "a.b", "args": [1, "x"], "meta": {"k": "v"}, "priority": -5, "timeout_ms": 10, "tags": ["t"],
            "expires_at": "2099-12-31T23:59:59Z", "scheduled_at": "2098-01-01T00:00:00+01:00", "retry": {"max_attempts": 9}});
        let said = Envelope::read(&job, NOW).expect("a job");
        let id = JobId::random(NOW, crate::id::Partition(0));
        let text = Value::Object(said.to_json(id)).to_string();
        assert_eq!(Plain::read(&text), Some(Envelope { id: Some(id), ..said }));
        agrees(&text);
    }

    #[test]
    fn members_are_there_when_somebody_looks() {
        let kept = Kept::new("key", r#"{"type":"a","x":[1]}"#);
        assert_eq!(kept["x"], json!([1]));
        assert_eq!(kept, Kept::from(kept.deref().clone()));
        assert!(Kept::new("key", "{").is_empty());
    }
}
