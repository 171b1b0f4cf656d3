//! A job as messages have it.

use carillon_shared::job::{Job, RetryPolicy, UniquePolicy};
use serde_json::{Map, Value};

use super::{options, policy, proto, time, value};

/// The job, whole.
pub(super) fn message(job: &Job) -> proto::Job {
    let (record, json) = (&job.record, job.to_json());
    let meta = meta(job, &json);
    let integer = |name: &str| json.get(name).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok()).unwrap_or(0);
    let object = |name: &str| json.get(name).and_then(Value::as_object);
    let at = |name: &str| time::written(json.get(name));
    proto::Job {
        id: record.id.to_string(),
        r#type: record.job_type.to_string(),
        queue: record.queue.to_string(),
        args: value::messages(json.get("args").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()),
        state: policy::state(record.state).into(),
        priority: integer("priority"),
        attempt: i32::try_from(record.attempt).unwrap_or(i32::MAX),
        max_attempts: integer("max_attempts"),
        retry_policy: object("retry")
            .and_then(|map| RetryPolicy::parse(map, "retry").ok())
            .map(|retry| policy::retry_message(&retry)),
        unique_policy: object("unique")
            .and_then(|map| UniquePolicy::parse(map, "unique").ok())
            .map(|unique| policy::unique_message(&unique)),
        result: job.result.as_ref().map(value::wrapped),
        errors: job.errors.iter().map(error).collect(),
        created_at: at("created_at"),
        enqueued_at: at("enqueued_at"),
        scheduled_at: at("scheduled_at"),
        started_at: at("started_at"),
        completed_at: at("completed_at"),
        expires_at: at("expires_at"),
        timeout: time::written_span(json.get("timeout_ms")),
        visibility_timeout: time::written_span(json.get("visibility_timeout_ms")),
        tags: texts(json.get("tags")),
        trace_id: options::trace_id(&meta).unwrap_or_default().to_owned(),
        workflow_id: record.flow.map(|flow| flow.to_string()).unwrap_or_default(),
        specversion: text(&json, "specversion"),
        meta: Some(value::members(&meta)),
    }
}

/// What travels with the job. The message has no place of its own for the results of the steps before it.
fn meta(job: &Job, json: &Map<String, Value>) -> Map<String, Value> {
    let mut meta = json.get("meta").and_then(Value::as_object).cloned().unwrap_or_default();
    if !job.record.parents.is_empty() {
        meta.insert("parent_results".to_owned(), job.parent_results.clone().into());
    }
    meta
}

fn error(error: &Value) -> proto::JobError {
    let none = Map::new();
    let map = error.as_object().unwrap_or(&none);
    proto::JobError {
        code: text(map, "code"),
        message: text(map, "message"),
        retryable: map.get("retryable").and_then(Value::as_bool),
        attempt: map.get("attempt").and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok()).unwrap_or(0),
        occurred_at: time::written(map.get("occurred_at")),
        backtrace: texts(map.get("backtrace")).join("\n"),
        details: map.get("details").map(value::wrapped),
    }
}

fn text(map: &Map<String, Value>, name: &str) -> String {
    map.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
