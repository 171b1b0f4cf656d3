//! Limits on how jobs start (OJS rate limiting): for a queue, or for all jobs that share a key.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::{Refusal, RefusalKind, duration};

/// How many jobs may start within any span of so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many.
    pub starts: u32,
    /// Of so long.
    pub window: Duration,
}

/// A limit that holds for all jobs of a key together. Each job brings its own idea of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLimit {
    /// The key.
    pub key: String,
    /// How many may start within a span.
    pub rate: Option<RateLimit>,
    /// How many may run at once.
    pub concurrency: Option<u32>,
}

const STARTS_MAX: i64 = 100_000;
const KEY_CHARS_MAX: usize = 255;
const WINDOW_MAX: Duration = Duration::from_secs(86_400);

impl RateLimit {
    /// Reads `{"max_per_second": n}` or `{"rate": n, "period": "PT1M"}`: it holds for the queue of the job.
    ///
    /// # Errors
    ///
    /// When a member is missing or wrong; the refusal names it.
    pub fn parse(map: &Map<String, Value>, path: &str) -> Result<Self, Refusal> {
        let fields = Fields::new(map, path);
        if fields.find("concurrency").is_some() {
            let path = fields.path_of("concurrency");
            let message = format!("{path} needs a key: the concurrency of a queue is set on the queue");
            return Err(Refusal { kind: RefusalKind::Unsupported, ..Refusal::field(path, message) });
        }
        let read = Self::read(&fields)?;
        read.ok_or_else(|| fields.refuse("max_per_second", "how many jobs may start in a second"))
    }

    fn read(fields: &Fields<'_>) -> Result<Option<Self>, Refusal> {
        if let Some(starts) = positive(fields, "max_per_second")? {
            return Ok(Some(Self { starts, window: Duration::from_secs(1) }));
        }
        let window = fields.interval("period")?.unwrap_or(Duration::from_secs(1));
        if window.is_zero() || window > WINDOW_MAX {
            return Err(fields.refuse("period", "an ISO 8601 duration up to a day, such as PT1M"));
        }
        Ok(positive(fields, "rate")?.map(|starts| Self { starts, window }))
    }

    /// The limit as the wire echoes it.
    #[must_use]
    pub fn to_json(self) -> Value {
        if self.window == Duration::from_secs(1) {
            return json!({"max_per_second": self.starts});
        }
        json!({"rate": self.starts, "period": duration::format(self.window)})
    }
}

/// `<starts>:<milliseconds>`, as the scripts read it.
impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.starts, self.window.as_millis())
    }
}

impl KeyLimit {
    /// Whether a limit is one of a key.
    #[must_use]
    pub fn is_meant(map: &Map<String, Value>) -> bool {
        map.get("key").is_some_and(|key| !key.is_null())
    }

    /// Reads `{"key": "…", "concurrency": n, "rate": n, "period": "PT1M", "on_limit": "wait"}`.
    ///
    /// # Errors
    ///
    /// When a member is missing or wrong, or a job that is over the limit is not to wait; the refusal names the member.
    pub fn parse(map: &Map<String, Value>, path: &str) -> Result<Self, Refusal> {
        let fields = Fields::new(map, path);
        let key = fields.text("key")?.unwrap_or_default();
        if !(1..=KEY_CHARS_MAX).contains(&key.chars().count()) || key.chars().any(char::is_control) {
            return Err(fields.refuse("key", &format!("1 to {KEY_CHARS_MAX} characters without control characters")));
        }
        match fields.text("on_limit")? {
            None | Some("wait") => {}
            Some(_) => {
                let path = fields.path_of("on_limit");
                let message = format!("{path} is not supported but for `wait`: a job over its limit stays where it is");
                return Err(Refusal { kind: RefusalKind::Unsupported, ..Refusal::field(path, message) });
            }
        }
        let (rate, concurrency) = (RateLimit::read(&fields)?, positive(&fields, "concurrency")?);
        if rate.is_none() && concurrency.is_none() {
            return Err(fields.refuse("rate", "how many jobs may start in a period, unless there is a concurrency"));
        }
        Ok(Self { key: key.to_owned(), rate, concurrency })
    }

    /// The limit as the wire echoes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut value = json!({"key": self.key, "on_limit": "wait"});
        if let Some(rate) = self.rate {
            value["rate"] = rate.starts.into();
            value["period"] = duration::format(rate.window).into();
        }
        if let Some(most) = self.concurrency {
            value["concurrency"] = most.into();
        }
        value
    }
}

fn positive(fields: &Fields<'_>, name: &str) -> Result<Option<u32>, Refusal> {
    Ok(fields.integer(name, 1, STARTS_MAX)?.and_then(|n| u32::try_from(n).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(value: &Value) -> Result<KeyLimit, Refusal> {
        KeyLimit::parse(value.as_object().expect("an object"), "rate_limit")
    }

    #[test]
    fn a_limit_of_a_key_is_echoed_as_it_was_understood() {
        let limit = keyed(&json!({"key": "crm", "max_per_second": 2, "concurrency": 3})).expect("valid");
        let echo = limit.to_json();
        assert_eq!(echo, json!({"key": "crm", "on_limit": "wait", "rate": 2, "period": "PT1S", "concurrency": 3}));
        assert_eq!(keyed(&echo), Ok(limit));
    }

    #[test]
    fn mistakes_are_refused_by_name() {
        for (limit, field) in [
            (json!({"key": ""}), "rate_limit.key"),
            (json!({"key": "x".repeat(256), "rate": 1}), "rate_limit.key"),
            (json!({"key": "a\nb", "rate": 1}), "rate_limit.key"),
            (json!({"key": "k"}), "rate_limit.rate"),
            (json!({"key": "k", "rate": 0}), "rate_limit.rate"),
            (json!({"key": "k", "rate": 1, "period": "P2D"}), "rate_limit.period"),
            (json!({"key": "k", "rate": 1, "on_limit": "drop"}), "rate_limit.on_limit"),
        ] {
            assert_eq!(keyed(&limit).expect_err(field).field, field, "{limit}");
        }
    }
}
