//! What every answer has, whatever the route: the headers of the protocol, the id of the request, errors in their envelope.
//!
//! Clients that send `OJS-Version` are SDKs, some of which drop a body whose type does not contain `application/json`;
//! those that do not may compare the type as a whole. Each gets the type that it understands.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
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

/// What the answer to a request will have, whatever it is.
pub(super) struct Dress {
    dialect: Dialect,
    /// The id of the request, as it stands in headers, logs and errors.
    id: HeaderValue,
    is_head: bool,
}

impl Dress {
    pub(super) fn of(api: &ApiState, request: &Request) -> Self {
        let headers = request.headers();
        Self { dialect: Dialect::of(headers), id: request_id(api, headers), is_head: request.method() == Method::HEAD }
    }

    pub(super) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    pub(super) fn put_on(self, response: Response) -> Response {
        let mut response = self.enveloped(response);
        let headers = response.headers_mut();
        headers.insert(OJS_VERSION, HeaderValue::from_static("1.0"));
        headers.insert(REQUEST_ID, self.id);
        if self.dialect == Dialect::Sdk && headers.get(CONTENT_TYPE).is_some_and(|kind| kind == OJS_JSON) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(OJS_JSON_FOR_SDKS));
        }
        response
    }

    /// Puts an error into its envelope, whoever answered it.
    fn enveloped(&self, response: Response) -> Response {
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
        let text = error.to_json(self.id()).to_string();
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(OJS_JSON));
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
        Response::from_parts(parts, if self.is_head { Body::empty() } else { text.into() })
    }
}

/// The id that the client gave, if it can stand in a header and a log, else a new one.
fn request_id(api: &ApiState, headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID);
    let is_valid =
        |id: &&HeaderValue| !id.is_empty() && id.len() <= 128 && id.as_bytes().iter().all(u8::is_ascii_graphic);
    // Copied, because a request may wait, and what it was read from is as large as all that came with it.
    let id = match given.filter(is_valid) {
        Some(given) => HeaderValue::from_bytes(given.as_bytes()),
        None => HeaderValue::try_from(format!("req_{}", JobId::random(api.store().clock().now(), Partition(0)))),
    };
    // Neither has anything that a header cannot say.
    id.unwrap_or(HeaderValue::from_static("req_none"))
}

/// Any version 1, whatever follows: `1`, `1.0`, `1.0.0-rc.1`.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), ApiError> {
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
pub(super) fn after_panic() -> Response {
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
