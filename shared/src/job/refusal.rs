//! Why a request was not taken: which field, and what was expected there.

use std::fmt;

use serde_json::Value;

/// A request that does not say what it must. Names one field, the first that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The field, as the sender spelled it (`options.retry.max_attempts`); empty when it is the whole request.
    pub field: String,
    /// One sentence: what is wrong and what was expected.
    pub message: String,
    /// What sort of mistake it is: the wire answers each in its own way (reference: OJS HTTP binding, errors).
    pub kind: RefusalKind,
    /// More about it for programs, if there is more: a JSON object.
    pub details: Option<Box<Value>>,
}

/// The sorts of mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// Not JSON at all.
    Payload,
    /// A field is missing, of the wrong type, or out of range.
    Request,
    /// The retry policy is wrong.
    RetryPolicy,
    /// The envelope is larger than allowed.
    TooLarge,
    /// Part of the specification that is not offered.
    Unsupported,
}

impl Refusal {
    /// A field that is missing, of the wrong type, or out of range.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), kind: RefusalKind::Request, details: None }
    }

    /// A wrong retry policy.
    pub fn retry(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: RefusalKind::RetryPolicy, ..Self::field(field, message) }
    }

    /// Text that is not JSON, or not the JSON that was expected.
    pub fn payload(message: impl Into<String>) -> Self {
        Self { kind: RefusalKind::Payload, ..Self::field("", message) }
    }

    /// The same refusal, with more about it for programs.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// The same refusal of a field that stands within `outer`.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.field = if self.field.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.field) };
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
