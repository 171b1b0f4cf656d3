//! The schema: every key that Carillon writes is named here, and nowhere else.
//!
//! Keys of partition *p* start with `<ns>:{pNN}:`, so that they share a hash slot and one script may touch any of them. Their
//! [suffixes](suffix) are also handed to the scripts (see [`script`](super::script)), which build the names of records that
//! they come upon, and never spell one themselves.

use sha1_smol::Sha1;

use crate::id::{JobId, Partition};
use crate::name::{Namespace, OwnerName, QueueName, WorkerId};

mod partition;
mod suffix;

pub use partition::PartitionKeys;
pub(crate) use suffix::SUFFIXES;

/// A key that never exists, in the hash slot of another: what is asked together with it is answered only while the slot is
/// at rest.
pub(crate) fn still(key: &str) -> String {
    match key.find('}') {
        Some(end) => format!("{}:still", &key[..=end]),
        None => format!("{{{key}}}:still"),
    }
}

/// The keys of one deployment.
#[derive(Debug, Clone)]
pub struct Keys {
    namespace: Namespace,
    partitions: u16,
}

impl Keys {
    /// The keys of `namespace`, which is divided into `partitions` partitions.
    #[must_use]
    pub fn new(namespace: Namespace, partitions: u16) -> Self {
        Self { namespace, partitions: partitions.max(1) }
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The number of partitions.
    #[must_use]
    pub fn partitions(&self) -> u16 {
        self.partitions
    }

    /// Every partition, in order.
    pub fn all(&self) -> impl Iterator<Item = PartitionKeys> + '_ {
        (0..self.partitions).map(|index| self.partition(Partition(index)))
    }

    /// The keys of one partition.
    #[must_use]
    pub fn partition(&self, partition: Partition) -> PartitionKeys {
        PartitionKeys::new(&self.namespace, partition)
    }

    /// The partition in which a queue lives, with all its jobs and the entries that fire into it.
    #[must_use]
    pub fn partition_of(&self, queue: &QueueName) -> Partition {
        if self.partitions == 1 {
            return Partition(0);
        }
        let digest = Sha1::from(queue.as_str()).digest().bytes();
        Partition(u16::from_be_bytes([digest[0], digest[1]]) % self.partitions)
    }

