//! Unique jobs (OJS unique jobs): which jobs are the same, and what becomes of the second.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::fields::Fields;
use super::{Envelope, JobState, Refusal, duration};

/// When a job is the same as another, and what becomes of it then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniquePolicy {
    /// What is compared beside the type.
    pub keys: Vec<UniqueKey>,
    /// Members of the first object among the arguments that are compared; all arguments when there are none.
    pub args_keys: Vec<String>,
    /// Members of `meta` that are compared.
    pub meta_keys: Vec<String>,
    /// For how long the first keeps the second away; without bound when absent.
    pub period: Option<Duration>,
    /// The states in which the first keeps the second away.
    pub states: Vec<JobState>,
    /// What becomes of the second.
    pub on_conflict: OnConflict,
}

/// Something that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueKey {
    /// The type; always.
    Type,
    /// The queue.
    Queue,
    /// The arguments.
    Args,
    /// Members of `meta`.
    Meta,
}

/// What becomes of a job that is the same as one that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// It is refused.
    Reject,
    /// It is dropped, and the first is answered.
    Ignore,
    /// The first is cancelled.
    Replace,
    /// The first is cancelled, and the second takes over when it was due.
    ReplaceExceptSchedule,
}

impl OnConflict {
    /// The policy as the wire writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Ignore => "ignore",
            Self::Replace => "replace",
            Self::ReplaceExceptSchedule => "replace_except_schedule",
        }
    }
}

const STATES: [JobState; 5] =
    [JobState::Available, JobState::Active, JobState::Scheduled, JobState::Retryable, JobState::Pending];

impl UniquePolicy {
    /// Reads a policy.
    ///
    /// # Errors
    ///
    /// When a member is wrong; the refusal names it.
    pub fn parse(map: &Map<String, Value>, path: &str) -> Result<Self, Refusal> {
        let fields = Fields::new(map, path);
        let named = if fields.find("keys").is_some() { "keys" } else { "key" };
        let mut policy = Self {
            keys: vec![UniqueKey::Type],
            args_keys: fields.texts("args_keys")?.unwrap_or_default(),
            meta_keys: fields.texts("meta_keys")?.unwrap_or_default(),
            period: fields.interval("period")?,
            states: states(&fields)?,
            on_conflict: on_conflict(&fields)?,
        };
        for name in fields.texts(named)?.unwrap_or_default() {
            policy.compare(&name);
        }
        if !policy.args_keys.is_empty() {
            policy.add(UniqueKey::Args);
        }
        if policy.keys.contains(&UniqueKey::Meta) && policy.meta_keys.is_empty() {
            return Err(fields.refuse("meta_keys", "the members of meta to compare, when `keys` names meta"));
        }
        Ok(policy)
    }

    /// A name that is no dimension is that of an argument: some clients write it so.
    fn compare(&mut self, name: &str) {
        match name {
            "type" => {}
            "queue" => self.add(UniqueKey::Queue),
            "args" => self.add(UniqueKey::Args),
            "meta" => self.add(UniqueKey::Meta),
            argument => {
                self.args_keys.push(argument.to_owned());
                self.add(UniqueKey::Args);
            }
        }
    }

    fn add(&mut self, key: UniqueKey) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    /// What two jobs that are the same have in common, and no others: SHA-256, in hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self, envelope: &Envelope) -> String {
        let mut compared = Map::new();
        for key in &self.keys {
            match key {
                UniqueKey::Type => compared.insert("type".to_owned(), envelope.job_type.as_str().into()),
                UniqueKey::Queue => compared.insert("queue".to_owned(), envelope.queue.as_str().into()),
                UniqueKey::Args => compared.insert("args".to_owned(), self.compared_args(envelope)),
                UniqueKey::Meta => compared.insert("meta".to_owned(), picked(&envelope.meta, &self.meta_keys)),
            };
        }
        let mut text = String::new();
        canonical(&Value::Object(compared), &mut text);
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn compared_args(&self, envelope: &Envelope) -> Value {
        if self.args_keys.is_empty() {
            return Value::Array(envelope.args.clone());
        }
        let first = envelope.args.iter().find_map(Value::as_object);
        first.map_or(Value::Null, |args| picked(args, &self.args_keys))
    }

    /// The policy as the wire echoes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let keys: Vec<&str> = self
            .keys
            .iter()
            .map(|key| match key {
                UniqueKey::Type => "type",
                UniqueKey::Queue => "queue",
                UniqueKey::Args => "args",
                UniqueKey::Meta => "meta",
            })
            .collect();
        let mut value = json!({"keys": keys, "states": self.states, "on_conflict": self.on_conflict.as_str()});
        if !self.args_keys.is_empty() {
            value["args_keys"] = json!(self.args_keys);
        }
        if !self.meta_keys.is_empty() {
            value["meta_keys"] = json!(self.meta_keys);
        }
        if let Some(period) = self.period {
            value["period"] = duration::format(period).into();
        }
        value
    }
}

