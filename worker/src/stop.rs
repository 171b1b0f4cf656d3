//! Being told to stop: a token, and the reason, which is whatever was said first.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why a handler should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// The job was cancelled.
    Cancelled,
    /// This worker was cut off from Redis for too long, or its job was taken back: another worker may be running it.
    LeaseLost,
    /// The attempt has taken longer than it may.
    Timeout,
    /// The worker is about to end.
    Shutdown,
}

impl StopReason {
    /// The reason as logs write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::LeaseLost => "lease_lost",
            Self::Timeout => "timeout",
            Self::Shutdown => "shutdown",
        }
    }
}

/// The word to one handler that it should stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    token: CancellationToken,
    reason: Arc<OnceLock<StopReason>>,
}

impl Stop {
    /// Tells the handler to stop. Says whether it had not been told before; only the first reason counts.
    pub(crate) fn tell(&self, reason: StopReason) -> bool {
        // The reason before the token, because whoever the token wakes asks for the reason.
        let first = self.reason.set(reason).is_ok();
        self.token.cancel();
        first
    }

    /// The reason, once told.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }

    /// Waits until it is told.
    pub(crate) async fn told(&self) -> StopReason {
        self.token.cancelled().await;
        // Handlers only have children of this token, so that nobody cancels it without a reason.
        self.reason().unwrap_or(StopReason::Shutdown)
    }

    /// A token of the handler's own, cancelled with this.
    pub(crate) fn token(&self) -> CancellationToken {
        self.token.child_token()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_first_reason_counts() {
        let stop = Stop::default();
        assert_eq!(stop.reason(), None);
        assert!(stop.tell(StopReason::Timeout));
        assert!(!stop.tell(StopReason::Shutdown));
        assert_eq!(stop.told().await, StopReason::Timeout);
    }

    #[test]
    fn a_handler_that_cancels_its_own_token_stops_nobody_else() {
        let stop = Stop::default();
        stop.token().cancel();
        assert!(!stop.token().is_cancelled());
    }
}
