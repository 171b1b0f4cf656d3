//! What stands around every handler: who may come in, how long it takes, what every answer has.
//!
//! It is one layer, because each layer of a router takes about a tenth of a request that does nothing else.

use std::convert::Infallible;
use std::future::ready;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};

use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Either};
use tower::{Layer, Service};

use super::dialect::{self, Dress};
use super::error::ApiError;
use super::observe::Visit;
use super::{ApiState, auth};

/// The layer.
#[derive(Clone)]
pub(super) struct Door(pub(super) ApiState);

impl<S> Layer<S> for Door {
    type Service = Behind<S>;

    fn layer(&self, inner: S) -> Behind<S> {
        Behind { api: self.0.clone(), inner }
    }
}

/// What is behind the door.
#[derive(Clone)]
pub(super) struct Behind<S> {
    api: ApiState,
    inner: S,
}

impl<S> Service<Request> for Behind<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (visit, dress) = (Visit::begin(&request), Dress::of(&self.api, &request));
        let handled = match admit(&self.api, &request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(refusal) => Either::Right(ready(Ok(refusal.into_response()))),
        };
        let api = self.api.clone();
        Box::pin(async move {
            let response = outcome(handled).await;
            visit.end(&api.0.visits, response.status(), &dress);
            Ok(dress.put_on(response))
        })
    }
}

/// What came of it, were it a panic.
async fn outcome(handled: impl Future<Output = Result<Response, Infallible>>) -> Response {
    let Ok(response) = AssertUnwindSafe(handled).catch_unwind().await.unwrap_or_else(|_| Ok(dialect::after_panic()));
    response
}

/// Lets a request in that speaks our version, and bears the key, except on routes that are said to be open.
fn admit(api: &ApiState, request: &Request) -> Result<(), ApiError> {
    dialect::check_version(request.headers())?;
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if route.is_some_and(super::health::is_open) {
        return Ok(());
    }
    auth::check(api.access(), request.headers())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_for() {
        let response = outcome(async { panic!("on purpose") }).await;
        assert_eq!(response.status(), 500);
        assert!(response.extensions().get::<ApiError>().is_some());
        assert_eq!(outcome(ready(Ok("fine".into_response()))).await.status(), 200);
    }
}
