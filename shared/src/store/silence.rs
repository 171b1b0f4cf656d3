//! Who was heard of, and who fell silent, among the workers that send heartbeats of OJS.
//!
//! Their leases may last for half an hour, because clients may ask for that. Whoever has once sent a heartbeat is expected
//! to go on with it, so that silence says more, and sooner, than a lease. Workers of our own crate are not among them:
//! their leases are short.

use std::time::Duration;

use super::{Reply, Store, StoreError};
use crate::clock::Timestamp;
use crate::name::WorkerId;

/// Workers that are to be given up.
#[derive(Debug, Clone)]
pub struct FallenSilent {
    /// They, the longest silent first.
    pub workers: Vec<WorkerId>,
    /// When the next falls silent if it is not heard of, as far as that is known: nobody does sooner.
    pub next_at: Option<Timestamp>,
}

/// As many are listed at once.
const LISTED_MAX: usize = 100;

impl Store {
    /// Notes that a worker sent a heartbeat.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn heard_of(&self, worker: &WorkerId) -> Result<(), StoreError> {
        let at = self.clock().now().as_ms();
        self.send(redis::cmd("ZADD").arg(self.keys().heard()).arg(at).arg(worker.as_str())).await?;
        Ok(())
    }

    /// Lists workers that sent heartbeats and have not for so long, at most 100, and says when the next may be one of them.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn fallen_silent(&self, silent_for: Duration) -> Result<FallenSilent, StoreError> {
        let until = self.clock().now() - silent_for;
        let mut range = redis::cmd("ZRANGE");
        range.arg(self.keys().heard()).arg(0).arg(LISTED_MAX - 1).arg("WITHSCORES");
        let mut silent = FallenSilent { workers: Vec::new(), next_at: None };
        for (id, heard_at) in Reply::new("silence", self.send(&range).await?)?.pairs()? {
            let heard_at = heard_at.parse().map_or(Timestamp::MIN, Timestamp::from_ms);
            if heard_at > until {
                silent.next_at = Some(heard_at + silent_for);
                break;
            }
            silent.workers.extend(id.parse::<WorkerId>().ok());
        }
        Ok(silent)
    }

    /// Expects no more heartbeats of a worker, until it sends one. What it was told to do still holds then.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn expect_no_more(&self, worker: &WorkerId) -> Result<(), StoreError> {
        self.send(redis::cmd("ZREM").arg(self.keys().heard()).arg(worker.as_str())).await?;
        Ok(())
    }
}
