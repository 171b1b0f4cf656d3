//! Leases: extended, over, and taken away.

use carillon_shared::job::JobState;

use super::Model;
use super::command::{Grip, Label, Taken};
use super::job::{Job, Lease};
use super::spec::{Moment, Timeout};

impl Model {
    pub(super) fn heartbeat(&mut self, label: Label, grip: Grip) -> String {
        let lease = Some(Lease::Held(self.gripped(label, grip)));
        let is_holder = self.jobs.get(&label).is_some_and(|job| job.lease == lease);
        self.beat(label, is_holder)
    }

    pub(super) fn heartbeat_as(&mut self, worker: u8, label: Label) -> String {
        let is_holder = self.jobs.get(&label).is_some_and(|job| job.worker == Some(worker));
        self.beat(label, is_holder)
    }

    fn beat(&mut self, label: Label, is_holder: bool) -> String {
        match self.jobs.get_mut(&label) {
            Some(job) if is_holder && job.state == JobState::Active => {
                job.lease_end = Moment::Ahead;
                "Held".to_owned()
            }
            Some(job) if is_holder && job.state == JobState::Cancelled => "Cancelled".to_owned(),
            _ => "Lost".to_owned(),
        }
    }

    /// The jobs whose lease is over, in the order in which it was.
    fn overdue(&self) -> Vec<Label> {
        self.passed(|job| (job.state == JobState::Active).then_some(job.lease_end))
    }

    pub(super) fn reclaim(&mut self, taken: Taken) -> String {
        let overdue = self.overdue();
        for label in &overdue {
            self.take_back(*label, taken);
        }
        format!("{overdue:?}")
    }

    pub(super) fn reclaim_one(&mut self, label: Label, grip: Grip) -> String {
        let lease = Some(Lease::Held(self.gripped(label, grip)));
        let Some(job) = self.jobs.get(&label) else { return "Gone".to_owned() };
        let is_over = job.state == JobState::Active && job.lease_end != Moment::Ahead;
        if !is_over || job.lease != lease {
            return "Stale".to_owned();
        }
        self.take_back(label, Taken::Available);
        "Reclaimed".to_owned()
    }

    pub(super) fn reclaim_from(&mut self, worker: u8, taken: Taken) -> String {
        let held = |job: &Job| job.state == JobState::Active && job.worker == Some(worker);
        let held: Vec<Label> = self.jobs.iter().filter(|(_, job)| held(job)).map(|(label, _)| *label).collect();
        for label in &held {
            self.take_back(*label, taken);
        }
        format!("{held:?}")
    }

    fn take_back(&mut self, label: Label, taken: Taken) {
        let job = self.job_mut(label);
        job.lease = Some(Lease::Lost(job.lease_number()));
        job.crashes += 1;
        job.dead |= taken == Taken::Dead;
        if taken != Taken::Available {
            return self.end_badly(label);
        }
        let queue = job.queue;
        self.fail(label);
        self.enter(label, JobState::Available);
        self.ring(queue, 1);
        self.tell_job("job.enqueued", label);
    }

    /// The running attempts that take longer than they may, in the order in which they came to.
    pub(super) fn overtime(&self) -> String {
        let is_limited = |job: &Job| job.state == JobState::Active && job.timeout == Timeout::Hour;
        format!("{:?}", self.passed(|job| is_limited(job).then_some(job.overtime)))
    }
}
