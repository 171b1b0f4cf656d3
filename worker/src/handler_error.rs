//! What a handler returns when it failed, and whether another attempt may help.

use std::fmt;
use std::time::Duration;

use carillon_shared::job::Failure;
use serde_json::Value;

use carillon_shared::telemetry::chain;

const CODE: &str = "handler_error";

/// The failure of one attempt.
///
/// `?` makes one of any error; it leaves to the job's retry policy whether there is another attempt. [`permanent`] says that
/// there is no point in one. It does not implement [`std::error::Error`] itself, since it is made of those that do.
///
/// ```
/// use carillon_worker::HandlerError;
///
/// fn pages(text: &str) -> Result<u32, HandlerError> {
///     let pages: u32 = text.parse()?;
///     if pages == 0 {
///         return Err(HandlerError::permanent("a report needs a page").with_code("empty_report"));
///     }
///     Ok(pages)
/// }
///
/// assert_eq!(pages("x").unwrap_err().kind(), Some("ParseIntError"));
/// assert_eq!(pages("0").unwrap_err().code(), "empty_report");
/// ```
///
/// [`permanent`]: HandlerError::permanent
#[derive(Clone, PartialEq)]
pub struct HandlerError {
    failure: Failure,
    retry_after: Option<Duration>,
}

impl HandlerError {
    /// A failure after which another attempt may help, if the job has one left.
    pub fn retry(message: impl fmt::Display) -> Self {
        Self { failure: Failure::new(CODE, message.to_string()), retry_after: None }
    }

    /// A failure that another attempt would only repeat.
    pub fn permanent(message: impl fmt::Display) -> Self {
        let failure = Failure { retryable: Some(false), ..Failure::new(CODE, message.to_string()) };
        Self { failure, retry_after: None }
    }

    /// With a machine-readable word for what went wrong, instead of `handler_error`.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.failure.code = code.into();
        self
    }

    /// With the class of the error, against which the `non_retryable_errors` of a job are held.
    #[must_use]
    pub fn with_kind(mut self, kind: impl Into<String>) -> Self {
        self.failure.kind = Some(kind.into());
        self
    }

    /// With anything structured that helps to find the cause.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.failure.details = Some(details);
        self
    }

    /// With the shortest time until the next attempt, when the cause is known to last: the retry policy may wait longer.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The machine-readable word.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.failure.code
    }

    /// The class of the error.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.failure.kind.as_deref()
    }

    /// What went wrong, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.failure.message
    }

    /// Whether another attempt would only repeat it.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.failure.retryable == Some(false)
    }

    /// The failure, and the shortest time until the next attempt.
    pub(crate) fn into_parts(self) -> (Failure, Option<Duration>) {
        (self.failure, self.retry_after)
    }
}

/// Any error: its class is the name of its type, its message is told with its causes.
impl<E: std::error::Error + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::retry(chain(&error)).with_kind(short_name(std::any::type_name::<E>()))
    }
}

/// Shown as its message, so that `unwrap` in a test tells the cause.
impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.failure.code, self.failure.message)
    }
}

/// `a::b::Name<c::D>` → `Name`: where a type lives may change without anybody's noticing.
fn short_name(path: &str) -> &str {
    let plain = path.split('<').next().unwrap_or(path);
    plain.rsplit("::").next().unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_may_be_tried_again_under_the_name_of_its_type() {
        let error = HandlerError::from(std::fmt::Error);
        assert_eq!((error.code(), error.kind(), error.is_permanent()), ("handler_error", Some("Error"), false));
        assert_eq!(error.into_parts().0.retryable, None);
    }

    #[test]
    fn a_type_is_known_by_its_last_name() {
        assert_eq!(short_name("a::b::Name<c::D>"), "Name");
        assert_eq!(short_name("Name"), "Name");
    }

    #[test]
    fn a_permanent_failure_says_so() {
        let failure = HandlerError::permanent("no").with_code("c").with_kind("K").into_parts().0;
        assert_eq!((failure.retryable, failure.code.as_str(), failure.kind.as_deref()), (Some(false), "c", Some("K")));
    }
}
