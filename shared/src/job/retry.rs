//! The retry policy (OJS retry): how often, how long in between, and what becomes of a job that exhausts it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::{Refusal, duration};

/// What to do when an attempt failed.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// How many attempts there are in all; 0 and 1 both mean no retry.
    pub max_attempts: u32,
    /// The delay after the first failure.
    pub initial_interval: Duration,
    /// By how much delays grow.
    pub backoff_coefficient: f64,
    /// What no delay exceeds.
    pub max_interval: Duration,
    /// Whether delays are spread over ±50 %.
    pub jitter: bool,
    /// Failures that are not tried again: exact names, or `Prefix.*`.
    pub non_retryable_errors: Vec<String>,
    /// What becomes of a job whose attempts are used up.
    pub on_exhaustion: OnExhaustion,
    /// How delays grow.
    pub strategy: Backoff,
}

/// The end of a job whose attempts are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExhaustion {
    /// Discarded.
    Discard,
    /// Discarded, and kept among the dead letters.
    DeadLetter,
}

/// The growth of delays over the attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// Always the initial interval.
    Constant,
    /// initial · n.
    Linear,
    /// initial · coefficient^(n−1).
    Exponential,
    /// initial · n^coefficient.
    Polynomial,
}

const MAX_ATTEMPTS_MAX: i64 = 1000;

impl RetryPolicy {
    /// As many attempts as a job has of which nothing else was said.
    pub const ATTEMPTS: u32 = 3;
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: Self::ATTEMPTS,
            initial_interval: Duration::from_secs(1),
            backoff_coefficient: 2.0,
            max_interval: Duration::from_secs(300),
            jitter: true,
            non_retryable_errors: Vec::new(),
            on_exhaustion: OnExhaustion::Discard,
            strategy: Backoff::Exponential,
        }
    }
}

impl RetryPolicy {
    /// Reads a policy; what it leaves out is as by default.
    ///
    /// # Errors
    ///
    /// When a member is out of range; the refusal names it.
    pub fn parse(map: &Map<String, Value>, path: &str) -> Result<Self, Refusal> {
        let policy = Self::read(&Fields::new(map, path));
        policy.map_err(|refusal| Refusal::retry(refusal.field, refusal.message))
    }

    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let default = Self::default();
        let max_attempts = fields.integer("max_attempts", 0, MAX_ATTEMPTS_MAX)?;
        let initial_interval = fields.interval("initial_interval")?.unwrap_or(default.initial_interval);
        if initial_interval.is_zero() {
            return Err(fields.refuse("initial_interval", "longer than nothing"));
        }
        let backoff_coefficient = fields.number("backoff_coefficient")?.unwrap_or(default.backoff_coefficient);
        if !(1.0..=1000.0).contains(&backoff_coefficient) {
            return Err(fields.refuse("backoff_coefficient", "a number from 1.0 to 1000"));
        }
        let max_interval = match fields.interval("max_interval")? {
            Some(max) if max < initial_interval => {
                return Err(fields.refuse("max_interval", "at least initial_interval"));
            }
            Some(max) => max,
            None => default.max_interval.max(initial_interval),
        };
        Ok(Self {
            max_attempts: max_attempts.and_then(|n| u32::try_from(n).ok()).unwrap_or(default.max_attempts),
            initial_interval,
            backoff_coefficient,
            max_interval,
            jitter: fields.boolean("jitter")?.unwrap_or(default.jitter),
            non_retryable_errors: fields.texts("non_retryable_errors")?.unwrap_or_default(),
            on_exhaustion: on_exhaustion(fields)?,
            strategy: strategy(fields)?,
        })
    }

    /// The delay before the next attempt, after attempt `n` (1-based) failed. `chance` in `[0, 1)` is the jitter's.
    #[must_use]
    pub fn delay(&self, n: u32, chance: f64) -> Duration {
        let n = f64::from(n.max(1));
        let initial_s = self.initial_interval.as_secs_f64();
        let base_s = match self.strategy {
            Backoff::Constant => initial_s,
            Backoff::Linear => initial_s * n,
            Backoff::Exponential => initial_s * self.backoff_coefficient.powf(n - 1.0),
            Backoff::Polynomial => initial_s * n.powf(self.backoff_coefficient),
        };
        let max_s = self.max_interval.as_secs_f64();
        // Capped before and after the jitter: 1.5 times the longest interval is longer than promised.
        let spread = if self.jitter { 0.5 + chance } else { 1.0 };
        let delay_ms = (base_s.min(max_s) * spread).min(max_s) * 1000.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, at most max_interval"
        )]
        Duration::from_millis(delay_ms.round() as u64)
    }

    /// Whether a failure of one of these names is not tried again.
    #[must_use]
    pub fn is_non_retryable(&self, names: &[&str]) -> bool {
        let matches = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
            Some(prefix) if prefix.ends_with('.') => name.starts_with(prefix),
            _ => pattern == name,
        };
        self.non_retryable_errors.iter().any(|pattern| names.iter().any(|name| matches(pattern, name)))
    }

    /// The policy as the wire echoes it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "max_attempts": self.max_attempts,
            "initial_interval": duration::format(self.initial_interval),
            "backoff_coefficient": self.backoff_coefficient,
            "max_interval": duration::format(self.max_interval),
            "jitter": self.jitter,
            "non_retryable_errors": self.non_retryable_errors,
            "on_exhaustion": match self.on_exhaustion { OnExhaustion::Discard => "discard", OnExhaustion::DeadLetter => "dead_letter" },
        });
        if self.strategy != Backoff::Exponential {
            value["backoff_strategy"] = match self.strategy {
                Backoff::Constant => "constant",
                Backoff::Linear => "linear",
                Backoff::Exponential => "exponential",
                Backoff::Polynomial => "polynomial",
            }
            .into();
        }
        value
    }
}

