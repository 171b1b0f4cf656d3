//! Metrics and a log line for every request, by the route as declared: paths hold names, and names are without number.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use carillon_shared::telemetry::metric::{self, label};

use super::dialect::RequestId;

/// Measures a request.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route: String = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = method_word(request.method());
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    let response = next.run(request).await;
    let (status, elapsed) = (response.status().as_u16(), started.elapsed());
    tracing::debug!(request.id = id, http.route = route, method, status, duration_ms = elapsed.as_millis(), "answered");
    metrics::counter!(metric::HTTP_REQUESTS_TOTAL,
        label::ROUTE => route.clone(), label::METHOD => method, label::STATUS => status.to_string())
    .increment(1);
    metrics::histogram!(metric::HTTP_REQUEST_SECONDS, label::ROUTE => route).record(elapsed.as_secs_f64());
    response
}

/// Methods are the client's own words, so those without a meaning here are one.
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_that_a_client_made_up_are_one() {
        assert_eq!(method_word(&Method::PATCH), "PATCH");
        assert_eq!(method_word(&Method::from_bytes(b"ASSERT").expect("a token")), "other");
    }
}
