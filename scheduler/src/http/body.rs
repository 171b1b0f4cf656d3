//! Bodies of requests: JSON of a bounded size that arrives within a bounded time.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use carillon_shared::job::ENVELOPE_BYTES_MAX;
use futures::StreamExt as _;
use serde_json::{Map, Value};

use super::ApiState;
use super::error::ApiError;
use super::json;

/// An envelope and what may stand around it.
const BODY_BYTES_MAX: usize = ENVELOPE_BYTES_MAX + 64 * 1024;
/// A batch of jobs.
const BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;
/// So much more is read and thrown away, so that a client that is still sending hears why it was refused.
const DRAINED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The JSON value that a request must bring.
pub(super) struct Json {
    pub(super) value: Value,
    /// How many bytes it was written in.
    pub(super) size: usize,
}

/// The JSON object of a request that brings many jobs.
pub(super) struct BatchJson(pub(super) Map<String, Value>);

/// The JSON object that a request may bring; an empty body is none.
pub(super) struct MaybeJson(pub(super) Option<Map<String, Value>>);

impl FromRequest<ApiState> for Json {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &ApiState) -> Result<Self, ApiError> {
        let bytes = read(request, api, BODY_BYTES_MAX).await?;
        if bytes.is_empty() {
            return Err(missing());
        }
        Ok(Self { value: json::parse(&bytes).map_err(ApiError::payload)?, size: bytes.len() })
    }
}

impl FromRequest<ApiState> for BatchJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &ApiState) -> Result<Self, ApiError> {
        let bytes = read(request, api, BATCH_BYTES_MAX).await?;
        if bytes.is_empty() {
            return Err(missing());
        }
        json::parse(&bytes).map_err(ApiError::payload).and_then(object).map(Self)
    }
}

impl FromRequest<ApiState> for MaybeJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &ApiState) -> Result<Self, ApiError> {
        let bytes = read(request, api, BODY_BYTES_MAX).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        json::parse(&bytes).map_err(ApiError::payload).and_then(object).map(|map| Self(Some(map)))
    }
}

/// The members of a JSON object.
pub(super) fn object(value: Value) -> Result<Map<String, Value>, ApiError> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(ApiError::invalid("", "the body must be a JSON object")),
    }
}

fn missing() -> ApiError {
    ApiError::payload("the body is empty, but this request needs a JSON object")
}

async fn read(request: Request, api: &ApiState, bytes_max: usize) -> Result<Bytes, ApiError> {
    let (parts, body) = request.into_parts();
    let declared = body.size_hint();
    if declared.exact() != Some(0) {
        check_content_type(&parts.headers)?;
    }
    let limit = api.limits().body;
    let collected = tokio::time::timeout(limit, collect(body, bytes_max)).await;
    collected.map_err(|_| ApiError::too_slow(format!("the body did not arrive within {} s", limit.as_secs_f64())))?
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if ["application/json", "application/openjobspec+json"].contains(&essence.as_str()) {
        return Ok(());
    }
    let message = "Content-Type must be application/json or application/openjobspec+json";
    Err(ApiError::invalid("Content-Type", message).hint("add the header Content-Type: application/json"))
}

async fn collect(body: Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    let mut chunks = body.into_data_stream();
    let (mut whole, mut drained) = (Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::payload("the body broke off before its end"))?;
        if drained == 0 && whole.len() + chunk.len() <= bytes_max {
            whole.extend_from_slice(&chunk);
            continue;
        }
        drained += chunk.len();
        if drained > DRAINED_BYTES_MAX {
            break;
        }
    }
    if drained > 0 {
        return Err(ApiError::too_large(format!("the body is larger than {bytes_max} bytes")));
    }
    Ok(whole.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content_type(text: &'static str) -> Result<(), u16> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, header::HeaderValue::from_static(text))]);
        check_content_type(&headers).map_err(|error| error.status.as_u16())
    }

    #[test]
    fn json_types_pass_with_and_without_parameters() {
        for text in ["application/json", "Application/JSON; charset=utf-8", "application/openjobspec+json"] {
            assert_eq!(content_type(text), Ok(()), "{text}");
        }
        assert_eq!(check_content_type(&HeaderMap::new()).map_err(|_| ()), Ok(()));
        for text in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
            assert_eq!(content_type(text), Err(400), "{text}");
        }
    }
}
