//! Signals that ask us to stop.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, SOFTWARE};

/// The code with which a program ends that was interrupted for good.
const INTERRUPTED: u8 = 130;

/// SIGTERM, SIGINT and SIGHUP: they all mean to stop in order, and a second one means at once.
#[derive(Debug)]
pub(crate) struct Signals([Signal; 3]);

impl Signals {
    /// Listens from here on. Needs a runtime.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::new(SOFTWARE, format!("cannot hear signals: {error}")));
        Ok(Self([listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?]))
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) {
        let [term, int, hup] = &mut self.0;
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            _ = hup.recv() => {}
        }
    }

    /// Carries out a stop, unless another signal comes first.
    pub(crate) async fn unless_again<T>(&mut self, stop: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            stopped = stop => Ok(stopped),
            () = self.next() => Err(Failure::new(INTERRUPTED, "interrupted again: stopped without finishing")),
        }
    }
}
