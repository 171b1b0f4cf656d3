//! What the layers below refuse or cannot do, as errors of the API.

use carillon_shared::client::{BatchError, ClientError};
use carillon_shared::job::{Refusal, RefusalKind};
use carillon_shared::store::StoreError;
use carillon_shared::telemetry::chain;
use tonic::Code;

use super::error::RpcError;

impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> Self {
        let Refusal { field, message, kind, details: _ } = refusal;
        let reason = match kind {
            RefusalKind::Payload => "invalid_payload",
            RefusalKind::Request | RefusalKind::RetryPolicy => "invalid_request",
            RefusalKind::TooLarge => "envelope_too_large",
            RefusalKind::Unsupported => "unsupported",
        };
        let code = if kind == RefusalKind::Unsupported { Code::Unimplemented } else { Code::InvalidArgument };
        Self::new(code, reason, message).within(&field)
    }
}

impl From<ClientError> for RpcError {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::Refused(refusal) => refusal.into(),
            ClientError::Duplicate(id) | ClientError::NotUnique(id) => {
                Self::new(Code::AlreadyExists, "duplicate", message).told("existing_job_id", id.to_string())
            }
            ClientError::NoJob(id) => Self::not_found("job", &id.to_string()),
            ClientError::Conflict { id, state, expected } => Self::conflict(message)
                .told("job_id", id.to_string())
                .told("current_state", state.as_str())
                .told("expected_state", expected),
            ClientError::Superseded(id) => Self::conflict(message).told("job_id", id.to_string()),
            ClientError::NoEntry(name) => Self::not_found("cron entry", name.as_str()),
            ClientError::Declared { name, by } => Self::conflict(message)
                .told("cron_name", name.as_str())
                .told("owner", by.owner.as_str())
                .told("file", by.file),
            ClientError::Taken(name) => Self::conflict(message).told("cron_name", name.as_str()),
            ClientError::Contended(_) => Self::unavailable(message),
            ClientError::Store(error) => error.into(),
        }
    }
}

impl From<BatchError> for RpcError {
    fn from(error: BatchError) -> Self {
        let told = Self::from(error.error);
        match error.place {
            Some(place) => told.within(&format!("jobs[{place}]")).told("index", place.to_string()),
            None => told,
        }
    }
}

impl From<StoreError> for RpcError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) => {
                tracing::warn!("{}", chain(&error));
                Self::unavailable("Redis is not reachable: whether the call was carried out is not known")
            }
            StoreError::OutOfMemory(_) => {
                tracing::warn!("{}", chain(&error));
                Self::unavailable(error.to_string())
            }
            _ => {
                tracing::error!("{}", chain(&error));
                Self::internal(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use carillon_shared::id::{JobId, Partition};

    use super::*;

    #[test]
    fn each_refusal_has_the_status_of_its_sort() {
        let id = JobId::random(carillon_shared::clock::Timestamp::from_ms(0), Partition(0));
        let unsupported = Refusal { kind: RefusalKind::Unsupported, ..Refusal::field("x", "no") };
        for (error, code, reason) in [
            (ClientError::Refused(Refusal::retry("retry", "no")), Code::InvalidArgument, "invalid_request"),
            (ClientError::Refused(unsupported), Code::Unimplemented, "unsupported"),
            (ClientError::Duplicate(id), Code::AlreadyExists, "duplicate"),
            (ClientError::NoJob(id), Code::NotFound, "not_found"),
            (ClientError::Superseded(id), Code::FailedPrecondition, "conflict"),
        ] {
            let told = RpcError::from(error);
            assert_eq!((told.code, told.reason), (code, reason));
        }
    }
}
