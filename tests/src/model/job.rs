//! A job of the model.

use carillon_shared::job::JobState;

use super::command::Label;
use super::spec::{Moment, Spec, Timeout, When};

/// A lease, as far as the model goes: its number, and whether it was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lease {
    /// Somebody holds it, or ended his attempt with it.
    Held(u32),
    /// It was taken away; nobody holds it.
    Lost(u32),
}

/// A job: everything about it that can be seen.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) queue: u8,
    pub(super) priority: i8,
    pub(super) state: JobState,
    pub(super) seq: u64,
    pub(super) attempt: u32,
    pub(super) lease: Option<Lease>,
    pub(super) lease_end: Moment,
    pub(super) worker: Option<u8>,
    pub(super) due: Moment,
    pub(super) expires: Option<Moment>,
    pub(super) timeout: Timeout,
    /// When the running attempt has taken too long.
    pub(super) overtime: Moment,
    pub(super) unique: Option<u8>,
    /// The hour in which it keeps others away is over.
    pub(super) aged: bool,
    /// Which request made it.
    pub(super) request: u64,
    pub(super) errors: u32,
    pub(super) result: bool,
    pub(super) progress: bool,
    pub(super) failed: bool,
    pub(super) dead: bool,
    pub(super) waits: bool,
    pub(super) crashes: u32,
    pub(super) returns: u32,
    pub(super) previous: Option<JobState>,
    pub(super) entry: Option<u8>,
    pub(super) flow: Option<(Label, usize)>,
    pub(super) parents: Vec<Label>,
}

impl Job {
    /// A job that was just described.
    pub(super) fn new(spec: &Spec, request: u64) -> Self {
        Self {
            queue: spec.queue,
            priority: spec.priority,
            state: match spec.when {
                When::Now | When::Past => JobState::Available,
                When::Later => JobState::Scheduled,
                When::Pending => JobState::Pending,
            },
            seq: 0,
            attempt: 0,
            lease: None,
            lease_end: Moment::Ahead,
            worker: None,
            due: Moment::Ahead,
            expires: spec.expires,
            timeout: spec.timeout,
            overtime: Moment::Ahead,
            unique: spec.unique.map(|unique| unique.kind),
            aged: false,
            request,
            errors: 0,
            result: false,
            progress: false,
            failed: false,
            dead: false,
            waits: false,
            crashes: 0,
            returns: 0,
            previous: None,
            entry: None,
            flow: None,
            parents: Vec::new(),
        }
    }

    /// Whether nobody has claimed it in time.
    pub(super) fn is_expired(&self) -> bool {
        self.waits_for_a_claim() && matches!(self.expires, Some(Moment::Past(_)))
    }

    /// Whether it may still expire.
    pub(super) fn waits_for_a_claim(&self) -> bool {
        matches!(self.state, JobState::Available | JobState::Scheduled | JobState::Pending)
    }

    /// In which order it is handed out.
    pub(super) fn rank(&self) -> (i16, u64) {
        (-i16::from(self.priority), self.seq)
    }

    /// The number of its latest lease.
    pub(super) fn lease_number(&self) -> u32 {
        match self.lease {
            Some(Lease::Held(number) | Lease::Lost(number)) => number,
            None => 0,
        }
    }
}
