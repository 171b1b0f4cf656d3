//! What an expression means, before it is registered.

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{PreviewRequest, ScheduleError, ScheduleErrorKind};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::ApiState;
use super::body::{Json, object};
use super::error::ApiError;
use super::reply::{Answer, Reply};

pub(super) fn preview(api: &ApiState, body: Json) -> Answer {
    let request = read(&object(body.value)?)?;
    let now = api.store().clock().now();
    let preview = request.read(now).map_err(|error| refused(&request, &error))?;
    let schedule = &preview.schedule;
    Ok(Reply::ok(json!({
        "expression": schedule.expression(),
        "canonical": schedule.to_string(),
        "description": schedule.describe(),
        "dialect": schedule.dialect(),
        "timezone": schedule.zone(),
        "dst_fold": schedule.dst_fold(),
        "never_fires": schedule.never_fires(),
        "after": preview.after,
        "next": preview.next(),
        "occurrences": preview.rows(),
        "warnings": schedule.warnings(now),
    })))
}

fn read(map: &Map<String, Value>) -> Result<PreviewRequest, ApiError> {
    if let Some((name, error)) = map.iter().find_map(|(name, value)| Some((name, mistake(name, value)?))) {
        return Err(ApiError::invalid(name, format!("{name}: {error}")));
    }
    PreviewRequest::deserialize(Value::Object(map.clone()))
        .map_err(|error| ApiError::invalid("expr", error.to_string()))
}

/// What is wrong with one member on its own.
fn mistake(name: &str, value: &Value) -> Option<String> {
    let mut alone = Map::new();
    if !["expr", "expression", "cron"].contains(&name) {
        alone.insert("expr".to_owned(), "".into());
    }
    alone.insert(name.to_owned(), value.clone());
    PreviewRequest::deserialize(Value::Object(alone)).err().map(|error| error.to_string())
}

fn refused(request: &PreviewRequest, error: &ScheduleError) -> ApiError {
    ApiError::invalid(culprit(request, error), error.to_string()).details(&json!(error))
}

/// The member of the request that the mistake is in: the one that is still wrong with all others left out.
fn culprit(request: &PreviewRequest, error: &ScheduleError) -> &'static str {
    if !matches!(error.kind(), ScheduleErrorKind::Zone | ScheduleErrorKind::Request) {
        return "expr";
    }
    let good = || PreviewRequest { expr: "@hourly".to_owned(), ..PreviewRequest::default() };
    let alone = [
        ("tz", PreviewRequest { tz: request.tz.clone(), ..good() }),
        ("after", PreviewRequest { after: request.after.clone(), ..good() }),
        ("count", PreviewRequest { count: request.count, ..good() }),
        ("dialect", PreviewRequest { dialect: request.dialect.clone(), expr: "0 0 0 ? * 1".to_owned(), ..good() }),
        ("dst_fold", PreviewRequest { dst_fold: request.dst_fold.clone(), ..good() }),
        ("fields", PreviewRequest { fields: request.fields, ..good() }),
        ("starts_at", PreviewRequest { starts_at: request.starts_at.clone(), ..good() }),
        ("ends_at", PreviewRequest { ends_at: request.ends_at.clone(), ..good() }),
        ("viewer_tz", PreviewRequest { viewer_tz: request.viewer_tz.clone(), ..good() }),
    ];
    let is_wrong =
        |one: &PreviewRequest| one.read(Timestamp::from_ms(0)).is_err_and(|found| found.kind() == error.kind());
    alone.iter().find(|(_, one)| is_wrong(one)).map_or("expr", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field_of(value: &Value) -> Option<String> {
        let error = match read(value.as_object().expect("an object")) {
            Err(error) => error,
            Ok(request) => refused(&request, &request.read(Timestamp::from_ms(0)).err()?),
        };
        error.to_json("")["error"]["details"]["field"].as_str().map(str::to_owned)
    }

    #[test]
    fn the_member_that_is_wrong_is_named() {
        for (value, field) in [
            (json!({}), "expr"),
            (json!({"expr": 5}), "expr"),
            (json!({"expression": "61 * * * *"}), "expr"),
            (json!({"expr": "* * * * *", "tz": "Mars/Base"}), "tz"),
            (json!({"expr": "* * * * *", "viewer_tz": "EST"}), "viewer_tz"),
            (json!({"expr": "* * * * *", "count": "x"}), "count"),
            (json!({"expr": "* * * * *", "count": 100_000}), "count"),
            (json!({"expr": "* * * * *", "after": "soon"}), "after"),
            (json!({"expr": "* * * * *", "starts_at": "soon"}), "starts_at"),
            (json!({"expr": "* * * * *", "ends_at": "never"}), "ends_at"),
            (json!({"expr": "* * * * *", "dialect": "klingon"}), "dialect"),
            (json!({"expr": "* * * * *", "dst_fold": "twice"}), "dst_fold"),
            (json!({"expr": "* * * * *", "fields": 9}), "fields"),
        ] {
            assert_eq!(field_of(&value).as_deref(), Some(field), "{value}");
        }
        assert_eq!(field_of(&json!({"cron": "* * * * *"})), None);
    }
}