fn states(fields: &Fields<'_>) -> Result<Vec<JobState>, Refusal> {
    let Some(names) = fields.texts("states")? else { return Ok(STATES.to_vec()) };
    let read = |name: &String| name.parse().map_err(|_| fields.refuse("states", "an array of job states"));
    names.iter().map(read).collect()
}

fn on_conflict(fields: &Fields<'_>) -> Result<OnConflict, Refusal> {
    match fields.text("on_conflict")? {
        None | Some("reject") => Ok(OnConflict::Reject),
        Some("ignore") => Ok(OnConflict::Ignore),
        Some("replace") => Ok(OnConflict::Replace),
        Some("replace_except_schedule") => Ok(OnConflict::ReplaceExceptSchedule),
        Some(_) => Err(fields.refuse("on_conflict", "`reject`, `ignore`, `replace` or `replace_except_schedule`")),
    }
}

fn picked(map: &Map<String, Value>, names: &[String]) -> Value {
    names.iter().map(|name| (name.clone(), map.get(name).cloned().unwrap_or(Value::Null))).collect::<Map<_, _>>().into()
}

/// JSON with members in order and numbers in one spelling (in the spirit of RFC 8785): the same value, the same text.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut names: Vec<&String> = map.keys().collect();
            names.sort();
            text.push('{');
            for name in names {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                canonical(&map[name], text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Number(number) => text.push_str(&one_spelling(number)),
        other => text.push_str(&other.to_string()),
    }
}

/// `1`, `1.0` and `1e0` are one number; what a double cannot tell apart is compared as written.
fn one_spelling(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(double) if double.is_finite() && double.abs() <= 9_007_199_254_740_992.0 => format!("{double}"),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn fingerprint(job: Value, policy: Value) -> String {
        let envelope = Envelope::read(&job, Timestamp::from_ms(0)).expect("a job");
        UniquePolicy::parse(policy.as_object().expect("an object"), "unique").expect("a policy").fingerprint(&envelope)
    }

    #[test]
    fn what_is_not_compared_makes_no_difference() {
        let job = |n: i64, queue: &str| json!({"type": "a", "queue": queue, "args": [{"id": n, "x": n}]});
        let by = |keys: Value| json!({ "keys": keys });
        assert_eq!(fingerprint(job(1, "q"), by(json!(["type"]))), fingerprint(job(2, "r"), by(json!(["type"]))));
        assert_ne!(fingerprint(job(1, "q"), by(json!(["queue"]))), fingerprint(job(1, "r"), by(json!(["queue"]))));
        assert_ne!(fingerprint(job(1, "q"), by(json!(["args"]))), fingerprint(job(2, "q"), by(json!(["args"]))));
        assert_eq!(
            fingerprint(job(1, "q"), json!({"key": ["id"]})),
            fingerprint(job(1, "q"), json!({"args_keys": ["id"]}))
        );
    }

    #[test]
    fn the_spelling_of_json_makes_no_difference() {
        let policy = json!({"keys": ["args"]});
        let one = fingerprint(json!({"type": "a", "args": [{"a": 1, "b": 2}]}), policy.clone());
        assert_eq!(one, fingerprint(json!({"type": "a", "args": [{"b": 2.0, "a": 1}]}), policy));
    }

    #[test]
    fn a_policy_is_echoed_as_it_was_understood() {
        let policy = json!({"key": ["args"], "period_ms": 2000, "states": ["available"], "on_conflict": "ignore"});
        let policy = UniquePolicy::parse(policy.as_object().expect("an object"), "unique").expect("a policy");
        let echo = policy.to_json();
        assert_eq!(
            echo,
            json!({"keys": ["type", "args"], "states": ["available"], "on_conflict": "ignore", "period": "PT2S"})
        );
        assert_eq!(UniquePolicy::parse(echo.as_object().expect("an object"), "unique"), Ok(policy));
    }

    #[test]
    fn mistakes_are_refused_by_name() {
        for (policy, field) in [
            (json!({"keys": ["meta"]}), "unique.meta_keys"),
            (json!({"states": ["gone"]}), "unique.states"),
            (json!({"on_conflict": "explode"}), "unique.on_conflict"),
            (json!({"period": "5s"}), "unique.period"),
        ] {
            let refusal = UniquePolicy::parse(policy.as_object().expect("an object"), "unique").expect_err(field);
            assert_eq!(refusal.field, field);
        }
    }
}
