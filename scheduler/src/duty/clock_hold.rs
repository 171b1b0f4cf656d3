//! Holding back while Redis's clock cannot be believed: a burst of fires from a wrong clock cannot be taken back.
//!
//! The clock is steady if it goes as the monotonic clock of this process does. After a jump of more than half a minute nothing
//! fires until the clock is back, or an operator has said that it is right. Those who stand by hear of that too, so that the
//! next leader does not hold back once more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use carillon_shared::clock::Jump;
use carillon_shared::store::{Store, StoreError};
use carillon_shared::telemetry::metric;
use serde_json::json;
use tracing::{error, info};

/// Who noticed a jump a little later than others still hears that it was accepted.
const NOTICED_LATER_MAX: Duration = Duration::from_secs(60);

/// Whether firing is held back, for all duties of a process.
#[derive(Debug)]
pub struct ClockHold {
    store: Store,
    is_told: AtomicBool,
}

impl ClockHold {
    pub(crate) fn new(store: Store) -> Self {
        metrics::gauge!(metric::CLOCK_JUMPED).set(0.0);
        Self { store, is_told: AtomicBool::new(false) }
    }

    /// Whether the leader may fire. Raises the alarm when it may not, and ends it when it may again.
    pub(crate) async fn lets_fire(&self) -> Result<bool, StoreError> {
        self.reconsider().await?;
        match self.store.clock().jump() {
            None if !self.is_told.swap(false, Ordering::Relaxed) => Ok(true),
            None => {
                info!("Redis's clock is taken to be right: firing goes on");
                metrics::gauge!(metric::CLOCK_JUMPED).set(0.0);
                self.store.end_clock_alarm().await?;
                self.store.tell("clock.steady", "scheduler", "clock", &json!({})).await?;
                Ok(true)
            }
            Some(jump) => self.alarm(jump).await.map(|()| false),
        }
    }

    /// Takes the clock to be right if an operator has said so since it jumped.
    pub(crate) async fn reconsider(&self) -> Result<(), StoreError> {
        let Some(jump) = self.store.clock().jump() else { return Ok(()) };
        let Some(accepted_at) = self.store.clock_accepted_at().await? else { return Ok(()) };
        if accepted_at >= jump.noticed_at - NOTICED_LATER_MAX && accepted_at <= self.store.now().await? {
            self.store.clock().accept();
        } else {
            // It was said of another jump, by a clock that was another.
            self.store.forget_clock_acceptance().await?;
        }
        Ok(())
    }

    async fn alarm(&self, jump: Jump) -> Result<(), StoreError> {
        metrics::gauge!(metric::CLOCK_JUMPED).set(1.0);
        self.store.raise_clock_alarm(jump).await?;
        if !self.is_told.swap(true, Ordering::Relaxed) {
            let by_ms = jump.by_ms;
            error!(clock.jump_ms = by_ms, "Redis's clock has jumped: nothing fires until it is back, or is accepted");
            let data = json!({"jump_ms": by_ms, "noticed_at": jump.noticed_at});
            self.store.tell("clock.jumped", "scheduler", "clock", &data).await?;
        }
        Ok(())
    }
}
