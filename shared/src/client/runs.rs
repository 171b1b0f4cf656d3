//! Runs of cron entries that somebody asked for.

use serde_json::Value;

use super::entries::TRIES_MAX;
use super::{Client, ClientError};
use crate::cron::{Decision, WAITING_TOLD};
use crate::id::{JobId, Partition};
use crate::name::CronName;
use crate::store::{FireDecision, FireItem, FireResult, StoreError};

/// A run that somebody asked for.
#[derive(Debug)]
pub struct Asked {
    /// Its job.
    pub job_id: JobId,
    /// Whether it waits until the live run has ended.
    pub waits: bool,
    /// The runs that were cancelled for it.
    pub cancelled: Vec<JobId>,
    /// How many runs of the entry wait for another, this one among them if it does.
    pub waiting: u64,
}

impl Asked {
    /// What was done, as one word: `fired`, `cancelled_previous` or `waits`.
    #[must_use]
    pub fn effect(&self) -> &'static str {
        match (self.waits, self.cancelled.is_empty()) {
            (true, _) => "waits",
            (false, false) => "cancelled_previous",
            (false, true) => "fired",
        }
    }

    /// What was done, in a sentence.
    #[must_use]
    pub fn message(&self) -> String {
        match (self.waits, self.cancelled.len()) {
            (true, _) if self.waiting > WAITING_TOLD => {
                format!("the run waits until the runs before it have ended: {} wait now, which is many", self.waiting)
            }
            (true, _) => "the run waits until the live run of this entry has ended".to_owned(),
            (false, 0) => "the run is available to workers".to_owned(),
            (false, 1) => "the live run was cancelled, and the new run is available to workers".to_owned(),
            (false, live) => format!("{live} live runs were cancelled, and the new run is available to workers"),
        }
    }
}

impl Client {
    /// Runs a cron entry at once, with other arguments if some are given. The schedule does not move.
    ///
    /// # Errors
    ///
    /// When there is no such entry, or Redis cannot be reached or takes no more.
    pub async fn run_now(&self, name: &CronName, args: Option<Vec<Value>>) -> Result<Asked, ClientError> {
        // One id for all tries: one whose answer was lost is recognised when it is made again.
        let id = JobId::random(self.store.now().await?, Partition(0));
        for _ in 0..TRIES_MAX {
            let now = self.store.now().await?;
            let entry = self.store.entry(name).await?.ok_or_else(|| ClientError::NoEntry(name.clone()))?;
            let id = id.moved_to(entry.partition);
            let item = FireItem::asked(&entry, id, now, args.clone())?;
            let FireDecision::Fire(decision, run) = &item.decision else {
                return Err(StoreError::corrupt(name.as_str(), "a run that was asked for was skipped").into());
            };
            let waits = *decision == Decision::FireBehind;
            let asked = Asked {
                job_id: run.id,
                waits,
                cancelled: if *decision == Decision::CancelAndFire { entry.live } else { Vec::new() },
                waiting: entry.waiting + u64::from(waits),
            };
            match self.store.fire_asked(entry.partition, item).await? {
                FireResult::Applied => return Ok(asked),
                FireResult::Gone => return Err(ClientError::NoEntry(name.clone())),
                FireResult::Stale | FireResult::Already | FireResult::Early => {}
            }
        }
        Err(ClientError::Contended(name.clone()))
    }
}
