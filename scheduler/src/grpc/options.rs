//! The settings of jobs, between the messages' idea of them and the JSON that all doors share.

use carillon_shared::clock::Timestamp;
use carillon_shared::job::{Envelope, duration};
use serde_json::{Map, Value};

use super::error::RpcError;
use super::{policy, proto, time, value};

/// The JSON of settings: what is not set is left out. `field` is how the sender knows them.
pub(super) fn json(field: &str, options: proto::EnqueueOptions) -> Result<Map<String, Value>, RpcError> {
    let path = |name: &str| format!("{field}.{name}");
    let mut map = Map::new();
    let mut put = |name: &str, value: Option<Value>| map.extend(value.map(|value| (name.to_owned(), value)));
    put("queue", Some(options.queue).filter(|queue| !queue.is_empty()).map(Value::from));
    put("priority", options.priority.map(Value::from));
    let delay_until = options.delay_until.map(|at| time::instant(&path("delay_until"), at)).transpose()?;
    put("delay_until", delay_until.map(|at| at.to_string().into()));
    put("timeout_ms", milliseconds(&path("timeout"), options.timeout)?);
    put("retry", options.retry.map(|retry| policy::retry_json(&path("retry"), retry)).transpose()?);
    put("unique", options.unique.map(|unique| policy::unique_json(&path("unique"), unique)).transpose()?);
    let ttl = options.ttl.map(|ttl| time::span(&path("ttl"), ttl)).transpose()?;
    put("ttl", ttl.map(|ttl| duration::format(ttl).into()));
    put("tags", (!options.tags.is_empty()).then(|| options.tags.into()));
    put("meta", meta(&path("meta"), options.meta, options.trace_id)?);
    put("max_attempts", options.max_attempts.map(Value::from));
    put("visibility_timeout_ms", milliseconds(&path("visibility_timeout"), options.visibility_timeout)?);
    Ok(map)
}

/// The settings of a cron entry as messages have them: `said` is what was registered, `envelope` what it amounts to for a
/// run at the beginning of time.
pub(super) fn message(said: &Map<String, Value>, envelope: &Envelope) -> proto::EnqueueOptions {
    let is_said = |names: &[&str]| names.iter().any(|name| said.contains_key(*name));
    let ttl = envelope.expires_at.as_ref().filter(|_| is_said(&["ttl", "ttl_ms", "enqueue_ttl"]));
    proto::EnqueueOptions {
        queue: envelope.queue.to_string(),
        priority: Some(envelope.priority.into()),
        delay_until: None,
        timeout: envelope.timeout.map(time::span_message),
        retry: is_said(&["retry", "max_attempts"]).then(|| policy::retry_message(&envelope.retry)),
        unique: envelope.unique.as_ref().map(policy::unique_message),
        ttl: ttl.map(|(at, _)| time::span_message(at.since(Timestamp::from_ms(0)))),
        tags: envelope.tags.clone(),
        trace_id: trace_id(&envelope.meta).unwrap_or_default().to_owned(),
        meta: Some(value::members(&envelope.meta)),
        max_attempts: i32::try_from(envelope.retry.max_attempts).ok().filter(|_| is_said(&["max_attempts"])),
        visibility_timeout: envelope.visibility.map(time::span_message),
    }
}

/// The trace that a job belongs to: the one it names, or the one of its W3C trace context.
pub(super) fn trace_id(meta: &Map<String, Value>) -> Option<&str> {
    let text = |name| meta.get(name).and_then(Value::as_str);
    text("trace_id").or_else(|| text("traceparent")?.split('-').nth(1))
}

fn meta(field: &str, meta: Option<prost_types::Struct>, trace_id: String) -> Result<Option<Value>, RpcError> {
    let mut map = meta.map(|meta| value::object(field, meta)).transpose()?.unwrap_or_default();
    if !trace_id.is_empty() {
        map.insert("trace_id".to_owned(), trace_id.into());
    }
    Ok((!map.is_empty()).then(|| map.into()))
}

fn milliseconds(field: &str, span: Option<prost_types::Duration>) -> Result<Option<Value>, RpcError> {
    let Some(span) = span else { return Ok(None) };
    Ok(Some(u64::try_from(time::span(field, span)?.as_millis()).unwrap_or(u64::MAX).into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_set_is_left_out() {
        assert_eq!(json("options", proto::EnqueueOptions::default()), Ok(Map::new()));
    }

    #[test]
    fn settings_come_back_as_they_went() {
        let said = json!({"queue": "q", "priority": 0, "timeout_ms": 1500, "ttl": "PT30S", "tags": ["a"],
            "meta": {"trace_id": "t"}, "visibility_timeout_ms": 60000});
        let job = json!({"type": "echo", "args": [], "options": said});
        let envelope = Envelope::read(&job, Timestamp::from_ms(0)).expect("a job");
        let map = said.as_object().expect("an object");
        assert_eq!(json("options", message(map, &envelope)).as_ref(), Ok(map));
    }

    #[test]
    fn the_trace_is_found_in_either_place() {
        let of = |meta: Value| trace_id(meta.as_object().expect("an object")).map(str::to_owned);
        assert_eq!(of(json!({"traceparent": "00-abc-def-01"})).as_deref(), Some("abc"));
        assert_eq!(of(json!({"traceparent": "00-abc-def-01", "trace_id": "t"})).as_deref(), Some("t"));
        assert_eq!(of(json!({})), None);
    }
}
