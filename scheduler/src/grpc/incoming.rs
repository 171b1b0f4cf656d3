//! Connections as they come in: not too many, and none that never says anything.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::Connected;

use super::limits::Limits;
use crate::peers::{Counted, Peers};

/// A rest after accepting failed, as it does when file descriptors run out.
const REST: Duration = Duration::from_millis(100);
/// What every client begins with: the 24 bytes of HTTP/2's preface and the header of a frame. Afterwards it is asked now
/// and then whether it lives.
const BEGINNING_BYTES: usize = 24 + 9;

/// The connections of a listener. One too many is closed at once.
pub(super) fn incoming(
    listener: TcpListener,
    peers: Arc<Peers>,
    limits: &Limits,
) -> impl Stream<Item = io::Result<Socket>> + use<> {
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    let (first_bytes, per_peer_max) = (limits.first_bytes, limits.connections_per_peer_max);
    stream::unfold((listener, permits, peers), move |(listener, permits, peers)| async move {
        loop {
            let (socket, peer) = accepted(&listener).await;
            let counted = peers.count(peer.ip(), per_peer_max);
            if let (Some(counted), Ok(permit)) = (counted, permits.clone().try_acquire_owned()) {
                let socket = Socket::new(socket, first_bytes, (permit, counted));
                return Some((Ok(socket), (listener, permits, peers)));
            }
            tracing::debug!(%peer, "a connection too many was closed");
        }
    })
}

async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                if let Err(error) = socket.set_nodelay(true) {
                    tracing::debug!(error = %error, "no TCP_NODELAY");
                }
                return (socket, peer);
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept connections");
                sleep(REST).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

/// A connection that must begin in time.
pub(super) struct Socket<S = TcpStream> {
    socket: S,
    beginning: Option<(Pin<Box<Sleep>>, usize)>,
    _place: Place,
}

/// A place among all connections, and among those of its address.
type Place = (OwnedSemaphorePermit, Counted);

impl<S> Socket<S> {
    fn new(socket: S, first_bytes: Duration, place: Place) -> Self {
        Self { socket, beginning: Some((Box::pin(sleep(first_bytes)), BEGINNING_BYTES)), _place: place }
    }

    fn heard(&mut self, bytes: usize) {
        self.beginning =
            self.beginning.take().filter(|(_, left)| *left > bytes).map(|(timer, left)| (timer, left - bytes));
    }
}

impl<S> Connected for Socket<S> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.socket).poll_read(cx, buffer) {
            self.heard(buffer.filled().len() - before);
            return Poll::Ready(read);
        }
        if let Some((timer, _)) = &mut self.beginning {
            ready!(timer.as_mut().poll(cx));
            return Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client says nothing")));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    fn socket<S>(inner: S) -> Socket<S> {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("a permit");
        let counted = Arc::new(Peers::default()).count([127, 0, 0, 1].into(), 1).expect("loopback");
        Socket::new(inner, Duration::from_millis(20), (permit, counted))
    }

    #[tokio::test]
    async fn a_client_that_only_begins_to_speak_is_given_up() {
        let (mut client, server) = duplex(64);
        client.write_all(b"PRI").await.expect("open");
        let error = socket(server).read_exact(&mut [0; 4]).await.expect_err("three bytes");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_has_begun_may_be_silent_for_long() {
        let (mut client, server) = duplex(64);
        let mut server = socket(server);
        client.write_all(&[0; BEGINNING_BYTES]).await.expect("open");
        server.read_exact(&mut [0; BEGINNING_BYTES]).await.expect("the beginning");
        let silent = tokio::time::timeout(Duration::from_millis(80), server.read_u8()).await;
        assert!(silent.is_err(), "still waiting: {silent:?}");
    }
}
