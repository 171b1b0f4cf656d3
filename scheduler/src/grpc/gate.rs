//! What every call has, whatever it asks for: the key, a time in which it must be answered, an id, errors with details, and
//! a place in the metrics.

use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use carillon_shared::telemetry::metric::{self, label};
use tokio::time::timeout;
use tonic::{Code, Status};

use super::GrpcState;
use super::error::RpcError;
use super::key;
use super::request_id::{REQUEST_ID, RequestId};
use super::system::CONFORMANCE_LEVEL;

const SERVICE: &str = "/ojs.v1.OJSService/";
const SERVER_VERSION: HeaderName = HeaderName::from_static("x-ojs-server-version");
const LEVEL: HeaderName = HeaderName::from_static("x-ojs-conformance-level");

/// Carries out a call and dresses its answer.
pub(super) async fn pass(State(api): State<GrpcState>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers(), api.store().clock().now());
    tracing::debug!(rpc.path = request.uri().path(), request.id = id.0, "call");
    let (started, path) = (Instant::now(), request.uri().path().to_owned());
    let checked = key::check(&api.0.access, &path, request.headers());
    request.extensions_mut().insert(id.clone());
    let response = match checked {
        Ok(()) => timeout(api.0.limits.call, next.run(request)).await.unwrap_or_else(|_| refused(RpcError::too_slow())),
        Err(error) => refused(error),
    };
    let response = dressed(response, &id);
    measure(&path, &response, started.elapsed());
    response
}

/// Counts a call. Paths are the client's own words, so a method that there is not has no name.
fn measure(path: &str, response: &Response, elapsed: Duration) {
    let code = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
    let known = path.strip_prefix(SERVICE).filter(|_| code != Code::Unimplemented);
    let method = known.unwrap_or("none").to_owned();
    metrics::counter!(metric::GRPC_REQUESTS_TOTAL,
        label::METHOD => method.clone(), label::STATUS => format!("{code:?}"))
    .increment(1);
    metrics::histogram!(metric::GRPC_REQUEST_SECONDS, label::METHOD => method).record(elapsed.as_secs_f64());
}

/// What is answered after a handler panicked.
pub(super) fn after_panic(_: Box<dyn std::any::Any + Send>) -> Response {
    // The panic itself has been logged, with its place, by the process's panic hook.
    refused(RpcError::internal("the server failed on this call"))
}

fn refused(error: RpcError) -> Response {
    Status::from(error).into_http()
}

fn dressed(response: Response, id: &RequestId) -> Response {
    let mut response = match failure(&response) {
        Some(error) => error.to_status(&id.0).into_http(),
        None => response,
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(SERVER_VERSION, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    headers.insert(LEVEL, HeaderValue::from(CONFORMANCE_LEVEL));
    response
}

/// The error that an answer consists of, unless it has its details already.
fn failure(response: &Response) -> Option<RpcError> {
    let made = response.extensions().get::<Status>().cloned();
    let status = made.or_else(|| Status::from_header_map(response.headers()))?;
    (status.code() != Code::Ok && status.details().is_empty()).then(|| RpcError::of(&status))
}
