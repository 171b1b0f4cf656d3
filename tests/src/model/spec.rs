//! Jobs as they are described, and the few points in time that a sequence knows.

use carillon_shared::job::{JobState, OnConflict};

use super::command::Label;

/// A job to be taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Its name.
    pub label: Label,
    /// Its queue.
    pub queue: u8,
    /// Its priority.
    pub priority: i8,
    /// When it may run.
    pub when: When,
    /// When it is too late.
    pub expires: Option<Moment>,
    /// Whether its attempts are limited in time.
    pub timeout: Timeout,
    /// Whether it is unique.
    pub unique: Option<Unique>,
}

/// When a job may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// At a time that has passed.
    Past,
    /// In an hour.
    Later,
    /// When it is activated.
    Pending,
}

/// A point in time, as far as order goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// In an hour: not in this sequence.
    Ahead,
    /// Over; the number gives the order.
    Past(u64),
}

/// Whether an attempt may take as long as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// It may.
    None,
    /// It may take an hour.
    Hour,
}

/// What a job has in common with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unique {
    /// The fingerprint.
    pub kind: u8,
    /// What becomes of the second.
    pub on_conflict: OnConflict,
    /// Which states of the first keep the second away.
    pub states: &'static [JobState],
    /// Whether the first keeps the second away for an hour only.
    pub period: Period,
}

/// For how long the first job keeps the second away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// For as long as it is there.
    Endless,
    /// For an hour.
    Hour,
}

impl Spec {
    /// An ordinary job.
    #[must_use]
    pub fn plain(label: Label, queue: u8) -> Self {
        let (when, timeout) = (When::Now, Timeout::None);
        Self { label, queue, priority: 0, when, expires: None, timeout, unique: None }
    }
}
