//! What can go wrong between us and Redis that the caller cannot know.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// A call to the store failed. A *refused* transition is not an error but an answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Redis could not be reached, or did not answer in time: whether the call was carried out is not known. Every call
    /// of the store may be made again with the same arguments.
    #[error("Redis is not reachable")]
    Unavailable(#[source] RedisError),
    /// Redis refused the call.
    #[error("Redis refused the call")]
    Redis(#[source] RedisError),
    /// The user of Redis may not do this.
    #[error("Redis does not permit this to its user (ACL)")]
    Forbidden(#[source] RedisError),
    /// Redis is out of memory and takes no new work; what ends work still goes through.
    #[error("Redis is out of memory (maxmemory): no new work is taken until some is freed")]
    OutOfMemory(#[source] RedisError),
    /// What stands in Redis is not what we wrote.
    #[error("{key} in Redis is not as Carillon writes it: {problem}")]
    Corrupt {
        /// The key, or the script whose answer it was.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The deployment was set up differently from this process.
    #[error("this namespace was set up with {stored} partitions, but this process is configured for {configured}")]
    Partitions {
        /// What the namespace was first used with.
        stored: u64,
        /// What this process was told.
        configured: u16,
    },
    /// What the namespace holds was written by a version that keeps it otherwise.
    #[error(
        "this namespace was written in format {stored}, but this version reads and writes format {known}: run the version that wrote it, or use another namespace"
    )]
    Format {
        /// What the namespace is written in.
        stored: u64,
        /// What this version knows.
        known: u64,
    },
    /// This Redis would lose what it should keep.
    #[error("this Redis will not do: {0} (or set redis-check to warn)")]
    Unfit(String),
    /// The address is that of one server, but the server is a node of a cluster.
    #[error("this Redis is a node of a cluster: its address must begin with redis+cluster://")]
    NodeOfCluster(#[source] RedisError),
    /// The URL of Redis cannot be used.
    #[error("the Redis URL cannot be used")]
    Url(#[source] RedisError),
}

impl StoreError {
    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// A short word for metrics: `unavailable`, `refused`, `forbidden`, `out_of_memory`, `corrupt`, `configuration`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Redis(_) => "refused",
            Self::Forbidden(_) => "forbidden",
            Self::OutOfMemory(_) => "out_of_memory",
            Self::Corrupt { .. } => "corrupt",
            Self::Partitions { .. } | Self::Format { .. } | Self::Unfit(_) | Self::NodeOfCluster(_) | Self::Url(_) => {
                "configuration"
            }
        }
    }

    pub(crate) fn corrupt(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Corrupt { key: key.into(), problem: problem.into() }
    }
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        if is_out_of_memory(&error) {
            Self::OutOfMemory(error)
        } else if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) {
            Self::Forbidden(error)
        } else if is_transient(&error) {
            Self::Unavailable(error)
        } else {
            Self::Redis(error)
        }
    }
}

fn is_out_of_memory(error: &RedisError) -> bool {
    error.code() == Some("OOM")
}

/// Failures of the way, and states that Redis leaves by itself: loading, failing over, moving slots.
fn is_transient(error: &RedisError) -> bool {
    let passing = matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::Server(
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ReadOnly
                    | ServerErrorKind::Moved
                    | ServerErrorKind::Ask
                    | ServerErrorKind::ExecAbort
            )
    );
    // A script that takes too long, a replica that is not there, a disk that is full: nothing was carried out.
    let passing = passing || matches!(error.code(), Some("BUSY" | "NOREPLICAS" | "MISCONF" | "UNBLOCKED"));
    passing || error.is_timeout() || error.is_connection_dropped() || error.is_io_error()
}
