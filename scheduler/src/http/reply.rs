//! Answers that are not errors.

use std::fmt;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use carillon_shared::job::Job;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::dialect::OJS_JSON;
use super::error::ApiError;

/// What is said beside an object is this short as a rule.
const MORE_BYTES: usize = 128;

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
        let is_new = |(n, name): (usize, &&str)| {
            !names[..n].contains(name) && !self.object.contains(&["\"", name, "\":"].concat())
        };
        self.object.len() > "{}".len() && names.iter().enumerate().all(is_new)
    }

    /// Member by member: the one about which the answer is stands first, whatever is said beside it in place of its own.
    fn joined(self) -> String {
        let mut members = vec![(self.name.to_owned(), self.object.clone())];
        let mut say = |name: &str, text: &str, in_place: bool| match members.iter_mut().find(|(said, _)| said == name) {
            Some((_, said)) if in_place => *said = text.to_owned(),
            Some(_) => {}
            None => members.push((name.to_owned(), text.to_owned())),
        };
        for (name, value) in Members::of(&self.object).0 {
            say(&name, value.get(), false);
        }
        for (name, value) in &self.more {
            say(name, &written(value), true);
        }
        let members: Vec<String> = members.iter().map(|(name, text)| format!("{}:{text}", written(name))).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// The members of an object in their order, each as it is written.
#[derive(Default)]
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Those of a text that we have written.
    fn of(object: &'a str) -> Self {
        serde_json::from_str(object).unwrap_or_default()
    }
}

impl<'a> Deserialize<'a> for Members<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'a> Visitor<'a> for MembersVisitor {
    type Value = Members<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<Members<'a>, A::Error> {
        let mut found = Members::default();
        while let Some(member) = members.next_entry()? {
            found.0.push(member);
        }
        Ok(found)
    }
}

impl From<Twice> for Written {
    /// The text of the object is copied, unless a name comes twice.
    fn from(twice: Twice) -> Self {
        if !twice.is_plain() {
            return Self(twice.joined());
        }
        let Twice { name, object, more } = twice;
        let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        let mut text = String::with_capacity(2 * object.len() + MORE_BYTES);
        text.extend(["{\"", name, "\":", &object, ",", members]);
        for (name, value) in more {
            text.extend([",\"", name, "\":", &written(&value)]);
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
            assert_eq!(Written::from(said()).0, said().joined());
        }
    }

    #[test]
    fn what_is_said_beside_an_object_stands_in_place_of_its_own() {
        let object = json!({"x": "said by the object", "id": 1});
        let said = twice("job", object.clone()).and("x", true).and("y", 2);
        assert_eq!(Written::from(said).0, format!(r#"{{"job":{object},"x":true,"id":1,"y":2}}"#));
    }

    /// Neither its depth nor its names keep an object from being shown.
    #[test]
    fn whatever_an_object_holds_it_is_shown() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let odd = r#"{"$serde_json::private::RawValue":"x"}"#;
        for held in [deep.as_str(), odd] {
            let object = format!(r#"{{"held":{held},"job_id":1}}"#);
            let said = twice("job", Written::text(object.clone())).and("job_id", 2);
            assert_eq!(Written::from(said).0, format!(r#"{{"job":{object},"held":{held},"job_id":2}}"#));
        }
    }
}
