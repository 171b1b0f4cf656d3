//! Errors as clients see them: a status with a `google.rpc.ErrorInfo`, whose reason is the code that HTTP answers with.
//!
//! A handler returns an [`RpcError`]; the [`gate`](super::gate) adds its details, because only there the id of the request
//! is known. Errors that others made (a message too large, an unknown method) are given theirs there too.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

const DOMAIN: &str = "openjobspec.org";
const RETRY_AFTER: &str = "retry-after";

/// What went wrong, for a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct RpcError {
    pub(super) code: Code,
    pub(super) reason: &'static str,
    message: String,
    retryable: bool,
    retry_after: Option<Duration>,
    pub(super) field: String,
    metadata: Vec<(&'static str, String)>,
}

impl RpcError {
    pub(super) fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, reason, message, retryable: false, retry_after: None, field: String::new(), metadata: Vec::new() }
    }

    /// A field that is missing or wrong; the field is empty when it is the whole message.
    pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), ..Self::new(Code::InvalidArgument, "invalid_request", message) }
    }

    /// A resource that does not exist.
    pub(super) fn not_found(resource: &'static str, id: &str) -> Self {
        let error = Self::new(Code::NotFound, "not_found", format!("there is no {resource} {}", cut(id)));
        error.told("resource_type", resource).told("resource_id", cut(id))
    }

    /// A transition that the present state does not allow.
    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, "conflict", message)
    }

    /// A call without the key.
    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(Code::Unauthenticated, "unauthorized", message)
    }

    /// More than the server gives to all clients.
    pub(super) fn too_many(message: impl Into<String>) -> Self {
        Self::new(Code::ResourceExhausted, "rate_limited", message).after(Duration::from_secs(5))
    }

    /// A call that takes longer than any may.
    pub(super) fn too_slow() -> Self {
        let message = "the call took too long: whether it was carried out is not known";
        Self { retryable: true, ..Self::new(Code::DeadlineExceeded, "backend_error", message) }
    }

    /// Something that the server needs is away for a moment.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, "backend_error", message).after(Duration::from_secs(1))
    }

    /// Something that should not have happened.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self { retryable: true, ..Self::new(Code::Internal, "backend_error", message) }
    }

    /// The same error, with more about it for programs.
    pub(super) fn told(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((name, value.into()));
        self
    }

    /// The same error of a field that stands within `outer`.
    pub(super) fn within(mut self, outer: &str) -> Self {
        self.field = match (outer, self.field.as_str()) {
            (outer, "") => outer.to_owned(),
            ("", _) => self.field,
            (outer, field) => format!("{outer}.{field}"),
        };
        self
    }

    /// The error that a status stands for, whoever made it.
    pub(super) fn of(status: &Status) -> Self {
        let source = std::error::Error::source(status).and_then(|source| source.downcast_ref::<Self>());
        let message = if status.message().is_empty() { status.code().description() } else { status.message() };
        source.cloned().unwrap_or_else(|| Self::new(status.code(), reason(status.code()), message))
    }

    /// The status with its details.
    pub(super) fn to_status(&self, request_id: &str) -> Status {
        let mut details = ErrorDetails::new();
        let told = [("retryable", self.retryable.to_string()), ("request_id", request_id.to_owned())];
        let metadata: HashMap<String, String> =
            told.iter().chain(&self.metadata).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        details.set_error_info(self.reason, DOMAIN, metadata);
        if !self.field.is_empty() {
            details.add_bad_request_violation(&self.field, &self.message);
        }
        let mut answered = MetadataMap::new();
        if let Some(after) = self.retry_after {
            details.set_retry_info(Some(after));
            answered.insert(RETRY_AFTER, after.as_secs().into());
        }
        Status::with_error_details_and_metadata(self.code, &self.message, details, answered)
    }

    fn after(mut self, delay: Duration) -> Self {
        self.retryable = true;
        self.retry_after = Some(delay);
        self
    }
}

impl From<RpcError> for Status {
    fn from(error: RpcError) -> Self {
        let mut status = Self::new(error.code, &error.message);
        status.set_source(Arc::new(error));
        status
    }
}

/// The reason of an error that is not ours.
fn reason(code: Code) -> &'static str {
    match code {
        Code::Unimplemented => "unsupported",
        Code::NotFound => "not_found",
        Code::ResourceExhausted => "rate_limited",
        Code::Unauthenticated => "unauthorized",
        Code::InvalidArgument | Code::OutOfRange | Code::Cancelled => "invalid_request",
        _ => "backend_error",
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
    fn a_status_can_be_taken_for_the_error_it_was_and_carries_its_details() {
        let error = RpcError::invalid("type", "type must be there").within("jobs[3]").told("index", "3");
        assert_eq!(RpcError::of(&Status::from(error.clone())), error);
        let status = error.to_status("req_1");
        let info = status.get_details_error_info().expect("an ErrorInfo");
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("invalid_request", DOMAIN));
        assert_eq!((info.metadata["request_id"].as_str(), info.metadata["retryable"].as_str()), ("req_1", "false"));
        let field = &status.get_details_bad_request().expect("a BadRequest").field_violations[0].field;
        assert_eq!(field, "jobs[3].type");
    }

    #[test]
    fn what_may_be_tried_again_says_when() {
        let status = RpcError::too_many("no").to_status("x");
        assert_eq!(status.metadata().get(RETRY_AFTER).expect("a delay"), "5");
        let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
        assert_eq!(delay, Some(Duration::from_secs(5)));
    }

    #[test]
    fn an_error_of_others_gets_a_reason_too() {
        assert_eq!(RpcError::of(&Status::unimplemented("")).reason, "unsupported");
    }
}
