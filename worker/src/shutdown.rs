//! How a worker is told to end, in two steps: drain, then hurry.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The word to a worker that it should end.
///
/// *Drain*: no more jobs are claimed; those that run have the worker's grace to end, are told to stop when it is nearly over,
/// and are given back when it is. *Hurry*: they are given back now.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    hurry: CancellationToken,
}

impl Shutdown {
    /// Not told yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Told by the process's signals: the first SIGTERM or SIGINT means drain, the second hurry.
    ///
    /// They are listened to on a thread of its own, so that they are heard whatever handlers do. It lives as long as the
    /// process, since signals that were once listened to cannot be given back.
    ///
    /// # Errors
    ///
    /// When the operating system does not let us listen to signals.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _within = runtime.enter();
            Signals::new()?
        };
        let told = shutdown.clone();
        let listen = move || runtime.block_on(signals.tell(told));
        std::thread::Builder::new().name("signals".to_owned()).spawn(listen)?;
        Ok(shutdown)
    }

    /// Lets the worker end what it runs, and start nothing more.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Lets the worker give back what it runs, now.
    pub fn hurry(&self) {
        self.drain.cancel();
        self.hurry.cancel();
    }

    /// The word to one of several workers, which may also be told alone.
    pub(crate) fn of_one(&self) -> Self {
        Self { drain: self.drain.child_token(), hurry: self.hurry.child_token() }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    pub(crate) async fn draining(&self) {
        self.drain.cancelled().await;
    }

    pub(crate) async fn hurrying(&self) {
        self.hurry.cancelled().await;
    }
}

/// A token that means drain.
impl From<CancellationToken> for Shutdown {
    fn from(drain: CancellationToken) -> Self {
        Self { drain, hurry: CancellationToken::new() }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn tell(mut self, shutdown: Shutdown) {
        let name = self.next().await;
        tracing::info!("received {name}: a second one gives running jobs back at once");
        shutdown.drain();
        self.next().await;
        shutdown.hurry();
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
