//! A handler that calls a URL: POST of the job as JSON. The status decides, the body is the result.
//!
//! 2xx is success. 408, 425, 429, 5xx and a peer that cannot be reached are tried again, no sooner than `Retry-After` asks;
//! any other status, a redirect included, is permanent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use carillon_shared::config::Secret;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::judge::read_result;
use super::section::Section;
use crate::context::Context;
use crate::handler::{Handler, Returned};
use crate::handler_error::HandlerError;
use crate::outcome::{RESULT_BYTES_MAX, result_too_large};
use carillon_shared::telemetry::chain;

/// How long a call may take when nobody says otherwise.
pub(super) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const EXCERPT_CHARS_MAX: usize = 200;

/// A URL, as the file describes it.
pub(super) struct Url {
    address: reqwest::Url,
    headers: HeaderMap,
    client: Client,
}

impl Url {
    pub(super) fn read(section: &mut Section<'_, '_, '_>) -> Option<Self> {
        let text = section.text("url");
        let headers = if section.has("headers") { section.table_of_texts("headers") } else { Some(Default::default()) };
        let address = text.and_then(|text| {
            let parsed = reqwest::Url::parse(&text)
                .ok()
                .filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
            if parsed.is_none() {
                // Without the text, which may hold a password.
                section.note("url", "expected an address that starts with http:// or https://");
            }
            parsed
        });
        let headers = headers.and_then(|headers| {
            let read = headers.into_iter().map(|(name, value)| header(&name, Secret::new(value)));
            read.collect::<Result<HeaderMap, String>>().map_err(|problem| section.note("headers", problem)).ok()
        });
        let client =
            client().map_err(|error| section.note("url", format!("no HTTP client can be had: {}", chain(&error)))).ok();
        Some(Self { address: address?, headers: headers?, client: client? })
    }

    pub(super) fn into_handler(self) -> Handler {
        let url = Arc::new(self);
        Handler::new(move |context: Context, _: IgnoredAny| {
            let url = url.clone();
            async move {
                tokio::select! {
                    returned = url.call(&context) => returned,
                    reason = context.cancelled() => Err(HandlerError::retry(format!("told to stop: {}", reason.as_str())).with_code("stopped")),
                }
            }
        })
    }

    async fn call(&self, context: &Context) -> Returned {
        let body = Value::Object(context.job_json()).to_string();
        let request = self.client.post(self.address.clone()).headers(self.headers.clone()).body(body);
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let (status, wait) = (response.status(), retry_after(&response));
        let body = read_body(response).await.map_err(|error| self.unreachable(error))?;
        if status.is_success() {
            let body = body.ok_or_else(|| {
                let failure = result_too_large(&format!("{} answered with a larger result", self.shown()));
                HandlerError::permanent(failure.message).with_code(failure.code)
            })?;
            return Ok(read_result(&body));
        }
        let error = refused(&self.shown(), status, &body.unwrap_or_default());
        Err(wait.into_iter().fold(error, HandlerError::with_retry_after))
    }

    fn unreachable(&self, error: reqwest::Error) -> HandlerError {
        let message = format!("{} cannot be reached: {}", self.shown(), chain(&error.without_url()));
        HandlerError::retry(message).with_code("http_unreachable")
    }

    /// The address without user, password and query, which may be secrets.
    fn shown(&self) -> String {
        let port = self.address.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!(
            "{}://{}{port}{}",
            self.address.scheme(),
            self.address.host_str().unwrap_or_default(),
            self.address.path()
        )
    }
}

/// The address and the names of the headers.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())?;
        for (i, name) in self.headers.keys().filter(|name| *name != CONTENT_TYPE).enumerate() {
            let separator = if i == 0 { " with " } else { ", " };
            write!(f, "{separator}{}: ***", title_case(name.as_str()))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn client() -> reqwest::Result<Client> {
    let json = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let agent = concat!("carillon-worker/", env!("CARGO_PKG_VERSION"));
    Client::builder()
        .user_agent(agent)
        .default_headers(json)
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
}

fn header(name: &str, value: Secret) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = name.parse::<HeaderName>().map_err(|_| format!("{name:?} is not the name of a header"))?;
    let mut value =
        HeaderValue::from_str(value.expose()).map_err(|_| format!("the value of {name} holds what a header cannot"))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// Reads the body; `None` when it is larger than what is kept.
async fn read_body(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > RESULT_BYTES_MAX {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body))
}

