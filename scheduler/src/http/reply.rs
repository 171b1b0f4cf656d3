//! Answers that are not errors.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::dialect::OJS_JSON;
use super::error::ApiError;

/// What handlers return.
pub(super) type Answer = Result<Reply, ApiError>;

/// A JSON answer.
pub(super) struct Reply {
    status: StatusCode,
    text: String,
    location: Option<HeaderValue>,
    rate_limit: Option<u32>,
}

impl Reply {
    pub(super) fn new(status: StatusCode, value: impl Into<Value>) -> Self {
        Self::text(status, value.into().to_string())
    }

    /// JSON that has been written already.
    pub(super) fn text(status: StatusCode, text: String) -> Self {
        Self { status, text, location: None, rate_limit: None }
    }

    pub(super) fn ok(value: impl Into<Value>) -> Self {
        Self::new(StatusCode::OK, value)
    }

    /// Says where the thing is that was made. Names and ids need no escaping in a path.
    pub(super) fn at(mut self, location: &str) -> Self {
        self.location = HeaderValue::from_str(location).ok();
        self
    }

    /// Says how many jobs may start under the limit of the one that was taken in.
    pub(super) fn limited_to(mut self, most: u32) -> Self {
        self.rate_limit = Some(most);
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.text));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OJS_JSON));
        if let Some(location) = self.location {
            response.headers_mut().insert(LOCATION, location);
        }
        if let Some(most) = self.rate_limit {
            response.headers_mut().insert("x-ratelimit-limit", HeaderValue::from(most));
        }
        response
    }
}

/// `{"<name>": object, …object}`: clients look in one place or the other.
pub(super) fn twice(name: &str, object: Map<String, Value>) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert(name.to_owned(), object.clone().into());
    for (key, value) in object {
        map.entry(key).or_insert(value);
    }
    map
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_stands_whole_and_spread_and_never_over_itself() {
        let Value::Object(job) = json!({"id": 1, "job": "mine"}) else { panic!("an object") };
        assert_eq!(Value::from(twice("job", job)), json!({"job": {"id": 1, "job": "mine"}, "id": 1}));
    }
}
