//! What one client, or all of them, may take of this server.

use std::time::Duration;

/// The limits of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the connection to its first byte.
    pub first_byte: Duration,
    /// For the header of a request; also how long an idle connection is kept.
    pub header: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// How long a client may take nothing of an answer.
    pub write_stall: Duration,
    /// Connections at the same time.
    pub connections_max: usize,
    /// Connections at the same time from one address other than loopback.
    pub connections_per_peer_max: usize,
    /// Clients that follow events at the same time: each holds a connection to Redis.
    pub streams_max: usize,
    /// Workers that wait for jobs at the same time with a connection to Redis each; more than these look now and then.
    pub polls_max: usize,
    /// The time between two signs of life on a quiet stream of events.
    pub heartbeat: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(10),
            header: Duration::from_secs(30),
            body: Duration::from_secs(30),
            write_stall: Duration::from_secs(30),
            connections_max: 8192,
            connections_per_peer_max: 1024,
            streams_max: 100,
            polls_max: 500,
            heartbeat: Duration::from_secs(10),
        }
    }
}
