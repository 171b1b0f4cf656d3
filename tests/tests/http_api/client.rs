//! A scheduler in this process, and a client of its API.

use std::time::Duration;

use carillon_scheduler::app::App;
use carillon_scheduler::cli::configuration;
use carillon_shared::store::Store;
use carillon_tests::redis::{namespace, shared};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// No answer takes longer, however slow the machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(120);

/// A scheduler that runs, in a namespace of its own.
pub(crate) struct Api {
    pub(crate) app: App,
    pub(crate) http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Api {
    pub(crate) async fn start() -> Self {
        Self::with(&shared().url(), &[]).await
    }

    /// Starts one on the Redis at `url`, with further flags.
    pub(crate) async fn with(url: &str, flags: &[&str]) -> Self {
        let namespace = namespace().to_string();
        let own = ["--redis-url", url, "--namespace", &namespace, "--port", "0", "--redis-connections", "1"];
        // A machine that stands still for a moment is no Redis that is away.
        let patient: &[&str] = if flags.contains(&"--redis-timeout") { &[] } else { &["--redis-timeout", "20s"] };
        let config = configuration(&[&own, patient, flags].concat()).expect("the test's flags are valid");
        let app = App::start(&config, None).await.expect("the scheduler starts");
        let http = reqwest::Client::builder().timeout(ANSWERED_WITHIN).build().expect("a client");
        Self { app, http }
    }

    pub(crate) fn store(&self) -> &Store {
        self.app.store()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.address())
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(Method::from_bytes(method.as_bytes()).expect("a token"), self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request("GET", path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        answer(self.request("DELETE", path)).await
    }

    /// Posts without a body.
    pub(crate) async fn poke(&self, path: &str) -> Answer {
        answer(self.request("POST", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request("POST", path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        answer(self.request("PATCH", path).json(body)).await
    }

    /// Enqueues a job that nobody runs, and returns its id.
    pub(crate) async fn job(&self, body: &Value) -> String {
        let answer = self.post("/ojs/v1/jobs", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.expect("a whole answer") }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers)).to_str().expect("text")
    }

    /// Asserts a failure in its envelope: status, code, and the field that is named.
    pub(crate) fn refused(&self, status: u16, code: &str, field: Option<&str>) {
        let body = self.json();
        let error = &body["error"];
        assert_eq!((self.status, error["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(error["details"]["field"].as_str(), field, "{}", self.text);
        for name in ["message", "type", "hint", "docs_url", "request_id"] {
            assert!(error[name].as_str().is_some_and(|text| !text.is_empty()), "{name} in {}", self.text);
        }
        assert!(error["retryable"].is_boolean() && error["details"].is_object(), "{}", self.text);
        assert_eq!(error["request_id"], self.header("x-request-id"));
    }
}
