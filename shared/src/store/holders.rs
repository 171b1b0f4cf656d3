//! The schedulers that hold a directory of schedules, and what each holds: a hint that lives as long as they do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Reply, Store, StoreError};
use crate::clock::Timestamp;
use crate::name::OwnerName;

/// A scheduler that holds a directory of schedules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Which scheduler.
    pub instance: String,
    /// What it holds.
    pub digest: String,
    /// Since when it holds that.
    pub seen_at: Timestamp,
    /// When it last said so.
    pub heard_at: Timestamp,
}

/// A holder that was silent for so long holds nothing any more.
const REMEMBERED_FOR: Duration = Duration::from_secs(90);

impl Store {
    /// Notes what a scheduler holds.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn note_holder(&self, owner: &OwnerName, holder: &Holder) -> Result<(), StoreError> {
        let json = serde_json::to_string(holder).map_err(|error| StoreError::corrupt("holder", error.to_string()))?;
        let (key, ms) = (self.keys().holders(owner), u64::try_from(REMEMBERED_FOR.as_millis()).unwrap_or(u64::MAX));
        self.send(redis::cmd("HSET").arg(&key).arg(&holder.instance).arg(json)).await?;
        self.send(redis::cmd("PEXPIRE").arg(&key).arg(ms)).await?;
        Ok(())
    }

    /// Strikes off a scheduler that holds nothing any more.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn forget_holder(&self, owner: &OwnerName, instance: &str) -> Result<(), StoreError> {
        self.send(redis::cmd("HDEL").arg(self.keys().holders(owner)).arg(instance)).await?;
        Ok(())
    }

    /// Lists the schedulers that hold schedules of this owner, as far as they were heard of lately, and strikes off the
    /// others.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn holders(&self, owner: &OwnerName) -> Result<Vec<Holder>, StoreError> {
        let silent_since = self.now().await? - REMEMBERED_FOR;
        let said = Reply::new("holders", self.send(redis::cmd("HGETALL").arg(self.keys().holders(owner))).await?)?;
        let (alive, silent): (Vec<Holder>, Vec<Holder>) = said
            .pairs()?
            .iter()
            .filter_map(|(_, json)| serde_json::from_str(json).ok())
            .partition(|holder: &Holder| holder.heard_at > silent_since);
        for holder in silent {
            self.forget_holder(owner, &holder.instance).await?;
        }
        Ok(alive)
    }
}
