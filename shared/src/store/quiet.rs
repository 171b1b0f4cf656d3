//! Workers that are handed no jobs: those that were told to be quiet or to terminate, and those that say that they wind up.
//!
//! Both stand with the workers, in a hash slot of their own, where no claim can look. So each partition keeps a note of who is
//! handed nothing there, and a claim obeys it. The note may be wrong when a call between the two places fails: a worker that is
//! handed nothing by mistake is found out by its next claim, one that is handed jobs by mistake by its next heartbeat.

use std::time::Duration;

use futures::future::join_all;

use super::orders::KEPT_FOR;
use super::{Reply, Store, StoreError, script};
use crate::clock::Timestamp;
use crate::id::Partition;
use crate::name::WorkerId;

/// A note outlives what it says, or a worker that only ever asks for jobs would be handed some too early.
const NOTED_FOR: Duration = KEPT_FOR.saturating_mul(2);
/// A note is written anew when it is older than this.
const NOTED_AGAIN_AFTER: Duration = Duration::from_secs(60 * 60);

/// What a claim came upon: a worker that asked is handed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quiet {
    worker: WorkerId,
    /// Until when, in milliseconds, as Redis writes it.
    till: String,
}

impl Quiet {
    /// Those that a claim names.
    pub(super) fn read(named: &str) -> Vec<Self> {
        let words: Vec<&str> = named.split_whitespace().collect();
        let one = |pair: &[&str]| Some(Self { worker: pair[0].parse().ok()?, till: pair[1].to_owned() });
        words.chunks_exact(2).filter_map(one).collect()
    }

    fn is_due_again(&self, now: Timestamp) -> bool {
        let till = Timestamp::from_ms(self.till.parse().unwrap_or(0));
        till < now + (NOTED_FOR - NOTED_AGAIN_AFTER)
    }
}

impl Store {
    /// Notes in every partition that a worker is handed no jobs, or that it is. To be called when what it was told or says has
    /// changed, and now and then while it is to be handed none.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached; some partitions may know then, and it may be called again.
    pub async fn set_quiet(&self, worker: &WorkerId, is_quiet: bool) -> Result<(), StoreError> {
        let notes = self.partitions().map(|partition| self.note_quiet(partition, worker, is_quiet, ""));
        join_all(notes).await.into_iter().collect()
    }

    /// Looks whether the workers to which a partition handed nothing are still to be handed nothing.
    pub(super) async fn look_again(&self, partition: Partition, quiet: &[Quiet]) {
        for looked in join_all(quiet.iter().map(|one| self.look_again_at(partition, one))).await {
            if let Err(error) = looked {
                tracing::debug!(error = %error, "whether a worker is still quiet is looked up with its next claim");
            }
        }
    }

    async fn look_again_at(&self, partition: Partition, quiet: &Quiet) -> Result<(), StoreError> {
        match self.is_quiet(&quiet.worker).await? {
            true if quiet.is_due_again(self.clock().now()) => self.set_quiet(&quiet.worker, true).await,
            true => Ok(()),
            false => self.unset_quiet(partition, &quiet.worker, &quiet.till).await,
        }
    }

    /// Notes that a worker is handed jobs again, if it is noted that it is not until just then (milliseconds): it may have been
    /// told to be quiet anew.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn unset_quiet(&self, partition: Partition, worker: &WorkerId, till: &str) -> Result<(), StoreError> {
        self.note_quiet(partition, worker, false, till).await
    }

    /// What it was told stays known for another day.
    async fn is_quiet(&self, worker: &WorkerId) -> Result<bool, StoreError> {
        let order = self.order_of(worker).await?;
        Ok(order.is_some() || self.worker(worker).await?.is_some_and(|info| info.is_winding_up()))
    }

    async fn note_quiet(
        &self,
        partition: Partition,
        worker: &WorkerId,
        is_quiet: bool,
        only_if_till: &str,
    ) -> Result<(), StoreError> {
        let keys = self.key(partition);
        let for_ms = if is_quiet { NOTED_FOR.as_millis().to_string() } else { String::new() };
        let args = vec![worker.as_str().into(), for_ms.into(), only_if_till.into()];
        let _told: Reply = self.run(&script::quiet, &keys, vec![keys.quiet()], args).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_a_claim_names_are_read() {
        let quiet = |worker: &str, till: &str| Quiet { worker: worker.parse().expect("an id"), till: till.to_owned() };
        assert_eq!(Quiet::read(""), []);
        assert_eq!(Quiet::read("w 17 größer:2 18 "), [quiet("w", "17"), quiet("größer:2", "18")]);
    }

    #[test]
    fn a_note_is_written_anew_long_before_it_ends() {
        let now = Timestamp::from_secs(1_772_947_800);
        let noted = |ago: Duration| Quiet {
            worker: "w".parse().expect("an id"),
            till: (now + NOTED_FOR - ago).as_ms().to_string(),
        };
        assert!(!noted(NOTED_AGAIN_AFTER).is_due_again(now));
        assert!(noted(NOTED_AGAIN_AFTER + Duration::from_millis(1)).is_due_again(now));
    }
}
