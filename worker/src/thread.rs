//! A thread, with a runtime of its own, for everything that is not a handler: claims, deadlines, reports, drains.
//!
//! Handlers run on the runtime of whoever runs the worker. They may block all of its threads, and nothing here is held up:
//! attempts that take too long are still ended, those that have ended are still reported, and a drain still drains.

use std::future::Future;
use std::io;

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Runs `work` on a thread of its own to its end. When the returned future is dropped, so is `work`, wherever it is.
///
/// # Errors
///
/// When the operating system has no thread or no runtime for it.
pub(crate) async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let left = CancellationToken::new();
    let (ended, end) = oneshot::channel();
    let _abandon = left.clone().drop_guard();
    std::thread::Builder::new().name("worker".to_owned()).spawn(move || {
        if let Some(outcome) = runtime.block_on(left.run_until_cancelled(work)) {
            // Whoever waited may have gone this very moment.
            let _unread = ended.send(outcome);
        }
        // Nobody waits for a name that is still being resolved.
        runtime.shutdown_background();
    })?;
    end.await.map_err(|_| io::Error::other("the thread of the worker has panicked"))
}
