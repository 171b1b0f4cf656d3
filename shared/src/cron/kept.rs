//! A definition as it is kept: what its owner said, without what is so by default.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::bounds::Bounds;
use super::definition::Definition;
use super::policy::{Lateness, OverlapPolicy};
use super::{Dialect, DstFold, Zone};
use crate::job::Refusal;

/// What most definitions consist of: nothing that must be looked at twice.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    name: &'a str,
    cron: &'a str,
    timezone: Option<&'a str>,
    #[serde(rename = "type")]
    job_type: &'a str,
    #[serde(default)]
    args: Vec<Value>,
    #[serde(default)]
    meta: Map<String, Value>,
    #[serde(default)]
    options: Map<String, Value>,
    overlap_policy: Option<&'a str>,
    description: Option<&'a str>,
}

impl Plain<'_> {
    fn definition(self) -> Option<Definition> {
        Some(Definition {
            name: self.name.parse().ok()?,
            expression: self.cron.to_owned(),
            dialect: Dialect::default(),
            fields: None,
            zone: self.timezone.map_or(Some(Zone::UTC), |zone| zone.parse().ok())?,
            dst_fold: DstFold::default(),
            job_type: self.job_type.parse().ok()?,
            args: self.args,
            meta: self.meta,
            options: self.options,
            overlap_policy: self.overlap_policy.map_or(Some(OverlapPolicy::default()), OverlapPolicy::of)?,
            lateness: Lateness::default(),
            jitter: None,
            bounds: Bounds::default(),
            run_as: None,
            enabled: None,
            description: self.description.map(str::to_owned),
        })
    }
}

impl Definition {
    /// The JSON text that is kept: what [`Definition::parse_kept`] reads back.
    #[must_use]
    pub fn to_kept_json(&self) -> String {
        let Value::Object(mut map) = self.to_json() else { return String::new() };
        map.retain(|name, value| !is_default(name, value));
        Value::Object(map).to_string()
    }

    /// Reads a definition as it is kept. What it says was checked when it was registered; whoever needs its schedule or its
    /// jobs is told if they cannot be made.
    ///
    /// # Errors
    ///
    /// When it is not JSON, or a member is missing or wrong; the refusal names it.
    pub fn parse_kept(json: &str) -> Result<Self, Refusal> {
        // The plain ones are read at once. Whatever is not plain is read member by member, and says what is wrong with it.
        if let Some(definition) = serde_json::from_str::<Plain<'_>>(json).ok().and_then(Plain::definition) {
            return Ok(definition);
        }
        let value: Value = serde_json::from_str(json).map_err(|error| Refusal::payload(error.to_string()))?;
        Self::read_kept(&value)
    }
}

/// Whether a member need not be said.
fn is_default(name: &str, value: &Value) -> bool {
    match (name, value) {
        ("timezone", Value::String(zone)) => zone == Zone::UTC.name(),
        ("overlap_policy", Value::String(policy)) => policy == OverlapPolicy::default().as_str(),
        ("args", Value::Array(args)) => args.is_empty(),
        ("meta" | "options", Value::Object(map)) => map.is_empty(),
        (_, value) => value.is_null(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kept(registration: &Value) -> String {
        Definition::read(registration).expect("a valid entry").0.to_kept_json()
    }

    #[test]
    fn what_is_so_by_default_is_not_kept() {
        let text =
            kept(&json!({"name": "n", "cron": "* * * * *", "type": "a", "timezone": "UTC", "overlap_policy": "skip",
            "args": [], "meta": {}, "options": {}}));
        assert_eq!(text, r#"{"name":"n","cron":"* * * * *","type":"a"}"#);
    }

    #[test]
    fn what_is_kept_reads_as_the_same_definition() {
        for registration in [
            json!({"name": "n", "cron": "* * * * *", "type": "a"}),
            json!({"name": "n", "cron": "@every 5m", "type": "a", "args": [1, 9_007_199_254_740_993_u64, "\u{0}\"é"], "meta": {"a": [null]},
                "timezone": "Europe/Paris", "overlap_policy": "cancel_previous", "description": "plain"}),
            json!({"name": "n", "cron": "0 0 9 ? * MON", "dialect": "quartz", "type": "a", "options": {"queue": "q"},
                "misfire": "all", "deadline": "5m", "jitter": "30s", "starts_at": "2026-01-01T00:00:00Z", "max_runs": 3,
                "run_as": "somebody", "dst_fold": "both", "overlap_policy": "enqueue", "description": "two\nlines \"so\""}),
            json!({"name": "n", "cron": "0 9 * * *", "fields": 5, "type": "a", "overlap_policy": "allow"}),
        ] {
            let whole = Definition::read(&registration).expect("a valid entry").0.to_json();
            let read = Definition::parse_kept(&kept(&registration)).expect("it was kept");
            assert_eq!(read.to_json().to_string(), whole.to_string());
            let older = Definition::parse_kept(&whole.to_string()).expect("an older version kept everything");
            assert_eq!(older.to_json().to_string(), whole.to_string());
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, named) in
            [("{", "EOF"), (r#"{"name":1,"cron":"* * * * *"}"#, "name"), (r#"{"name":"n","cron":"* * * * *"}"#, "type")]
        {
            let refusal = Definition::parse_kept(json).expect_err("it is no definition");
            assert!(refusal.message.contains(named), "{}", refusal.message);
        }
    }
}
