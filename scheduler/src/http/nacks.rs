//! Attempts that failed, or that were given back, as their workers report over HTTP.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use carillon_shared::client::{Action, Nack};
use carillon_shared::id::JobId;
use carillon_shared::job::{Failure, Fields, Refusal};
use serde_json::{Map, Value};

use super::ApiState;
use super::acks::{ended, job_id, presented};
use super::body::{Json, object};
use super::error::ApiError;
use super::jobs::known;
use super::reply::{Answer, Reply};

/// What is longer is cut: dozens of errors are kept of each job.
const MESSAGE_CHARS_MAX: usize = 8000;
const NAME_CHARS_MAX: usize = 255;
const BACKTRACE_LINES_MAX: usize = 200;
const BACKTRACE_LINE_CHARS_MAX: usize = 500;
const DETAILS_BYTES_MAX: usize = 64 * 1024;

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/ojs/v1/workers/nack", post(nack)).route("/ojs/v1/jobs/{id}/nack", post(nack_of))
}

async fn nack(State(api): State<ApiState>, body: Json) -> Answer {
    let body = object(body.value)?;
    end(&api, job_id(&body)?, &body).await
}

async fn nack_of(State(api): State<ApiState>, Path(id): Path<String>, body: Json) -> Answer {
    end(&api, known(&id)?, &object(body.value)?).await
}

async fn end(api: &ApiState, id: JobId, body: &Map<String, Value>) -> Answer {
    let fields = Fields::new(body, "");
    let (presented, nack) = (presented(&fields)?, read(&fields)?);
    let job = api.client().nack(id, &presented, nack).await?;
    Ok(Reply::ok(ended(&job)))
}

fn read(fields: &Fields<'_>) -> Result<Nack, ApiError> {
    let requeue = fields.boolean("requeue")?.unwrap_or(false);
    let failure = match fields.object("error")? {
        Some(error) => failure(&Fields::new(error, "error"))?,
        None if requeue => Failure::new("requeued", "given back by its worker"),
        None => {
            return Err(fields
                .refuse("error", "an object such as {\"code\":\"handler_error\",\"message\":\"why\"}")
                .into());
        }
    };
    Ok(Nack { failure, requeue, action: action(fields)? })
}

fn failure(error: &Fields<'_>) -> Result<Failure, ApiError> {
    let named = |name| Ok::<_, Refusal>(error.text(name)?.map(|text| cut(text, NAME_CHARS_MAX)));
    // Typed clients read an object.
    let details = error.find("details").map(|details| match details {
        Value::Object(_) => details.clone(),
        other => serde_json::json!({"value": other}),
    });
    if details.as_ref().is_some_and(|details| details.to_string().len() > DETAILS_BYTES_MAX) {
        return Err(ApiError::too_large(format!("error.details has more than {DETAILS_BYTES_MAX} bytes")));
    }
    Ok(Failure {
        code: named("code")?.unwrap_or_else(|| "handler_error".to_owned()),
        kind: named("type")?,
        message: cut(error.text("message")?.unwrap_or_default(), MESSAGE_CHARS_MAX),
        retryable: error.boolean("retryable")?,
        details,
        backtrace: backtrace(error)?,
    })
}

/// An array of lines, or one text of several.
fn backtrace(error: &Fields<'_>) -> Result<Vec<String>, Refusal> {
    let name = if error.find("backtrace").is_some() { "backtrace" } else { "stack_trace" };
    let lines = match error.find(name) {
        Some(Value::String(text)) => text.lines().map(str::to_owned).collect(),
        _ => error.texts(name)?.unwrap_or_default(),
    };
    Ok(lines.iter().take(BACKTRACE_LINES_MAX).map(|line| cut(line, BACKTRACE_LINE_CHARS_MAX)).collect())
}

fn action(fields: &Fields<'_>) -> Result<Option<Action>, Refusal> {
    let Some(text) = fields.text("action")?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let action = Action::named(&text.to_ascii_uppercase());
    action.map(Some).ok_or_else(|| fields.refuse("action", "RETRY, DISCARD, FAIL or DEAD_LETTER"))
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nack(value: &Value) -> Result<Nack, u16> {
        read(&Fields::new(value.as_object().expect("an object"), "")).map_err(|error| error.status.as_u16())
    }

    #[test]
    fn an_error_is_read_with_all_its_parts() {
        let nack = nack(&json!({"action": "dead_letter", "error": {"code": "c", "type": "T", "message": "m",
            "retryable": false, "details": {"x": 1}, "backtrace": "one\ntwo"}}))
        .expect("a nack");
        assert_eq!((nack.action, nack.requeue), (Some(Action::DeadLetter), false));
        let failure = nack.failure;
        assert_eq!((failure.code.as_str(), failure.kind.as_deref(), failure.retryable), ("c", Some("T"), Some(false)));
        assert_eq!(
            (failure.backtrace, failure.details),
            (vec!["one".to_owned(), "two".to_owned()], Some(json!({"x": 1})))
        );
    }

    #[test]
    fn details_are_always_an_object() {
        let nack = nack(&json!({"error": {"message": "m", "details": "text"}})).expect("a nack");
        assert_eq!(nack.failure.details, Some(json!({"value": "text"})));
    }

    #[test]
    fn only_a_job_that_is_given_back_needs_no_error() {
        assert!(nack(&json!({"requeue": true})).is_ok_and(|nack| nack.requeue));
        for wrong in
            [json!({}), json!({"error": "no"}), json!({"error": {"code": 7}}), json!({"error": {}, "action": "x"})]
        {
            assert_eq!(nack(&wrong).err(), Some(400), "{wrong}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_or_refused() {
        let long = nack(&json!({"error": {"message": "x".repeat(50_000)}})).expect("a nack");
        assert_eq!(long.failure.message.len(), MESSAGE_CHARS_MAX);
        assert_eq!(nack(&json!({"error": {"details": "x".repeat(70_000)}})).err(), Some(413));
    }
}
