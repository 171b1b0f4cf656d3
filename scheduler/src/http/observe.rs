//! Metrics and a log line for every request, by the route as declared: paths hold names, and names are without number.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use carillon_shared::telemetry::metric::{self, label};
use metrics::{Counter, Histogram};

use super::dialect::Dress;

/// What is measured of requests, by their route. Metrics are looked up by their labels once and kept, because to look one up costs
/// a request more than all the rest of measuring it. The recorder is there before the first request, and forgets no metric.
#[derive(Default)]
pub(super) struct Visits(RwLock<HashMap<String, Measured>>);

/// Of one route: how long answers take, and how many there were of each kind.
struct Measured {
    seconds: Histogram,
    answers: Vec<(Kind, Counter)>,
}

/// The method, and the status of the answer.
type Kind = (&'static str, StatusCode);

impl Measured {
    fn new(route: &str) -> Self {
        let route = route.to_owned();
        Self { seconds: metrics::histogram!(metric::HTTP_REQUEST_SECONDS, label::ROUTE => route), answers: Vec::new() }
    }

    /// Counts an answer; false when there was none of its kind before.
    fn count(&self, kind: Kind, elapsed: Duration) -> bool {
        let Some((_, answers)) = self.answers.iter().find(|(known, _)| *known == kind) else { return false };
        answers.increment(1);
        self.seconds.record(elapsed.as_secs_f64());
        true
    }
}

impl Visits {
    fn count(&self, route: &str, kind: Kind, elapsed: Duration) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.get(route).is_some_and(|measured| measured.count(kind, elapsed)) {
            return;
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let measured = known.entry(route.to_owned()).or_insert_with(|| Measured::new(route));
        // Somebody may have been quicker.
        if !measured.count(kind, elapsed) {
            measured.answers.push((kind, counter(route, kind)));
            measured.count(kind, elapsed);
        }
    }
}

fn counter(route: &str, (method, status): Kind) -> Counter {
    metrics::counter!(metric::HTTP_REQUESTS_TOTAL,
        label::ROUTE => route.to_owned(), label::METHOD => method, label::STATUS => status.as_u16().to_string())
}

/// A request that is being answered.
pub(super) struct Visit {
    started: Instant,
    route: Option<MatchedPath>,
    method: &'static str,
}

impl Visit {
    pub(super) fn begin(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self { started: Instant::now(), route, method: method_word(request.method()) }
    }

    pub(super) fn end(&self, visits: &Visits, status: StatusCode, dress: &Dress) {
        let (method, elapsed) = (self.method, self.started.elapsed());
        let route = self.route.as_ref().map_or("none", MatchedPath::as_str);
        tracing::debug!(
            request.id = dress.id(),
            http.route = route,
            method,
            status = status.as_u16(),
            duration_ms = elapsed.as_millis(),
            "answered"
        );
        visits.count(route, (method, status), elapsed);
    }
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
