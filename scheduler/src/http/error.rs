//! Errors as clients see them: one envelope for all that is not a success (OJS HTTP binding, errors).
//!
//! A handler returns an [`ApiError`]; [`dialect`](super::dialect) renders it, because only there the id of the request is
//! known. What other layers answer without a body (a wrong method, a path that is not UTF-8) is rendered there too.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use carillon_shared::id::JobId;
use serde_json::{Map, Value, json};

/// What went wrong, for a client.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    kind: &'static str,
    pub(super) message: String,
    retryable: bool,
    details: Map<String, Value>,
    hint: String,
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

pub(super) const VALIDATION: &str = "validation_error";
const MANIFEST: &str = "/ojs/manifest";

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            kind,
            message: message.into(),
            retryable: false,
            details: Map::new(),
            hint: String::new(),
            headers: Vec::new(),
        }
    }

    /// A field that is missing or wrong; the field is empty when it is the whole request.
    pub(super) fn invalid(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let validation = json!([{"field": field, "message": message}]);
        let error = Self::new(StatusCode::BAD_REQUEST, "invalid_request", VALIDATION, message);
        let error = error.detail("validation", validation);
        let hint = if field.is_empty() { "correct the request".to_owned() } else { format!("correct `{field}`") };
        error.field(field).hint(format!("{hint} and send it again"))
    }

    /// A body that is not the JSON it should be.
    pub(super) fn payload(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_payload", VALIDATION, message)
            .hint("send one JSON object as the body")
    }

    /// A body that is larger than any request may be.
    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "envelope_too_large", VALIDATION, message)
            .hint("keep large data elsewhere and send a reference to it")
            .header(header::CONNECTION, "close")
    }

    /// A body that did not arrive in time.
    pub(super) fn too_slow(message: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "invalid_request", "timeout_error", message)
            .retryable()
            .hint("send the whole body at once")
            .header(header::CONNECTION, "close")
    }

    /// A resource that does not exist.
    pub(super) fn not_found(resource: &str, id: &str, message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::NOT_FOUND, "not_found", "not_found_error", message);
        error
            .detail("resource_type", resource)
            .detail("resource_id", id)
            .hint(format!("check the spelling; what has ended is kept for a limited time only ({resource})"))
    }

    /// A job that does not exist.
    pub(super) fn no_job(id: &str) -> Self {
        Self::not_found("job", id, format!("there is no job with the id {}", cut(id)))
    }

    /// A cron entry that does not exist.
    pub(super) fn no_entry(name: &str) -> Self {
        Self::not_found("cron", name, format!("there is no cron entry named `{}`", cut(name)))
    }

    /// A route that does not exist.
    pub(super) fn no_route(path: &str) -> Self {
        Self::not_found("route", path, format!("there is nothing at {}", cut(path)))
            .hint(format!("GET {MANIFEST} says what this server offers"))
    }

    /// A transition that the state of a job does not allow.
    pub(super) fn conflict(id: JobId, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "conflict_error", message)
            .detail("job_id", id.to_string())
            .hint("look at the job as it is now")
    }

    /// A workflow that does not exist.
    pub(super) fn no_flow(id: &str) -> Self {
        Self::not_found("workflow", id, format!("there is no workflow with the id {}", cut(id)))
    }

    /// A workflow that has ended, where one that runs is needed.
    pub(super) fn ended_flow(id: JobId, state: &str) -> Self {
        let message = format!("workflow {id} is {state}, but this needs it to be running");
        Self::new(StatusCode::CONFLICT, "conflict", "conflict_error", message)
            .detail("workflow_id", id.to_string())
            .detail("current_state", state)
            .detail("expected_state", "running")
            .hint("look at the workflow as it is now")
    }

    /// A dead letter that does not exist.
    pub(super) fn no_dead_letter(id: &str) -> Self {
        Self::not_found("dead_letter", id, format!("there is no dead letter with the id {}", cut(id)))
    }

    /// A worker that does not exist.
    pub(super) fn no_worker(id: &str) -> Self {
        Self::not_found("worker", id, format!("no worker {} was heard of within a minute", cut(id)))
    }

    /// Something that this server is configured not to do.
    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "authorization_error", message)
    }

    /// A request without the key.
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "authentication_error", message)
            .hint("send the header Authorization: Bearer <key>")
            .header(header::WWW_AUTHENTICATE, "Bearer realm=\"carillon\"")
    }

    /// More than the server gives to one or all clients.
    pub(super) fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "rate_limit_error", message).retryable_after_s(5)
    }

    /// A part of the protocol that this server does not speak.
    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unsupported", VALIDATION, message)
            .hint(format!("GET {MANIFEST} says what this server offers"))
    }

    /// Something that the server needs is away for a moment.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "backend_error", "server_error", message).retryable_after_s(1)
    }

    /// Something that should not have happened.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "backend_error", "server_error", message)
            .retryable()
            .hint("the server's log says more, under the id of this request")
    }

    /// A method that a route does not take.
    pub(super) fn wrong_method(allowed: &'static str) -> Self {
        Self::of_status(StatusCode::METHOD_NOT_ALLOWED).header(header::ALLOW, allowed)
    }

    /// What a layer answered that knows nothing of this envelope.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("the request failed");
        match status {
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::new(status, "invalid_request", VALIDATION, "this route does not take that method")
                    .hint("the header Allow lists the methods it takes")
            }
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large(reason),
            status if status.is_server_error() => Self { status, ..Self::internal(reason) },
            status => Self::new(status, "invalid_request", VALIDATION, reason)
                .hint("check the path, the query and the headers"),
        }
    }

    /// The same error, answered with 400 where 422 would stand: all that is wrong with a cron entry is (OJS scheduling).
    pub(super) fn into_bad_request(mut self) -> Self {
        if self.status == StatusCode::UNPROCESSABLE_ENTITY {
            self.status = StatusCode::BAD_REQUEST;
        }
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(super) fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds the parts of a mistake in an expression. `field` is a member of the request already, so the field of the
    /// expression has a name of its own.
    pub(super) fn details(mut self, parts: &Value) -> Self {
        for (name, part) in parts.as_object().into_iter().flatten().filter(|(_, part)| !part.is_null()) {
            match name.as_str() {
                "message" => {}
                "field" => self = self.detail("expression_field", part.clone()),
                name => self = self.detail(name, part.clone()),
            }
        }
        self
    }

    pub(super) fn field(self, field: &str) -> Self {
        if field.is_empty() { self } else { self.detail("field", field) }
    }

    fn header(mut self, name: header::HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    fn retryable_after_s(mut self, seconds: u16) -> Self {
        self.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        self.retryable().hint("try again in a moment")
    }

    /// The envelope.
    pub(super) fn to_json(&self, request_id: &str) -> Value {
        json!({"error": {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            "type": self.kind,
            "details": self.details,
            "hint": self.hint,
            "docs_url": MANIFEST,
            "doc_url": MANIFEST,
            "request_id": request_id,
        }})
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Text of a client, short enough to be repeated to it.
fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(100).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_the_envelope_is_there_with_its_type() {
        let error = ApiError::no_job("x").to_json("req_1");
        let error = &error["error"];
        for name in ["code", "message", "type", "hint", "docs_url", "request_id"] {
            assert!(error[name].as_str().is_some_and(|text| !text.is_empty()), "{name} in {error}");
        }
        assert_eq!((&error["retryable"], &error["details"]["resource_type"]), (&false.into(), &"job".into()));
    }

    #[test]
    fn a_client_text_is_repeated_only_in_part() {
        assert!(ApiError::no_entry(&"x".repeat(5000)).message.len() < 200);
    }
}
