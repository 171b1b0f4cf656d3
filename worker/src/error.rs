//! What can go wrong for the worker itself.

use carillon_shared::name::NameError;
use carillon_shared::store::StoreError;

/// The worker cannot be built, or cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A job type or a queue has a name that it cannot have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Two handlers were registered for one type.
    #[error("there are two handlers for the job type `{0}`: register one of them")]
    HandlerTwice(String),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system has no thread for the heartbeats.
    #[error("the thread of the heartbeats cannot be started")]
    Thread(#[source] std::io::Error),
}
