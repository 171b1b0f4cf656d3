//! Duties that rest until a look shows that something comes.

use std::time::Duration;

use carillon_shared::store::{Coming, StoreError};
use tokio::time::{sleep, timeout};

use super::Duty;
use super::look::{Look, Sight};
use super::term::Progress;

/// A duty that waits for what looks show.
pub(super) trait Awaits: Duty {
    /// For what.
    const COMING: Coming;
    /// It is woken so long before that comes.
    const AHEAD: Duration = Duration::ZERO;
    /// A rest as long as this ends sooner when something comes; a shorter one does not.
    const REST_MAX: Duration = Duration::from_secs(5);
}

/// A duty, and what it sees of the looks. The leader gives up when it is stuck.
pub(super) struct Awaiting<D> {
    duty: D,
    sight: Sight,
    progress: Progress,
}

impl<D: Awaits> Awaiting<D> {
    pub(super) fn new(duty: D, look: &Look, progress: Progress) -> Self {
        Self { duty, sight: look.sight(D::COMING, D::AHEAD), progress }
    }
}

impl<D: Awaits> Duty for Awaiting<D> {
    const NAME: &'static str = D::NAME;

    async fn round(&mut self) -> Result<Duration, StoreError> {
        self.progress.made();
        self.duty.round().await
    }

    async fn rest(&mut self, rest: Duration) {
        self.progress.rests();
        if rest < D::REST_MAX {
            return sleep(rest).await;
        }
        // What no look shows is looked for all the same.
        _ = timeout(D::REST_MAX, self.sight.comes()).await;
    }
}
