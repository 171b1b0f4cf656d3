//! Handlers at work on the runtime of whoever runs the worker, and the way back to the worker's own thread.
//!
//! Both ways are gone in company, because waking a thread costs more than a short job: handlers of jobs that were claimed
//! together start in one go, and those that end while the worker's thread wakes up are all heard by it at once.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use futures::FutureExt;
use futures::future::{AbortHandle, AbortRegistration, Abortable};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::handler::Returned;

/// How a handler ended: it returned, or it did not get that far.
pub(crate) type Ended = Result<Returned, Broken>;

/// The end of a handler that did not return.
#[derive(Debug)]
pub(crate) enum Broken {
    /// It panicked, with this.
    Panicked(Box<dyn Any + Send>),
    /// It was dropped: aborted by us, or with its runtime.
    Aborted,
}

/// The way to the runtime of the handlers, and back.
#[derive(Debug)]
pub(crate) struct Crew {
    handlers: Handle,
    back: mpsc::UnboundedSender<Word>,
}

/// A handler that was given to the crew, as the worker's thread sees it: a future of its end. Dropped, it aborts the handler.
#[derive(Debug)]
pub(crate) struct Task {
    end: oneshot::Receiver<Ended>,
    abort: AbortHandle,
}

/// The end of a handler on its way to whoever waits for it.
#[derive(Debug)]
struct Word {
    ended: Ended,
    to: oneshot::Sender<Ended>,
}

/// How many ends are heard before others on the worker's thread have their turn.
const HEARD_AT_ONCE: usize = 128;

impl Crew {
    /// Handlers run on `handlers`; their ends are heard by a task on the present runtime, until `stop`.
    pub(crate) fn new(handlers: Handle, tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        let (back, words) = mpsc::unbounded_channel();
        tasks.spawn(stop.clone().run_until_cancelled_owned(pass_on(words)));
        Self { handlers, back }
    }

    /// A task for `handler`, and its run, which is to be started.
    pub(crate) fn task<H>(&self, handler: H) -> (Task, impl Future<Output = ()> + Send + 'static + use<H>)
    where
        H: Future<Output = Returned> + Send + 'static,
    {
        let (to, end) = oneshot::channel();
        let (abort, registration) = AbortHandle::new_pair();
        let back = Back { to: Some(to), way: self.back.clone() };
        (Task { end, abort }, run(handler, registration, back))
    }

    /// Starts runs.
    pub(crate) fn start<R: Future<Output = ()> + Send + 'static>(&self, mut runs: Vec<R>) {
        if runs.len() > 1 {
            // One wakes a thread of theirs, and starts the others there.
            self.handlers.spawn(async move { runs.into_iter().for_each(|run| drop(tokio::spawn(run))) });
        } else if let Some(run) = runs.pop() {
            self.handlers.spawn(run);
        }
    }
}

impl Task {
    /// Ends the handler at its next await.
    pub(crate) fn abort(&self) {
        self.abort.abort();
    }

    #[cfg(test)]
    pub(crate) fn has_ended(&self) -> bool {
        !self.end.is_empty()
    }
}

impl Future for Task {
    type Output = Ended;
    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Ended> {
        Pin::new(&mut self.end).poll(context).map(|end| end.unwrap_or(Err(Broken::Aborted)))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

async fn run(handler: impl Future<Output = Returned>, registration: AbortRegistration, back: Back) {
    let ended = match Abortable::new(AssertUnwindSafe(handler).catch_unwind(), registration).await {
        Ok(Ok(returned)) => Ok(returned),
        Ok(Err(panic)) => Err(Broken::Panicked(panic)),
        Err(_) => Err(Broken::Aborted),
    };
    back.tell(ended);
}

/// Sees to it that an end is told whatever happens to the run: its runtime may drop it at any time.
struct Back {
    to: Option<oneshot::Sender<Ended>>,
    way: mpsc::UnboundedSender<Word>,
}

impl Back {
    fn tell(mut self, ended: Ended) {
        self.send(ended);
    }

    fn send(&mut self, ended: Ended) {
        if let Some(to) = self.to.take() {
            // Nobody listens any more when the worker has ended.
            let _unheard = self.way.send(Word { ended, to });
        }
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        let is_panic = std::thread::panicking();
        self.send(Err(if is_panic { Broken::Panicked(Box::new("while it was dropped")) } else { Broken::Aborted }));
    }
}

/// Hands each end to whoever waits for it, on the thread on which they wait: that wakes nobody but them.
async fn pass_on(mut words: mpsc::UnboundedReceiver<Word>) {
    let mut some = Vec::with_capacity(HEARD_AT_ONCE);
    while words.recv_many(&mut some, HEARD_AT_ONCE).await > 0 {
        for Word { ended, to } in some.drain(..) {
            // Whoever waited has gone with the worker.
            let _unheard = to.send(ended);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A crew on the present runtime.
    pub(crate) fn crew() -> Crew {
        Crew::new(Handle::current(), &TaskTracker::new(), &CancellationToken::new())
    }

    /// A handler that was started.
    pub(crate) fn started(handler: impl Future<Output = Returned> + Send + 'static) -> Task {
        let crew = crew();
        let (task, run) = crew.task(handler);
        crew.start(vec![run]);
        task
    }

    #[tokio::test]
    async fn those_who_start_together_all_come_back() {
        let crew = crew();
        let (tasks, runs): (Vec<_>, Vec<_>) = (0..300).map(|n| crew.task(async move { Ok(json!(n)) })).unzip();
        crew.start(runs);
        for (n, task) in tasks.into_iter().enumerate() {
            assert!(matches!(task.await, Ok(Ok(value)) if value == json!(n)));
        }
    }

    #[tokio::test]
    async fn a_handler_that_panics_comes_back_with_its_message() {
        let Err(Broken::Panicked(payload)) = started(async { panic!("ouch") }).await else { panic!("it panicked") };
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"ouch"));
    }

    #[tokio::test]
    async fn a_handler_whose_remains_panic_comes_back_all_the_same() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("boom");
            }
        }
        let bomb = Bomb;
        let task = started(async move {
            let _bomb = bomb;
            std::future::pending().await
        });
        task.abort();
        assert!(matches!(task.await, Err(Broken::Panicked(_))));
    }

    #[tokio::test]
    async fn a_task_that_is_dropped_aborts_its_handler() {
        let (gone, left) = oneshot::channel::<()>();
        let task = started(async move {
            let _gone = gone;
            std::future::pending().await
        });
        drop(task);
        assert!(left.await.is_err(), "the handler was dropped");
    }

    #[test]
    fn handlers_that_end_with_their_runtime_come_back_as_aborted() {
        let here = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let there = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        let (task, run) = here.block_on(async {
            let crew = Crew::new(there.handle().clone(), &TaskTracker::new(), &CancellationToken::new());
            let (task, run) = crew.task(std::future::pending());
            let (never, late) = crew.task(std::future::pending());
            crew.start(vec![run]);
            there.shutdown_background();
            crew.start(vec![late]);
            (task, never)
        });
        here.block_on(async {
            assert!(matches!(task.await, Err(Broken::Aborted)));
            assert!(matches!(run.await, Err(Broken::Aborted)));
        });
    }
}
