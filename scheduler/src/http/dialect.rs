//! What every answer has, whatever the route: the headers of the protocol, the id of the request, errors in their envelope.
//!
//! Clients that send `OJS-Version` are SDKs, some of which drop a body whose type does not contain `application/json`;
//! those that do not may compare the type as a whole. Each gets the type that it understands.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use carillon_shared::id::{JobId, Partition};

use super::ApiState;
use super::error::ApiError;

/// The type of every JSON answer.
pub(super) const OJS_JSON: &str = "application/openjobspec+json";
const OJS_JSON_FOR_SDKS: &str = "application/openjobspec+json; alias=\"application/json\"";
const OJS_VERSION: HeaderName = HeaderName::from_static("ojs-version");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Sends `OJS-Version`.
    Sdk,
    /// Does not.
    Plain,
}

impl Dialect {
    /// The dialect of a request.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(OJS_VERSION) { Self::Sdk } else { Self::Plain }
    }
}

/// The id of a request, to be found in its extensions.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// Carries out a request and dresses its answer.
pub(super) async fn dress(State(api): State<ApiState>, mut request: Request, next: Next) -> Response {
    let dialect = Dialect::of(request.headers());
    let id = request_id(&api, request.headers());
    let is_head = request.method() == Method::HEAD;
    request.extensions_mut().insert(RequestId(id.clone()));
    let response = match check_version(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let mut response = enveloped(response, &id, is_head);
    let headers = response.headers_mut();
    headers.insert(OJS_VERSION, HeaderValue::from_static("1.0"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    if dialect == Dialect::Sdk && headers.get(CONTENT_TYPE).is_some_and(|kind| kind == OJS_JSON) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(OJS_JSON_FOR_SDKS));
    }
    response
}

/// Puts an error into its envelope, whoever answered it.
fn enveloped(response: Response, id: &str, is_head: bool) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let (mut parts, rest) = response.into_parts();
    let error = match parts.extensions.remove::<ApiError>() {
        Some(error) => error,
        // A page that is complete with its status, such as a degraded health.
        None if parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == OJS_JSON) => {
            return Response::from_parts(parts, rest);
        }
        None => ApiError::of_status(status),
    };
    let text = error.to_json(id).to_string();
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(OJS_JSON));
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    Response::from_parts(parts, if is_head { Body::empty() } else { text.into() })
}

/// The id that the client gave, if it can stand in a header and a log, else a new one.
fn request_id(api: &ApiState, headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let valid = |id: &&str| !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic());
    given
        .filter(valid)
        .map_or_else(|| format!("req_{}", JobId::random(api.store().clock().now(), Partition(0))), str::to_owned)
}

/// Any version 1, whatever follows: `1`, `1.0`, `1.0.0-rc.1`.
fn check_version(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(version) = headers.get(OJS_VERSION) else { return Ok(()) };
    let version = version.to_str().unwrap_or_default().trim();
    match version.split(['.', '-']).next() {
        Some("1") => Ok(()),
        _ => {
            let short: String = version.chars().take(32).collect();
            Err(ApiError::unsupported(format!("OJS-Version {short} is not spoken here, only 1.x is")))
        }
    }
}

/// What is answered after a handler panicked.
pub(super) fn after_panic(_: Box<dyn std::any::Any + Send>) -> Response {
    // The panic itself has been logged, with its place, by the process's panic hook.
    ApiError::internal("the server failed on this request").into_response()
}

/// What is answered where there is no route.
pub(super) async fn no_route(request: Request) -> ApiError {
    ApiError::no_route(request.uri().path())
}

/// What is answered where the route does not take the method.
pub(super) async fn no_method() -> ApiError {
    ApiError::of_status(StatusCode::METHOD_NOT_ALLOWED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_minor_of_version_one_is_spoken() {
        let check = |text: &'static str| {
            check_version(&HeaderMap::from_iter([(OJS_VERSION, HeaderValue::from_static(text))])).is_ok()
        };
        assert!(["1", "1.0", "1.0.0-rc.1", "1.7", "1-rc"].into_iter().all(check));
        assert!(!["2.0", "", "0.9", "10", "v1"].into_iter().any(check));
    }
}
