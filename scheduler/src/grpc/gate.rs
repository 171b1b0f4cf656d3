//! What every call has, whatever it asks for: the key, a time in which it must be answered, an id, and errors with details.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::timeout;
use tonic::{Code, Status};

use super::GrpcState;
use super::error::RpcError;
use super::key;
use super::request_id::{REQUEST_ID, RequestId};
use super::system::CONFORMANCE_LEVEL;

const SERVER_VERSION: HeaderName = HeaderName::from_static("x-ojs-server-version");
const LEVEL: HeaderName = HeaderName::from_static("x-ojs-conformance-level");

/// Carries out a call and dresses its answer.
pub(super) async fn pass(State(api): State<GrpcState>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers(), api.store().clock().now());
    tracing::debug!(rpc.path = request.uri().path(), request.id = id.0, "call");
    let checked = key::check(&api.0.access, request.uri().path(), request.headers());
    request.extensions_mut().insert(id.clone());
    let response = match checked {
        Ok(()) => timeout(api.0.limits.call, next.run(request)).await.unwrap_or_else(|_| refused(RpcError::too_slow())),
        Err(error) => refused(error),
    };
    dressed(response, &id)
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