fn on_exhaustion(fields: &Fields<'_>) -> Result<OnExhaustion, Refusal> {
    match fields.text("on_exhaustion")? {
        None | Some("discard") => Ok(OnExhaustion::Discard),
        Some("dead_letter") => Ok(OnExhaustion::DeadLetter),
        Some(_) => Err(fields.refuse("on_exhaustion", "`discard` or `dead_letter`")),
    }
}

fn strategy(fields: &Fields<'_>) -> Result<Backoff, Refusal> {
    let name = if fields.find("backoff_strategy").is_some() { "backoff_strategy" } else { "strategy" };
    match fields.text(name)? {
        None | Some("exponential") => Ok(Backoff::Exponential),
        Some("constant" | "none") => Ok(Backoff::Constant),
        Some("linear") => Ok(Backoff::Linear),
        Some("polynomial") => Ok(Backoff::Polynomial),
        Some(_) => Err(fields.refuse(name, "`constant`, `linear`, `exponential`, `polynomial` or `none`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(value: Value) -> Result<RetryPolicy, Refusal> {
        RetryPolicy::parse(value.as_object().expect("an object"), "retry")
    }

    fn delays(value: Value) -> Vec<u128> {
        let policy = policy(value).expect("a valid policy");
        (1..=3).map(|n| policy.delay(n, 0.5).as_millis()).collect()
    }

    #[test]
    fn delays_grow_as_the_strategy_says() {
        let base = |extra: Value| {
            let mut value = json!({"initial_interval": "PT1S", "jitter": false});
            value.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
            delays(value)
        };
        assert_eq!(base(json!({})), [1000, 2000, 4000]);
        assert_eq!(base(json!({"backoff_strategy": "linear"})), [1000, 2000, 3000]);
        assert_eq!(base(json!({"strategy": "constant"})), [1000, 1000, 1000]);
        assert_eq!(base(json!({"backoff_coefficient": 10, "max_interval": "PT2S"})), [1000, 2000, 2000]);
    }

    #[test]
    fn jitter_never_exceeds_the_longest_interval() {
        let policy = policy(json!({"initial_interval_ms": 2000, "max_interval_ms": 2500})).expect("a valid policy");
        assert_eq!(policy.delay(1, 0.0).as_millis(), 1000);
        assert_eq!(policy.delay(1, 0.99).as_millis(), 2500);
    }

    #[test]
    fn a_mistake_is_refused_by_name() {
        for (value, field) in [
            (json!({"max_attempts": -1}), "retry.max_attempts"),
            (json!({"max_attempts": 1.5}), "retry.max_attempts"),
            (json!({"backoff_coefficient": 0.5}), "retry.backoff_coefficient"),
            (json!({"initial_interval": "5s"}), "retry.initial_interval"),
            (json!({"on_exhaustion": "explode"}), "retry.on_exhaustion"),
            (json!({"initial_interval": "PT10S", "max_interval": "PT1S"}), "retry.max_interval"),
        ] {
            let refusal = policy(value).expect_err(field);
            assert_eq!(refusal.field, field);
            assert!(refusal.message.contains(field.trim_start_matches("retry.")), "{}", refusal.message);
        }
    }

    #[test]
    fn a_prefix_matches_whole_words_only() {
        let policy = policy(json!({"non_retryable_errors": ["Auth.*", "Fatal"]})).expect("a valid policy");
        assert!(policy.is_non_retryable(&["Auth.TokenExpired"]));
        assert!(policy.is_non_retryable(&["handler_error", "Fatal"]));
        assert!(!policy.is_non_retryable(&["Authority", "fatal"]));
    }

    #[test]
    fn what_is_echoed_reads_as_the_same_policy() {
        let first =
            policy(json!({"max_attempts": 5, "strategy": "linear", "initial_interval": "PT0.25S"})).expect("valid");
        assert_eq!(policy(first.to_json()), Ok(first));
    }
}