fn refused(address: &str, status: StatusCode, body: &[u8]) -> HandlerError {
    let excerpt: String = String::from_utf8_lossy(body).trim().chars().take(EXCERPT_CHARS_MAX).collect();
    let separator = if excerpt.is_empty() { "" } else { ": " };
    let message = format!("{address} answered {status}{separator}{excerpt}");
    let error = if may_pass(status) { HandlerError::retry(message) } else { HandlerError::permanent(message) };
    error.with_code("http_status").with_details(json!({"status": status.as_u16()}))
}

fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

/// The seconds that the peer asks for. A date is not read: it would hang on two clocks.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn title_case(name: &str) -> String {
    let word = |word: &str| {
        word.chars().enumerate().map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c }).collect::<String>()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::context::tests::context;

    /// Answers one request with `answer`; returns what was asked.
    async fn call(answer: &'static str) -> (Returned, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://ann:secret@{}/hook?key=secret", listener.local_addr().expect("an address"));
        let peer = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.expect("a caller");
            let mut asked = String::new();
            while !asked.contains("\"type\"") {
                let mut piece = [0; 4096];
                let count = socket.read(&mut piece).await.expect("a request");
                asked.push_str(&String::from_utf8_lossy(&piece[..count]));
            }
            socket.write_all(answer.as_bytes()).await.expect("an answer");
            asked
        });
        let headers = HeaderMap::from_iter([header("X-Token", Secret::new("t")).expect("a header")]);
        let url = Url { address: address.parse().expect("an address"), headers, client: client().expect("a client") };
        let (context, _) = context(&json!({"type": "a.b", "args": [7]}));
        (url.into_handler().start(context).await, peer.await.expect("the peer ended"))
    }

    #[tokio::test]
    async fn the_job_is_posted_and_the_body_is_the_result() {
        let (returned, asked) = call("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"a\": 1}").await;
        assert_eq!(returned, Ok(json!({"a": 1})));
        assert!(asked.starts_with("POST /hook?key=secret") && asked.contains("x-token: t"), "{asked}");
        assert!(asked.contains("content-type: application/json") && asked.contains("\"args\":[7]"), "{asked}");
        assert_eq!(call("HTTP/1.1 204 No Content\r\n\r\n").await.0, Ok(Value::Null));
    }

    #[tokio::test]
    async fn the_status_decides() {
        let (returned, _) = call("HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 5\r\n\r\nlater").await;
        let error = returned.expect_err("a failure");
        assert!(
            !error.is_permanent() && error.message().ends_with("/hook answered 503 Service Unavailable: later"),
            "{error:?}"
        );
        assert!(!error.message().contains("secret"), "{error:?}");
        assert_eq!(error.into_parts().1, Some(Duration::from_secs(7)));
        let (returned, _) =
            call("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
        assert!(returned.is_err_and(|error| error.is_permanent()));
    }

    #[test]
    fn some_refusals_pass() {
        let passing: Vec<_> = [400, 404, 408, 409, 425, 429, 500, 503]
            .into_iter()
            .filter(|code| may_pass(StatusCode::from_u16(*code).expect("a status")))
            .collect();
        assert_eq!(passing, [408, 425, 429, 500, 503]);
    }

    #[tokio::test]
    async fn a_peer_that_is_not_there_may_come_back() {
        let address = "http://ann:secret@127.0.0.1:1/hook".parse().expect("an address");
        let url = Url { address, headers: HeaderMap::new(), client: client().expect("a client") };
        let (context, _) = context(&json!({"type": "a.b", "args": []}));
        let error = url.into_handler().start(context).await.expect_err("nobody is there");
        assert!(
            error.code() == "http_unreachable" && !error.is_permanent() && !error.message().contains("secret"),
            "{error:?}"
        );
    }
}