    /// The partitions in which a job may be: first the one its id names.
    pub fn partitions_of(&self, id: JobId) -> impl Iterator<Item = Partition> + '_ {
        let hint = id.partition_hint(self.partitions);
        std::iter::once(hint).chain((0..self.partitions).map(Partition).filter(move |other| *other != hint))
    }

    /// What was fixed when the namespace was first used: hash of partitions and format, and of how much is kept.
    #[must_use]
    pub fn meta(&self) -> String {
        self.outside("meta")
    }

    /// The leader's token, under `SET NX EX`.
    #[must_use]
    pub fn leader(&self) -> String {
        self.outside("leader")
    }

    /// The highest epoch of any leadership so far.
    #[must_use]
    pub fn leader_epoch(&self) -> String {
        self.beside("leader", "epoch")
    }

    /// A number that grows with each renewal: proof of life that no clock can fake.
    #[must_use]
    pub fn leader_beat(&self) -> String {
        self.beside("leader", "beat")
    }

    /// What the leader says of a jump of Redis's clock, while it holds back because of it: string, short-lived.
    #[must_use]
    pub fn clock_alarm(&self) -> String {
        self.beside("clock", "alarm")
    }

    /// When an operator last said that Redis's clock is right: string, short-lived.
    #[must_use]
    pub fn clock_accepted(&self) -> String {
        self.beside("clock", "accepted")
    }

    /// The latest leaderships, the newest first: a list of `<since> <last beat> <until or -> <token>`, times in milliseconds.
    #[must_use]
    pub fn leader_terms(&self) -> String {
        self.beside("leader", "terms")
    }

    /// Rung by a leader that steps down, so that a standby need not wait.
    #[must_use]
    pub fn leader_bell(&self) -> String {
        self.beside("leader", "bell")
    }

    /// Where producers of any language push job JSON: a list, taken from its head.
    #[must_use]
    pub fn inbox(&self) -> String {
        self.outside("inbox")
    }

    /// What was taken from the inbox and is not settled yet, each behind its ticket.
    #[must_use]
    pub fn inbox_taken(&self) -> String {
        self.beside("inbox", "taken")
    }

    /// The number of the last ticket.
    #[must_use]
    pub fn inbox_ticket(&self) -> String {
        self.beside("inbox", "ticket")
    }

    /// What could not be accepted from the inbox, each with its reason; in the inbox's hash slot, since one script moves it.
    #[must_use]
    pub fn inbox_rejected(&self) -> String {
        self.beside("inbox", "rejected")
    }

    /// The workers by their last heartbeat, in milliseconds.
    #[must_use]
    pub fn workers(&self) -> String {
        self.outside("workers")
    }

    /// What a worker last said of itself, as JSON; expires when it falls silent. In the hash slot of the workers, since one
    /// script notes it and answers the order.
    #[must_use]
    pub fn worker(&self, worker: &WorkerId) -> String {
        self.beside("workers", &format!("said:{worker}"))
    }

    /// The workers that send heartbeats of OJS, by the last of them, in milliseconds.
    #[must_use]
    pub fn heard(&self) -> String {
        self.outside("heard")
    }

    /// What a worker was told to do, until it has stopped: `quiet` or `terminate`.
    #[must_use]
    pub fn order(&self, worker: &WorkerId) -> String {
        self.beside("workers", &format!("order:{worker}"))
    }

    /// The channel on which a worker hears that it should send a heartbeat at once.
    #[must_use]
    pub fn worker_channel(&self, worker: &str) -> String {
        format!("{}:nudge:{worker}", self.namespace)
    }

    /// The schedulers that hold a directory of schedules of this owner: hash of instance to what it holds, as JSON.
    #[must_use]
    pub fn holders(&self, owner: &OwnerName) -> String {
        format!("{}:holders:{owner}", self.namespace)
    }

    /// The channel of every event; in a cluster each partition has [one of its own](PartitionKeys::events_channel).
    #[must_use]
    pub fn events_channel(&self) -> String {
        self.outside("events")
    }

    /// A pattern for `SCAN` that matches every key of the namespace.
    #[must_use]
    pub fn pattern(&self) -> [String; 2] {
        [format!("{}:*", self.namespace), format!("{{{}:*", self.namespace)]
    }

    fn outside(&self, name: &str) -> String {
        format!("{}:{name}", self.namespace)
    }

    /// A key in the hash slot of `outside(name)`.
    fn beside(&self, name: &str, suffix: &str) -> String {
        format!("{{{}:{name}}}:{suffix}", self.namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_always_lives_in_the_same_partition() {
        let keys = Keys::new(Namespace::default(), 16);
        let queue: QueueName = "reports".parse().expect("a queue name");
        let partition = keys.partition_of(&queue);
        assert!(partition.0 < 16);
        assert_eq!(partition, keys.partition_of(&queue));
        assert_eq!(Keys::new(Namespace::default(), 1).partition_of(&queue), Partition(0));
    }

    #[test]
    fn the_key_that_never_exists_is_in_the_slot_of_its_neighbour() {
        let keys = Keys::new(Namespace::default(), 16);
        assert_eq!(still(&keys.partition(Partition(3)).events()), "ojs:{p03}:still");
        assert_eq!(still(&keys.leader()), "{ojs:leader}:still");
        assert_eq!(still(&keys.inbox_taken()), "{ojs:inbox}:still");
    }

    #[test]
    fn the_inbox_has_the_name_that_producers_were_told() {
        assert_eq!(Keys::new(Namespace::default(), 1).inbox(), "ojs:inbox");
    }
}
