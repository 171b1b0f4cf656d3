//! Retry and unique policies, and states, between the messages' idea of them and ours.

use carillon_shared::job::{JobState, OnConflict, OnExhaustion, RetryPolicy, UniqueKey, UniquePolicy, duration};
use serde_json::{Map, Value};

use super::error::RpcError;
use super::{proto, time};

/// The state as messages have it.
pub(super) fn state(state: JobState) -> proto::JobState {
    match state {
        JobState::Scheduled => proto::JobState::Scheduled,
        JobState::Available => proto::JobState::Available,
        JobState::Pending => proto::JobState::Pending,
        JobState::Active => proto::JobState::Active,
        JobState::Completed => proto::JobState::Completed,
        JobState::Retryable => proto::JobState::Retryable,
        JobState::Cancelled => proto::JobState::Cancelled,
        JobState::Discarded => proto::JobState::Discarded,
    }
}

pub(super) fn retry_message(policy: &RetryPolicy) -> proto::RetryPolicy {
    proto::RetryPolicy {
        max_attempts: i32::try_from(policy.max_attempts).ok(),
        initial_interval: Some(time::span_message(policy.initial_interval)),
        backoff_coefficient: Some(policy.backoff_coefficient),
        max_interval: Some(time::span_message(policy.max_interval)),
        jitter: Some(policy.jitter),
        non_retryable_errors: policy.non_retryable_errors.clone(),
        on_exhaustion: match policy.on_exhaustion {
            OnExhaustion::Discard => "discard",
            OnExhaustion::DeadLetter => "dead_letter",
        }
        .to_owned(),
    }
}

pub(super) fn unique_message(policy: &UniquePolicy) -> proto::UniquePolicy {
    let word = |key: &UniqueKey| match key {
        UniqueKey::Type => "type",
        UniqueKey::Queue => "queue",
        UniqueKey::Args => "args",
        UniqueKey::Meta => "meta",
    };
    proto::UniquePolicy {
        key: policy.keys.iter().map(|key| word(key).to_owned()).collect(),
        period: policy.period.map(time::span_message),
        on_conflict: match policy.on_conflict {
            OnConflict::Reject => proto::ConflictPolicy::Reject,
            OnConflict::Ignore => proto::ConflictPolicy::Ignore,
            OnConflict::Replace => proto::ConflictPolicy::Replace,
            OnConflict::ReplaceExceptSchedule => proto::ConflictPolicy::ReplaceExceptSchedule,
        }
        .into(),
        states: policy.states.iter().map(|live| state(*live).into()).collect(),
        args_keys: policy.args_keys.clone(),
        meta_keys: policy.meta_keys.clone(),
    }
}

/// The JSON of a retry policy: what is not set is left out.
pub(super) fn retry_json(field: &str, policy: proto::RetryPolicy) -> Result<Value, RpcError> {
    let mut map = Map::new();
    let mut put = |name: &str, value: Option<Value>| map.extend(value.map(|value| (name.to_owned(), value)));
    put("max_attempts", policy.max_attempts.map(Value::from));
    put("initial_interval", span(field, "initial_interval", policy.initial_interval)?);
    put("backoff_coefficient", policy.backoff_coefficient.map(Value::from));
    put("max_interval", span(field, "max_interval", policy.max_interval)?);
    put("jitter", policy.jitter.map(Value::from));
    put("non_retryable_errors", unless_empty(policy.non_retryable_errors));
    put("on_exhaustion", Some(policy.on_exhaustion).filter(|text| !text.is_empty()).map(Value::from));
    Ok(map.into())
}

/// The JSON of a unique policy: what is not set is left out.
pub(super) fn unique_json(field: &str, policy: proto::UniquePolicy) -> Result<Value, RpcError> {
    let conflict = policy.on_conflict();
    let states: Vec<String> = policy.states().map(state_word).collect::<Option<_>>().ok_or_else(|| {
        RpcError::invalid(format!("{field}.states"), format!("{field}.states must be states that are specified"))
    })?;
    let mut map = Map::new();
    let mut put = |name: &str, value: Option<Value>| map.extend(value.map(|value| (name.to_owned(), value)));
    put("keys", unless_empty(policy.key));
    put("period", span(field, "period", policy.period)?);
    put("on_conflict", conflict_word(conflict).map(Value::from));
    put("states", unless_empty(states));
    put("args_keys", unless_empty(policy.args_keys));
    put("meta_keys", unless_empty(policy.meta_keys));
    Ok(map.into())
}

fn conflict_word(policy: proto::ConflictPolicy) -> Option<&'static str> {
    match policy {
        proto::ConflictPolicy::Unspecified => None,
        proto::ConflictPolicy::Reject => Some("reject"),
        proto::ConflictPolicy::Replace => Some("replace"),
        proto::ConflictPolicy::Ignore => Some("ignore"),
        proto::ConflictPolicy::ReplaceExceptSchedule => Some("replace_except_schedule"),
    }
}

/// The word for a state; `None` for one that says nothing.
fn state_word(chosen: proto::JobState) -> Option<String> {
    JobState::ALL.into_iter().find(|other| state(*other) == chosen).map(|other| other.to_string())
}

fn span(field: &str, name: &str, span: Option<prost_types::Duration>) -> Result<Option<Value>, RpcError> {
    let Some(span) = span else { return Ok(None) };
    Ok(Some(duration::format(time::span(&format!("{field}.{name}"), span)?).into()))
}

fn unless_empty(texts: Vec<String>) -> Option<Value> {
    (!texts.is_empty()).then(|| texts.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_comes_back_as_it_went() {
        let first =
            json!({"max_attempts": 5, "initial_interval": "PT0.25S", "jitter": false, "on_exhaustion": "dead_letter"});
        let first = RetryPolicy::parse(first.as_object().expect("an object"), "retry").expect("valid");
        let again = retry_json("retry", retry_message(&first)).expect("valid");
        assert_eq!(RetryPolicy::parse(again.as_object().expect("an object"), "retry"), Ok(first));
        let first = json!({"keys": ["args"], "period": "PT5M", "states": ["active"], "on_conflict": "replace"});
        let first = UniquePolicy::parse(first.as_object().expect("an object"), "unique").expect("valid");
        let again = unique_json("unique", unique_message(&first)).expect("valid");
        assert_eq!(UniquePolicy::parse(again.as_object().expect("an object"), "unique"), Ok(first));
    }

    #[test]
    fn what_is_not_set_is_left_out() {
        assert_eq!(retry_json("retry", proto::RetryPolicy::default()), Ok(json!({})));
        assert_eq!(unique_json("unique", proto::UniquePolicy::default()), Ok(json!({})));
    }

    #[test]
    fn a_state_that_says_nothing_is_refused_by_name() {
        let policy = proto::UniquePolicy { states: vec![0], ..proto::UniquePolicy::default() };
        assert_eq!(unique_json("options.unique", policy).expect_err("unspecified").field, "options.unique.states");
    }
}
