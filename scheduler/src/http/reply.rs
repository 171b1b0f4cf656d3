//! Answers that are not errors.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use carillon_shared::job::Job;
use serde::Serialize;
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
    pub(super) fn new(status: StatusCode, json: impl Into<Written>) -> Self {
        Self::text(status, json.into().0)
    }

    /// JSON that has been written already.
    pub(super) fn text(status: StatusCode, text: String) -> Self {
        Self { status, text, location: None, rate_limit: None }
    }

    pub(super) fn ok(json: impl Into<Written>) -> Self {
        Self::new(StatusCode::OK, json)
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

/// JSON that is written.
pub(super) struct Written(String);

impl Written {
    /// What has been written already.
    pub(super) fn text(text: String) -> Self {
        Self(text)
    }
}

impl From<Value> for Written {
    fn from(value: Value) -> Self {
        Self(written(&value))
    }
}

impl From<Map<String, Value>> for Written {
    fn from(map: Map<String, Value>) -> Self {
        Self(written(&map))
    }
}

impl From<&Job> for Written {
    fn from(job: &Job) -> Self {
        Self(job.to_json_text())
    }
}

/// The JSON text of a value: texts and numbers in maps and lists, which can always be written.
fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// `{"<name>": object, …object, …more}`: clients look in one place or the other.
pub(super) struct Twice {
    name: &'static str,
    object: String,
    more: Vec<(&'static str, Value)>,
}

pub(super) fn twice(name: &'static str, object: impl Into<Written>) -> Twice {
    Twice { name, object: object.into().0, more: Vec::new() }
}

impl Twice {
    /// Says something beside the object, and in place of what the object says by this name.
    pub(super) fn and(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.more.push((name, value.into()));
        self
    }

    /// Whether every name stands once: the object has members, and none of the names beside it is in its text.
    fn is_plain(&self) -> bool {
        let mut names = vec![self.name];
        names.extend(self.more.iter().map(|(name, _)| *name));
        let is_new =
            |(n, name): (usize, &&str)| !names[..n].contains(name) && !self.object.contains(&format!("\"{name}\":"));
        self.object.len() > "{}".len() && names.iter().enumerate().all(is_new)
    }

    fn into_map(self) -> Map<String, Value> {
        let object: Map<String, Value> = serde_json::from_str(&self.object).unwrap_or_default();
        let mut map = Map::new();
        map.insert(self.name.to_owned(), object.clone().into());
        for (name, value) in object {
            map.entry(name).or_insert(value);
        }
        map.extend(self.more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        map
    }
}

impl From<Twice> for Written {
    /// The text of the object is copied, unless a name comes twice.
    fn from(twice: Twice) -> Self {
        if !twice.is_plain() {
            return twice.into_map().into();
        }
        let Twice { name, object, more } = twice;
        let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        let mut text = format!(r#"{{"{name}":{object},{members}"#);
        for (name, value) in more {
            text.push_str(&format!(r#","{name}":{value}"#));
        }
        text.push('}');
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_stands_whole_and_spread_and_never_over_itself() {
        let Value::Object(job) = json!({"id": 1, "job": "mine"}) else { panic!("an object") };
        assert_eq!(Written::from(twice("job", job)).0, r#"{"job":{"id":1,"job":"mine"},"id":1}"#);
        assert_eq!(Written::from(twice("job", Map::new()).and("x", 1)).0, r#"{"job":{},"x":1}"#);
    }

    #[test]
    fn what_is_copied_is_what_would_be_written_twice() {
        for (object, more) in [
            (json!({"id": 1, "text": "}{\"", "deep": {"job": {}}}), "x"),
            (json!({"x": "said by the object", "id": 1}), "x"),
            (json!({"id": 1}), "job"),
            (json!({}), "x"),
            (json!({"deep": [{"x": 1}], "id": 1}), "x"),
        ] {
            let said = || twice("job", object.as_object().expect("an object").clone()).and(more, true);
            assert_eq!(Written::from(said()).0, Value::from(said().into_map()).to_string());
        }
    }
}
