//! Accepting connections and answering on them, until told to stop.
//!
//! Our own loop, because `axum::serve` has no timers: a client that sends nothing, or half a header, would hold its
//! connection for ever. HTTP/1 only, so that the first bytes need not be awaited to tell versions apart.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::connection::Watched;
use super::limits::Limits;
use crate::peers::{Counted, Peers};

/// A rest after accepting failed, as it does when file descriptors run out.
const REST: Duration = Duration::from_millis(100);

/// For so long open requests are answered after the stop.
const GRACE: Duration = Duration::from_secs(10);

/// Serves `router` on `listener` until `stop`, then until what is under way is answered, with the usual limits.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_with(listener, router, Limits::default(), stop, GRACE).await;
}

/// Serves `router` on `listener` until `stop`, then waits for at most `grace` until what is under way is answered.
pub async fn serve_with(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
    grace: Duration,
) {
    serve_among(Arc::default(), listener, router, limits, stop, grace).await;
}

/// The same beside other doors of this server: `peers` counts the connections of all.
pub(crate) async fn serve_among(
    peers: Arc<Peers>,
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
    grace: Duration,
) {
    let server = Server::new(router, limits, peers);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => server.answer(&mut connections, socket, peer),
                Err(error) => rest(&error).await,
            },
        }
    }
    // New connections are refused from here on; a balancer sends them elsewhere.
    drop(listener);
    let ended = tokio::time::timeout(grace, server.graceful.shutdown()).await;
    if ended.is_err() {
        tracing::warn!(connections = connections.len(), "requests were still open at the end of the grace");
    }
    connections.shutdown().await;
}

struct Server {
    router: Router,
    limits: Limits,
    builder: Builder,
    graceful: GracefulShutdown,
    permits: Arc<Semaphore>,
    peers: Arc<Peers>,
}

impl Server {
    fn new(router: Router, limits: Limits, peers: Arc<Peers>) -> Self {
        let mut builder = Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.header);
        let permits = Arc::new(Semaphore::new(limits.connections_max));
        Self { router, limits, builder, graceful: GracefulShutdown::new(), permits, peers }
    }

    /// Answers on a connection in a task of its own; one too many is closed at once.
    fn answer(&self, connections: &mut JoinSet<()>, socket: TcpStream, peer: SocketAddr) {
        let counted = self.peers.count(peer.ip(), self.limits.connections_per_peer_max);
        let (Some(counted), Ok(permit)) = (counted, self.permits.clone().try_acquire_owned()) else {
            tracing::debug!(%peer, "a connection too many was closed");
            return;
        };
        let io = self.watched(socket, counted);
        let service = TowerToHyperService::new(self.router.clone());
        let connection = self.graceful.watch(self.builder.serve_connection(io, service));
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, error = %error, "a connection broke off");
            }
            drop(permit);
        });
    }

    fn watched(&self, socket: TcpStream, counted: Counted) -> TokioIo<Watched<TcpStream>> {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(error = %error, "no TCP_NODELAY");
        }
        TokioIo::new(Watched::new(socket, self.limits.first_byte, self.limits.write_stall, counted))
    }
}

async fn rest(error: &std::io::Error) {
    let of_the_client = matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    );
    if !of_the_client {
        tracing::warn!(error = %error, "cannot accept connections");
        tokio::time::sleep(REST).await;
    }
}
