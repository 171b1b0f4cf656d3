//! What one client, or all of them, may take of this server.

use std::time::Duration;

/// The limits of the gRPC server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    /// The largest message that is taken: a batch of jobs. One job, one result are held to one MiB besides.
    pub(super) message_bytes_max: usize,
    /// From the connection to its first bytes.
    pub(super) first_bytes: Duration,
    /// For one call; for a stream, until it begins.
    pub(super) call: Duration,
    /// Connections at the same time.
    pub(super) connections_max: usize,
    /// Connections at the same time from one address other than loopback, those to the HTTP server among them.
    pub(super) connections_per_peer_max: usize,
    /// Calls at the same time on one connection.
    pub(super) calls_max: u32,
    /// The metadata of a call, in bytes.
    pub(super) metadata_bytes_max: u32,
    /// Calls that were given up before they were looked at: more on one connection is an attack (CVE-2023-44487).
    pub(super) reset_calls_max: usize,
    /// Silence after which a client is asked whether it lives.
    pub(super) keepalive_interval: Duration,
    /// How long it may take to answer that.
    pub(super) keepalive_timeout: Duration,
    /// The age at which a client is asked to connect anew, so that connections spread over the servers there are.
    pub(super) connection_age: Duration,
    /// Clients that follow jobs or events at the same time: each holds a connection to Redis.
    pub(super) streams_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 4 * 1024 * 1024,
            first_bytes: Duration::from_secs(10),
            call: Duration::from_secs(30),
            connections_max: 4096,
            connections_per_peer_max: 1024,
            calls_max: 100,
            metadata_bytes_max: 16 * 1024,
            reset_calls_max: 20,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            connection_age: Duration::from_secs(30 * 60),
            streams_max: 100,
        }
    }
}
