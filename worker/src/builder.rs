//! Puts a worker together.

use std::future::Future;
use std::time::Duration;

use carillon_shared::id::nonce;
use carillon_shared::name::{JobType, QueueName, WorkerId};
use carillon_shared::store::StoreOptions;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::error::WorkerError;
use crate::handler::Handler;
use crate::handler_error::HandlerError;
use crate::heartbeat::hostname;
use crate::registry::Registry;
use crate::workshop::Settings;

const LEASE_MIN: Duration = Duration::from_secs(1);

/// Takes jobs from queues and runs their handlers.
#[derive(Debug)]
pub struct Worker {
    pub(crate) options: StoreOptions,
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
}

/// Makes a [`Worker`].
#[derive(Debug)]
pub struct WorkerBuilder {
    options: StoreOptions,
    worker: Option<WorkerId>,
    queues: Vec<String>,
    handlers: Vec<(String, Handler)>,
    settings: Settings,
}

impl Worker {
    /// Starts to put a worker together: queue `default`, ten jobs at once, a lease of 30 seconds, Redis on this machine.
    #[must_use]
    pub fn builder() -> WorkerBuilder {
        WorkerBuilder::default()
    }

    /// The name of this worker in registry, logs and events.
    #[must_use]
    pub fn id(&self) -> &WorkerId {
        &self.settings.worker
    }

    /// The types it has handlers for, in order.
    #[must_use]
    pub fn job_types(&self) -> Vec<JobType> {
        self.registry.job_types()
    }
}

impl Default for WorkerBuilder {
    fn default() -> Self {
        let settings = Settings {
            worker: made_up_id(),
            queues: Vec::new(),
            concurrency: 10,
            lease: Duration::from_secs(30),
            poll_interval: Duration::from_secs(1),
            grace: Duration::from_secs(25),
            stop_grace: Duration::from_secs(5),
            unhandled_max: 20,
        };
        Self { options: StoreOptions::default(), worker: None, queues: Vec::new(), handlers: Vec::new(), settings }
    }
}

impl WorkerBuilder {
    /// Registers an async function as the handler of a type.
    ///
    /// It is given a [`Context`] and its arguments, of any type that serde can read: see
    /// [`read_args`](crate::read_args). It returns anything that serde can write, or an error, of which
    /// [`HandlerError`] tells more.
    #[must_use]
    pub fn handler<F, Args, Run, Output, E>(self, job_type: &str, function: F) -> Self
    where
        F: Fn(Context, Args) -> Run + Send + Sync + 'static,
        Args: DeserializeOwned,
        Run: Future<Output = Result<Output, E>> + Send + 'static,
        Output: Serialize,
        E: Into<HandlerError>,
    {
        self.register(job_type, Handler::new(function))
    }

    /// Registers a handler that was made before.
    #[must_use]
    pub fn register(mut self, job_type: &str, handler: Handler) -> Self {
        self.handlers.push((job_type.to_owned(), handler));
        self
    }

    /// Takes jobs from these queues, the first first.
    #[must_use]
    pub fn queues<Q: AsRef<str>>(mut self, queues: impl IntoIterator<Item = Q>) -> Self {
        self.queues = queues.into_iter().map(|queue| queue.as_ref().to_owned()).collect();
        self
    }

    /// Uses the Redis at this address.
    #[must_use]
    pub fn redis_url(mut self, url: impl Into<String>) -> Self {
        self.options.connection.url = url.into();
        self
    }

    /// Opens the store like this.
    #[must_use]
    pub fn store(mut self, options: StoreOptions) -> Self {
        self.options = options;
        self
    }

    /// Runs so many jobs at once, at least one.
    #[must_use]
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.settings.concurrency = concurrency.max(1);
        self
    }

    /// Lets a job be another worker's when this one has been silent for so long; at least a second.
    ///
    /// Heartbeats are sent six times in that time, at least every ten seconds.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease.max(LEASE_MIN);
        self
    }

    /// Looks for jobs so often although no bell rang.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval;
        self
    }

    /// Waits so long for running jobs when told to drain.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Lets a handler that was told to stop wind up for so long before it is aborted.
    #[must_use]
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.settings.stop_grace = grace;
        self
    }

    /// Gives a job without a handler back so many times before it goes to the dead letters.
    #[must_use]
    pub fn unhandled_max(mut self, times: u32) -> Self {
        self.settings.unhandled_max = times;
        self
    }

    /// Names this worker. Each start of a worker should have a name of its own, so that registry and history tell them apart.
    #[must_use]
    pub fn worker_id(mut self, id: WorkerId) -> Self {
        self.worker = Some(id);
        self
    }

    /// Finishes the worker.
    ///
    /// # Errors
    ///
    /// When a type or a queue cannot be named so, or two handlers are registered for one type.
    pub fn build(self) -> Result<Worker, WorkerError> {
        let Self { options, worker, queues, handlers, mut settings } = self;
        let mut registry = Registry::default();
        for (job_type, handler) in handlers {
            registry.add(job_type.parse()?, handler)?;
        }
        settings.queues = queues.iter().map(|queue| queue.parse()).collect::<Result<_, _>>()?;
        if settings.queues.is_empty() {
            settings.queues.push(QueueName::default());
        }
        settings.worker = worker.unwrap_or(settings.worker);
        Ok(Worker { options, settings, registry })
    }
}

/// `<hostname>-<pid>-<nonce>`: unlike any other, even in containers that share host name and number.
fn made_up_id() -> WorkerId {
    let tail = format!("{}-{}", std::process::id(), nonce());
    let named = format!("{}-{tail}", hostname()).parse();
    named.or_else(|_| format!("worker-{tail}").parse()).expect("digits and letters are a worker id")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn nothing(_: Context, (): ()) -> Result<(), HandlerError> {
        Ok(())
    }

    #[test]
    fn a_worker_has_every_default() {
        let worker = Worker::builder().handler("a.b", nothing).handler("a.a", nothing).build().expect("a worker");
        assert_eq!(worker.settings.queues, [QueueName::default()]);
        assert_eq!(worker.job_types().iter().map(ToString::to_string).collect::<Vec<_>>(), ["a.a", "a.b"]);
        assert!(worker.id().as_str().contains(&std::process::id().to_string()));
    }

    #[test]
    fn two_workers_never_have_the_same_name() {
        assert_ne!(made_up_id(), made_up_id());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(matches!(Worker::builder().handler("A B", nothing).build(), Err(WorkerError::Name(_))));
        assert!(matches!(Worker::builder().queues(["a b"]).build(), Err(WorkerError::Name(_))));
        let twice = Worker::builder().handler("a", nothing).handler("a", nothing).build();
        assert!(twice.is_err_and(|error| error.to_string().contains("two handlers for the job type `a`")));
    }
}
