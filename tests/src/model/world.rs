//! The moves of which all commands are made.

use carillon_shared::job::JobState;

use super::command::{Label, QUEUES};
use super::job::Job;
use super::spec::Moment;
use super::{Model, Queue};

/// So many wake-ups wait for idle workers at most.
const RUNG_MAX: usize = 64;

impl Model {
    pub(super) fn queue(&mut self, queue: u8) -> &mut Queue {
        debug_assert!(queue < QUEUES);
        self.queues.entry(queue).or_default()
    }

    pub(super) fn job_mut(&mut self, label: Label) -> &mut Job {
        self.jobs.get_mut(&label).expect("the caller saw it")
    }

    pub(super) fn tell(&mut self, kind: &str, subject: String) {
        self.told.push((kind.to_owned(), subject));
    }

    pub(super) fn tell_job(&mut self, kind: &str, label: Label) {
        self.tell(kind, format!("job {label}"));
    }

    pub(super) fn ring(&mut self, queue: u8, times: usize) {
        let queue = self.queue(queue);
        queue.rung = (queue.rung + times).min(RUNG_MAX);
    }

    pub(super) fn next_seq(&mut self, queue: u8) -> u64 {
        let queue = self.queue(queue);
        queue.seq += 1;
        queue.seq
    }

    /// Moves a job to another state, and counts it there.
    pub(super) fn enter(&mut self, label: Label, state: JobState) {
        let job = self.job_mut(label);
        let (queue, before) = (job.queue, job.state);
        job.state = state;
        self.uncount(queue, before);
        self.count(queue, state);
    }

    pub(super) fn count(&mut self, queue: u8, state: JobState) {
        *self.queue(queue).counts.entry(state.as_str()).or_default() += 1;
    }

    pub(super) fn uncount(&mut self, queue: u8, state: JobState) {
        *self.queue(queue).counts.get_mut(state.as_str()).expect("it was counted") -= 1;
    }

    /// At the end of its priority.
    pub(super) fn make_available(&mut self, label: Label) {
        let queue = self.jobs[&label].queue;
        self.job_mut(label).seq = self.next_seq(queue);
        self.enter(label, JobState::Available);
        self.ring(queue, 1);
        self.tell_job("job.enqueued", label);
    }

    /// Ends a job without an attempt.
    pub(super) fn cancel_job(&mut self, label: Label) {
        let job = self.job_mut(label);
        job.previous = Some(job.state);
        self.enter(label, JobState::Cancelled);
        self.tell_job("job.cancelled", label);
    }

    /// What the end of a job means to the entry it is a run of, and the workflow it is a step of.
    pub(super) fn job_ended(&mut self, label: Label) {
        self.run_ended(label);
        self.step_ended(label);
        self.job_mut(label).waits = false;
    }

    pub(super) fn expire_job(&mut self, label: Label) {
        self.enter(label, JobState::Discarded);
        self.tell_job("job.expired", label);
        self.job_ended(label);
    }

    /// Everything of a job is gone.
    pub(super) fn forget(&mut self, label: Label) {
        let Some(job) = self.jobs.remove(&label) else { return };
        if let Some(kind) = job.unique
            && self.unique.get(&kind) == Some(&label)
        {
            self.unique.remove(&kind);
        }
    }

    /// The jobs for which `when` tells that a time has passed, in the order in which it did.
    pub(super) fn passed(&self, when: impl Fn(&Job) -> Option<Moment>) -> Vec<Label> {
        let mut found: Vec<(u64, Label)> = Vec::new();
        for (label, job) in &self.jobs {
            if let Some(Moment::Past(order)) = when(job) {
                found.push((order, *label));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(_, label)| label).collect()
    }
}
