//! Workers that are handed no jobs: those that were told to be quiet or to terminate, and those that say that they wind up.
//!
//! Both stand with the workers, in a hash slot of their own, where no claim can look. So each partition keeps notes of who is
//! handed nothing there, and claims obey them. What a note is about is written before it, and a note is taken back only by whoever
//! read it before that: no late or repeated call takes back a newer one.
//!
//! A note too many is taken back by the next claim of that worker. One that is missing, because a partition failed or lost it,
//! or because a version that knows no notes gave the order, is made up for by the next heartbeat over HTTP or gRPC. A worker that
//! sends none may be handed jobs until it is told again; those of our own crate obey by themselves.

use std::time::Duration;

use futures::future::{join_all, try_join};

use super::orders::KEPT_FOR;
use super::workers::REMEMBERED_FOR;
use super::{Reply, Store, StoreError, WorkerOrder, script};
use crate::clock::Timestamp;
use crate::id::Partition;
use crate::name::WorkerId;

/// A note outlives what it is about, which lives on with each claim.
const ORDER_NOTED_FOR: Duration = KEPT_FOR.saturating_mul(2);
/// The same, of what a worker says: each of its heartbeats notes it anew.
const SAID_NOTED_FOR: Duration = REMEMBERED_FOR.saturating_mul(2);
/// The note of an order is written anew when it is older than this.
const NOTED_AGAIN_AFTER: Duration = Duration::from_secs(60 * 60);

/// A note in a partition that a worker is handed nothing there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuietNote {
    partition: Partition,
    pub(super) worker: WorkerId,
    /// Until when, in milliseconds, as Redis writes it.
    till: String,
}

impl QuietNote {
    /// Those that a claim came upon.
    pub(super) fn read(partition: Partition, named: &str) -> Vec<Self> {
        let words: Vec<&str> = named.split_whitespace().collect();
        let one = |pair: &[&str]| Some(Self { partition, worker: pair[0].parse().ok()?, till: pair[1].to_owned() });
        words.chunks_exact(2).filter_map(one).collect()
    }

    /// Whether it is time to write it anew, if it is of an order.
    fn is_old(&self, now: Timestamp) -> bool {
        let till = Timestamp::from_ms(self.till.parse().unwrap_or(0));
        till < now + (ORDER_NOTED_FOR - NOTED_AGAIN_AFTER)
    }
}

impl Store {
    /// Notes in every partition that a worker is handed no jobs, because it was told so or, without an order, because it says
    /// so. To be called when that is so already, and now and then while it is.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached; some partitions may know then, and it may be called again.
    pub async fn note_quiet(&self, worker: &WorkerId, order: Option<WorkerOrder>) -> Result<(), StoreError> {
        let life = order.map_or(SAID_NOTED_FOR, |_| ORDER_NOTED_FOR).as_millis().to_string();
        let notes = self.partitions().map(|partition| self.write_note(partition, worker, &life, ""));
        join_all(notes).await.into_iter().collect()
    }

    /// The notes of a worker, to be read before that changes which they are about.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn quiet_notes(&self, worker: &WorkerId) -> Result<Vec<QuietNote>, StoreError> {
        let read = self.partitions().map(async |partition| {
            let ask = redis::cmd("ZSCORE").arg(self.key(partition).quiet()).arg(worker.as_str()).to_owned();
            let till = Reply::new("quiet", redis::Value::Array(vec![self.send(&ask).await?]))?.text(0)?;
            Ok((!till.is_empty()).then(|| QuietNote { partition, worker: worker.clone(), till }))
        });
        let notes: Result<Vec<_>, StoreError> = join_all(read).await.into_iter().collect();
        Ok(notes?.into_iter().flatten().collect())
    }

    /// Takes notes back, except where there is another by now. One that cannot be reached goes with the next claim of its
    /// worker, or when its time has passed.
    pub async fn forget_quiet(&self, notes: &[QuietNote]) {
        let taken = notes.iter().map(|note| self.write_note(note.partition, &note.worker, "", &note.till));
        for error in join_all(taken).await.into_iter().filter_map(Result::err) {
            tracing::debug!(error = %error, "a note that a worker is quiet was not taken back");
        }
    }

    /// Looks whether workers that were handed nothing, because of these notes, are to be handed nothing still. Whether one of
    /// the notes was taken back.
    pub(super) async fn look_again(&self, notes: &[QuietNote]) -> bool {
        let mut any = false;
        for looked in join_all(notes.iter().map(|note| self.look_again_at(note))).await {
            match looked {
                Ok(is_taken_back) => any |= is_taken_back,
                Err(error) => {
                    tracing::debug!(error = %error, "whether a worker is quiet is looked up with its next claim")
                }
            }
        }
        any
    }

    async fn look_again_at(&self, note: &QuietNote) -> Result<bool, StoreError> {
        let (order, said) = try_join(self.order_of(&note.worker), self.worker(&note.worker)).await?;
        if order.is_some() && note.is_old(self.clock().now()) {
            self.note_quiet(&note.worker, order).await?;
        }
        let is_quiet = order.is_some() || said.is_some_and(|info| info.is_winding_up());
        if !is_quiet {
            self.write_note(note.partition, &note.worker, "", &note.till).await?;
        }
        Ok(!is_quiet)
    }

    async fn write_note(
        &self,
        partition: Partition,
        worker: &WorkerId,
        life_ms: &str,
        till: &str,
    ) -> Result<(), StoreError> {
        let keys = self.key(partition);
        let args = vec![worker.as_str().into(), life_ms.into(), till.into()];
        self.run(&script::quiet, &keys, vec![keys.quiet()], args).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(worker: &str, till: i64) -> QuietNote {
        QuietNote { partition: Partition(3), worker: worker.parse().expect("an id"), till: till.to_string() }
    }

    #[test]
    fn the_notes_that_a_claim_came_upon_are_read() {
        assert_eq!(QuietNote::read(Partition(3), ""), []);
        assert_eq!(QuietNote::read(Partition(3), "w 17 größer:2 18 "), [note("w", 17), note("größer:2", 18)]);
    }

    #[test]
    fn a_note_is_written_anew_long_before_it_ends() {
        let now = Timestamp::from_secs(1_772_947_800);
        let noted = |ago: Duration| note("w", (now + ORDER_NOTED_FOR - ago).as_ms());
        assert!(!noted(NOTED_AGAIN_AFTER).is_old(now));
        assert!(noted(NOTED_AGAIN_AFTER + Duration::from_millis(1)).is_old(now));
    }
}
