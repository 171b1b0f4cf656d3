//! What time and operators do to jobs.

use carillon_shared::job::JobState;

use super::Model;
use super::command::{How, Label, Limit, Time};
use super::job::Job;
use super::spec::{Moment, Timeout};

impl Model {
    pub(super) fn cancel(&mut self, label: Label) -> String {
        let Some(job) = self.jobs.get(&label) else { return "Gone".to_owned() };
        let state = job.state;
        if state.is_terminal() {
            return format!("Ended({state:?})");
        }
        self.cancel_job(label);
        self.job_ended(label);
        format!("Cancelled({state:?})")
    }

    pub(super) fn promote(&mut self) -> Vec<Label> {
        let waits = |job: &Job| matches!(job.state, JobState::Scheduled | JobState::Retryable).then_some(job.due);
        let due = self.passed(waits);
        for label in &due {
            self.make_available(*label);
        }
        due
    }

    /// How many, and whether another is to come.
    pub(super) fn promoted(&mut self) -> String {
        let promoted = self.promote().len();
        let waits = |job: &Job| matches!(job.state, JobState::Scheduled | JobState::Retryable);
        let next = if self.jobs.values().any(waits) { "ahead" } else { "none" };
        format!("{promoted}, next {next}")
    }

    pub(super) fn expire(&mut self) -> String {
        let expired = self.passed(|job| job.expires.filter(|_| job.waits_for_a_claim()));
        for label in &expired {
            // The end of one may have changed another.
            if self.jobs[label].waits_for_a_claim() {
                self.expire_job(*label);
            }
        }
        expired.len().to_string()
    }

    pub(super) fn trim(&mut self, how: How) -> String {
        if how == How::Workflow {
            return self.trim_flows();
        }
        let is_meant = |job: &Job| match how {
            How::Completed => job.state == JobState::Completed,
            How::Cancelled => job.state == JobState::Cancelled,
            How::Discarded => job.state == JobState::Discarded && !job.dead,
            How::Dead => job.dead,
            How::Workflow => false,
        };
        let ended: Vec<Label> = self.jobs.iter().filter(|(_, job)| is_meant(job)).map(|(label, _)| *label).collect();
        for label in &ended {
            self.forget(*label);
        }
        ended.len().to_string()
    }

    /// Lets a time pass that stands somewhere; others have nothing to pass.
    pub(super) fn elapse(&mut self, label: Label, time: Time, order: u64) -> String {
        let Some(job) = self.jobs.get_mut(&label) else { return String::new() };
        let past = Moment::Past(order);
        match time {
            Time::Due if matches!(job.state, JobState::Scheduled | JobState::Retryable) => job.due = past,
            Time::Expiry if job.expires.is_some() => job.expires = Some(past),
            Time::Lease if job.state == JobState::Active => job.lease_end = past,
            Time::Timeout if job.state == JobState::Active && job.timeout == Timeout::Hour => job.overtime = past,
            Time::Period => job.aged = true,
            _ => {}
        }
        String::new()
    }

    pub(super) fn activate(&mut self, label: Label) -> String {
        let Some(job) = self.jobs.get_mut(&label) else { return "Gone".to_owned() };
        if job.state != JobState::Pending || job.flow.is_some() {
            return format!("Conflict({:?})", job.state);
        }
        job.previous = Some(JobState::Pending);
        self.make_available(label);
        "Changed".to_owned()
    }

    pub(super) fn progress(&mut self, label: Label) -> String {
        let Some(job) = self.jobs.get_mut(&label) else { return "Gone".to_owned() };
        if job.state.is_terminal() {
            return format!("Conflict({:?})", job.state);
        }
        job.progress = true;
        self.tell_job("job.progress", label);
        "Changed".to_owned()
    }

    pub(super) fn revive(&mut self, label: Label) -> String {
        let Some(job) = self.jobs.get(&label).filter(|job| job.dead) else { return "false".to_owned() };
        let (queue, kind) = (job.queue, job.unique);
        let waits = job.entry.is_some_and(|entry| !self.is_concurrent(entry) && !self.live(entry).is_empty());
        if let Some(kind) = kind {
            self.unique.entry(kind).or_insert(label);
        }
        let seq = self.next_seq(queue);
        let job = self.job_mut(label);
        // Whoever revives it wants it to run: a time that has passed no longer counts.
        if matches!(job.expires, Some(Moment::Past(_))) {
            job.expires = None;
        }
        job.dead = false;
        job.failed = false;
        job.crashes = 0;
        job.returns = 0;
        job.previous = None;
        job.attempt = 0;
        job.seq = seq;
        job.waits = waits;
        let entry = job.entry;
        self.enter(label, JobState::Available);
        match entry.filter(|_| waits) {
            Some(entry) => self.line_up(entry, label),
            None => self.ring(queue, 1),
        }
        self.tell_job("dead_letter.retried", label);
        self.tell_job("job.enqueued", label);
        "true".to_owned()
    }

    pub(super) fn bury(&mut self, label: Label) -> String {
        let Some(job) = self.jobs.get(&label).filter(|job| job.dead) else { return "false".to_owned() };
        let (queue, state) = (job.queue, job.state);
        self.uncount(queue, state);
        self.forget(label);
        self.tell_job("dead_letter.deleted", label);
        "true".to_owned()
    }

    pub(super) fn limit(&mut self, queue: u8, limit: Limit) -> String {
        let waiting = self.ready(queue).len();
        let known = self.queue(queue);
        let was_paused = known.paused;
        match limit {
            Limit::Pause => known.paused = true,
            Limit::Resume => known.paused = false,
            Limit::Concurrency(most) => known.concurrency = most,
            Limit::Rate(most) => known.rate = most,
        }
        match (was_paused, limit) {
            (false, Limit::Pause) => self.tell("queue.paused", format!("q{queue}")),
            (true, Limit::Resume) => self.tell("queue.resumed", format!("q{queue}")),
            _ => {}
        }
        self.ring(queue, waiting);
        String::new()
    }
}
