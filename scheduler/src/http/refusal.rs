//! What the layers below refuse or cannot do, as errors of the API.

use std::error::Error as _;

use axum::http::StatusCode;
use carillon_shared::client::ClientError;
use carillon_shared::job::{Refusal, RefusalKind};
use carillon_shared::store::StoreError;

use super::error::ApiError;

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let Refusal { field, message, kind, details } = refusal;
        let error = match kind {
            RefusalKind::Payload => Self::payload(message),
            RefusalKind::Request => Self::invalid(&field, message),
            RefusalKind::RetryPolicy => {
                let mut error = Self::invalid(&field, message);
                error.status = StatusCode::UNPROCESSABLE_ENTITY;
                error.detail("error_type", "validation.retry_policy_invalid")
            }
            RefusalKind::TooLarge => Self::too_large(message).field(&field),
            RefusalKind::Unsupported => Self::unsupported(message).field(&field),
        };
        match details {
            Some(details) => error.details(&details),
            None => error,
        }
    }
}

impl From<ClientError> for ApiError {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::Refused(refusal) => refusal.into(),
            ClientError::Duplicate(id) => Self::new(StatusCode::CONFLICT, "duplicate", "conflict_error", message)
                .field("id")
                .detail("existing_job_id", id.to_string())
                .hint("leave the id out to have one made"),
            ClientError::NotUnique(id) => Self::new(StatusCode::CONFLICT, "duplicate", "conflict_error", message)
                .field("unique")
                .detail("existing_job_id", id.to_string())
                .hint("wait until that job has ended, or choose another on_conflict"),
            ClientError::NoJob(id) => Self::no_job(&id.to_string()),
            ClientError::Conflict { id, state, expected } => {
                Self::conflict(id, message).detail("current_state", state.as_str()).detail("expected_state", expected)
            }
            ClientError::Superseded(id) => Self::conflict(id, message),
            ClientError::NoEntry(name) => Self::no_entry(name.as_str()),
            ClientError::Declared { name, by } => {
                Self::new(StatusCode::CONFLICT, "conflict", "conflict_error", message)
                    .detail("cron_name", name.as_str())
                    .detail("owner", by.owner.as_str())
                    .detail("file", by.file.as_str())
                    .hint("change the file; a scheduler applies it")
            }
            ClientError::Taken(name) => Self::new(StatusCode::CONFLICT, "conflict", "conflict_error", message)
                .detail("cron_name", name.as_str())
                .hint("remove the entry, or take another name"),
            ClientError::Contended(_) => Self::unavailable(message),
            ClientError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let cause = error.source().map(ToString::to_string);
        match &error {
            StoreError::Unavailable(_) => {
                tracing::warn!(cause, "{error}");
                Self::unavailable("Redis is not reachable: whether the request was carried out is not known")
            }
            StoreError::OutOfMemory(_) => {
                tracing::warn!(cause, "{error}");
                Self::unavailable(error.to_string())
            }
            _ => {
                tracing::error!(cause, "{error}");
                Self::internal(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wrong_retry_policy_is_unprocessable() {
        let status = |refusal: Refusal| ApiError::from(refusal).status.as_u16();
        assert_eq!(status(Refusal::field("type", "no")), 400);
        assert_eq!(status(Refusal::payload("no")), 400);
        assert_eq!(status(Refusal::retry("retry.max_attempts", "no")), 422);
        assert_eq!(ApiError::from(Refusal::retry("retry", "no")).into_bad_request().status, 400);
    }
}
