//! A connection that does not wait for ever: neither for its first byte nor for a client that takes nothing.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::peers::Counted;

/// A connection with its timers.
pub(super) struct Watched<S> {
    socket: S,
    first_byte: Option<Pin<Box<Sleep>>>,
    write_stall: Pin<Box<Sleep>>,
    write_stall_after: Duration,
    is_stalled: bool,
    _counted: Counted,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, first_byte: Duration, write_stall: Duration, counted: Counted) -> Self {
        Self {
            socket,
            first_byte: Some(Box::pin(sleep(first_byte))),
            write_stall: Box::pin(sleep(write_stall)),
            write_stall_after: write_stall,
            is_stalled: false,
            _counted: counted,
        }
    }

    /// Passes on how a write went; one that has waited too long fails.
    fn written<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.is_stalled = false;
            return poll;
        }
        if !self.is_stalled {
            self.is_stalled = true;
            self.write_stall.as_mut().reset(Instant::now() + self.write_stall_after);
        }
        ready!(self.write_stall.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.socket).poll_read(cx, buffer) {
            self.first_byte = None;
            return Poll::Ready(read);
        }
        if let Some(timer) = &mut self.first_byte {
            ready!(timer.as_mut().poll(cx));
            return Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client says nothing")));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.written(cx, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.socket).poll_write_vectored(cx, bytes);
        self.written(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.socket).poll_flush(cx);
        self.written(cx, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.written(cx, poll)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;
    use crate::peers::Peers;

    fn watched<S>(socket: S) -> Watched<S> {
        let counted = std::sync::Arc::new(Peers::default()).count([127, 0, 0, 1].into(), 1);
        Watched::new(socket, Duration::from_millis(20), Duration::from_millis(20), counted.expect("loopback"))
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_is_given_up() {
        let (_client, server) = duplex(8);
        let error = watched(server).read(&mut [0; 8]).await.expect_err("no byte");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (_client, server) = duplex(8);
        let error = watched(server).write_all(&[0; 64]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_has_spoken_may_be_silent_for_long() {
        let (mut client, server) = duplex(8);
        let mut server = watched(server);
        client.write_all(b"x").await.expect("open");
        assert_eq!(server.read_u8().await.expect("a byte"), b'x');
        let silent = tokio::time::timeout(Duration::from_millis(80), server.read_u8()).await;
        assert!(silent.is_err(), "still waiting: {silent:?}");
    }
}
