//! The alarm about Redis's clock: raised by the leader that holds back, seen by everybody, ended by an operator.

use std::time::Duration;

use redis::Value;

use super::{Store, StoreError};
use crate::clock::{Jump, Timestamp};

/// An alarm that is not raised anew ends after so long.
const ALARM_KEPT: Duration = Duration::from_secs(10);
/// All schedulers hear within so long that the clock was accepted.
const ACCEPTED_KEPT: Duration = Duration::from_secs(600);

impl Store {
    /// Says that firing is held back because of a jump of Redis's clock.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn raise_clock_alarm(&self, jump: Jump) -> Result<(), StoreError> {
        let kept_ms = u64::try_from(ALARM_KEPT.as_millis()).unwrap_or(u64::MAX);
        let mut set = redis::cmd("SET");
        set.arg(self.keys().clock_alarm()).arg(jump.by_ms).arg("PX").arg(kept_ms);
        self.send(&set).await.map(drop)
    }

    /// Says that firing is not held back any more.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn end_clock_alarm(&self) -> Result<(), StoreError> {
        self.send(redis::cmd("DEL").arg(self.keys().clock_alarm())).await.map(drop)
    }

    /// By how many milliseconds Redis's clock jumped, while firing is held back because of it.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn clock_alarm(&self) -> Result<Option<i64>, StoreError> {
        self.number(self.keys().clock_alarm()).await
    }

    /// Says, for an operator, that Redis's clock is right as it is: all schedulers go on.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn accept_clock(&self) -> Result<Timestamp, StoreError> {
        let now = self.now().await?;
        let mut set = redis::cmd("SET");
        set.arg(self.keys().clock_accepted()).arg(now.as_ms()).arg("EX").arg(ACCEPTED_KEPT.as_secs());
        self.send(&set).await?;
        Ok(now)
    }

    /// When an operator last said that Redis's clock is right.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn clock_accepted_at(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.number(self.keys().clock_accepted()).await?.map(Timestamp::from_ms))
    }

    /// Forgets what an operator said of a clock that was another since.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn forget_clock_acceptance(&self) -> Result<(), StoreError> {
        self.send(redis::cmd("DEL").arg(self.keys().clock_accepted())).await.map(drop)
    }

    async fn number(&self, key: String) -> Result<Option<i64>, StoreError> {
        match self.send(redis::cmd("GET").arg(&key)).await? {
            Value::BulkString(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                text.parse().map(Some).map_err(|_| StoreError::corrupt(key, text))
            }
            _ => Ok(None),
        }
    }
}
