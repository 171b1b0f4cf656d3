//! Faults between a program and its Redis: lost replies, cut and silent connections.

use std::time::Duration;

use redis_server_wrapper::{Delay, Direction, FaultProxy};

use crate::redis::Server;
use crate::wait::until;

/// A proxy in front of a Redis server. It must be used within the runtime that made it.
pub struct Proxy(FaultProxy);

impl Proxy {
    /// Puts a proxy in front of `server`; without faults it only passes on.
    ///
    /// # Panics
    ///
    /// When no port can be had.
    pub async fn before(server: &Server) -> Self {
        let proxy = FaultProxy::spawn(("127.0.0.1", server.port())).await;
        Self(proxy.expect("loopback has a free port"))
    }

    /// The address of the server behind the proxy, as programs take it.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.0.addr())
    }

    /// From now on each command reaches Redis, but its connection is cut in place of the reply.
    pub fn lose_replies(&self) {
        self.0.close_after(Direction::UpstreamToClient, 0);
    }

    /// Loses at least the next reply, waits until that has happened, then lets replies pass again.
    pub async fn lose_one_reply(&self) {
        let before = self.replies_lost();
        self.lose_replies();
        until("a reply to be lost", || async { self.replies_lost() > before }).await;
        self.0.clear_close_after(Direction::UpstreamToClient);
    }

    /// How many replies have been lost so far.
    pub fn replies_lost(&self) -> u64 {
        self.0.stats().closes_upstream_to_client
    }

    /// From now on each reply comes `delay` later.
    pub fn delay_replies(&self, delay: Duration) {
        self.0.set_delay(Direction::UpstreamToClient, Delay::Fixed(delay));
    }

    /// Cuts all connections now; new ones are served.
    ///
    /// # Panics
    ///
    /// When the port was taken in between.
    pub async fn cut(&self) {
        // Not `reset_peer`: after it, connections accepted later are severed too, until the proxy listens anew.
        self.refuse().await;
        self.listen().await;
    }

    /// Cuts all connections and refuses new ones.
    ///
    /// # Panics
    ///
    /// When the proxy cannot stop listening.
    pub async fn refuse(&self) {
        self.0.disable().await.expect("the proxy can stop listening");
    }

    /// From now on nothing passes in either direction, and nobody is told; [`heal`](Self::heal) passes on, late, what
    /// was held back, unless [`cut`](Self::cut) ended its connection first.
    pub fn blackhole(&self) {
        self.0.set_stall(Direction::ClientToUpstream);
        self.0.set_stall(Direction::UpstreamToClient);
    }

    /// Ends all faults.
    ///
    /// # Panics
    ///
    /// When the port was taken while connections were refused.
    pub async fn heal(&self) {
        self.0.reset();
        self.listen().await;
    }

    async fn listen(&self) {
        self.0.enable().await.expect("nobody took the port of the proxy");
    }
}

#[cfg(test)]
mod tests {
    use redis::AsyncTypedCommands;
    use redis::aio::MultiplexedConnection;

    use super::*;
    use crate::redis::{namespace, shared};

    const PATIENCE: Duration = Duration::from_millis(100);

    async fn connection(proxy: &Proxy) -> MultiplexedConnection {
        let client = redis::Client::open(proxy.url()).expect("our own address is valid");
        client.get_multiplexed_async_connection().await.expect("the proxy passes connections on")
    }

    #[tokio::test]
    async fn a_command_whose_reply_is_lost_has_happened() {
        let proxy = Proxy::before(shared()).await;
        let (mut connection, key) = (connection(&proxy).await, format!("{}:k", namespace()));
        let (answer, ()) = tokio::join!(connection.set(&key, "v"), proxy.lose_one_reply());
        assert!(answer.is_err());
        assert_eq!(proxy.replies_lost(), 1);
        let read = shared().connection().await.get(&key).await.expect("a read");
        assert_eq!(read.as_deref(), Some("v"));
    }

    #[tokio::test]
    async fn a_cut_connection_fails_and_a_new_one_is_served() {
        let proxy = Proxy::before(shared()).await;
        let mut old = connection(&proxy).await;
        proxy.cut().await;
        assert!(old.ping().await.is_err());
        assert!(connection(&proxy).await.ping().await.is_ok());
    }

    #[tokio::test]
    async fn a_black_hole_answers_nothing_until_healed() {
        let proxy = Proxy::before(shared()).await;
        let mut connection = connection(&proxy).await;
        proxy.blackhole();
        connection.set_response_timeout(PATIENCE);
        assert!(connection.ping().await.is_err_and(|error| error.is_timeout()));
        proxy.heal().await;
        until("an answer", || {
            let mut connection = connection.clone();
            async move { connection.ping().await.is_ok() }
        })
        .await;
    }

    #[tokio::test]
    async fn a_refusing_proxy_comes_back_on_its_port() {
        let proxy = Proxy::before(shared()).await;
        proxy.refuse().await;
        let client = redis::Client::open(proxy.url()).expect("our own address is valid");
        assert!(client.get_multiplexed_async_connection().await.is_err());
        proxy.heal().await;
        assert!(connection(&proxy).await.ping().await.is_ok());
    }
}
