//! Claims, and the ends of attempts.

use carillon_shared::job::JobState;

use super::command::{Finish, Grip, Label};
use super::job::{Job, Lease};
use super::spec::Moment;
use super::{Claim, Model};

impl Model {
    pub(super) fn claim(&mut self, queues: &[u8], most: usize, worker: u8) -> String {
        self.promote();
        let picked = self.pick(queues, most);
        let given = picked.iter().map(|label| (*label, self.start(*label, worker))).collect();
        self.last_claim = Some(Claim { queues: queues.to_vec(), most, worker, given });
        self.handed(&picked)
    }

    /// A claim that gave nothing leaves no trace, so that it is made anew.
    pub(super) fn claim_again(&mut self) -> String {
        let Some(Claim { queues, most, worker, given }) = self.last_claim.clone() else {
            return "nothing to repeat".to_owned();
        };
        if given.is_empty() {
            return self.claim(&queues, most, worker);
        }
        let still = |label: &Label, number: u32| {
            let job = self.jobs.get(label)?;
            (job.state == JobState::Active && job.lease == Some(Lease::Held(number))).then_some(*label)
        };
        let held: Vec<Label> = given.iter().filter_map(|(label, number)| still(label, *number)).collect();
        self.handed(&held)
    }

    /// What is handed out, queue after queue. What has expired meanwhile is discarded on the way.
    fn pick(&mut self, queues: &[u8], most: usize) -> Vec<Label> {
        let mut picked = Vec::new();
        let mut expired = Vec::new();
        for (place, queue) in queues.iter().enumerate() {
            if queues[..place].contains(queue) {
                continue;
            }
            let mut left = self.startable(*queue).min(most - picked.len());
            for label in self.ready(*queue) {
                if left == 0 {
                    break;
                }
                if self.jobs[&label].is_expired() {
                    expired.push(label);
                } else {
                    picked.push(label);
                    left -= 1;
                }
            }
        }
        for label in expired {
            self.expire_job(label);
        }
        picked
    }

    fn startable(&self, queue: u8) -> usize {
        let Some(queue) = self.queues.get(&queue) else { return usize::MAX };
        let active = queue.counts.get("active").copied().unwrap_or(0);
        let free = queue.concurrency.map_or(u64::MAX, |most| u64::from(most).saturating_sub(active));
        let starts = queue.rate.map_or(u64::MAX, |most| u64::from(most.saturating_sub(queue.starts)));
        if queue.paused { 0 } else { usize::try_from(free.min(starts)).unwrap_or(usize::MAX) }
    }

    /// The jobs of a queue in the order in which they are handed out.
    pub(super) fn ready(&self, queue: u8) -> Vec<Label> {
        let is_ready = |job: &Job| job.queue == queue && job.state == JobState::Available && !job.waits;
        let mut ready: Vec<_> =
            self.jobs.iter().filter(|(_, job)| is_ready(job)).map(|(label, job)| (job.rank(), *label)).collect();
        ready.sort_unstable();
        ready.into_iter().map(|(_, label)| label).collect()
    }

    fn start(&mut self, label: Label, worker: u8) -> u32 {
        let job = self.job_mut(label);
        let (queue, number) = (job.queue, job.lease_number() + 1);
        job.lease = Some(Lease::Held(number));
        job.attempt += 1;
        job.worker = Some(worker);
        job.lease_end = Moment::Ahead;
        job.overtime = Moment::Ahead;
        self.enter(label, JobState::Active);
        self.given.entry(label).or_default().push(number);
        if self.queue(queue).rate.is_some() {
            self.queue(queue).starts += 1;
        }
        self.tell_job("job.started", label);
        number
    }

    fn handed(&self, labels: &[Label]) -> String {
        let one = |label: &Label| {
            let job = &self.jobs[label];
            let result = |parent: &Label| {
                let kept = self.jobs.get(parent).is_some_and(|job| job.result);
                if kept { parent.to_string() } else { "null".to_owned() }
            };
            let parents: Vec<String> = job.parents.iter().map(result).collect();
            format!("{label} #{} lease {} errors {} of {parents:?}", job.attempt, job.lease_number(), job.errors)
        };
        labels.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// The lease that is presented; 0 is nobody's.
    pub(super) fn gripped(&self, label: Label, grip: Grip) -> u32 {
        let given = self.given.get(&label).map(Vec::as_slice).unwrap_or_default();
        match grip {
            Grip::Latest => given.last().copied().unwrap_or(0),
            Grip::Earlier => given.iter().rev().nth(1).copied().unwrap_or(0),
            Grip::Strange => 0,
        }
    }

    pub(super) fn end(&mut self, ends: &[(Label, Grip, Finish)]) -> String {
        let answers: Vec<&str> =
            ends.iter().map(|(label, grip, finish)| self.end_one(*label, *grip, *finish)).collect();
        answers.join(", ")
    }

    fn end_one(&mut self, label: Label, grip: Grip, finish: Finish) -> &'static str {
        let lease = Some(Lease::Held(self.gripped(label, grip)));
        let Some(job) = self.jobs.get(&label) else { return "Gone" };
        match job.state {
            _ if job.lease != lease => return "Stale",
            JobState::Cancelled => return "Cancelled",
            JobState::Active => {}
            _ => return "AlreadyEnded",
        }
        match finish {
            Finish::Done | Finish::DoneSilently => {
                let job = self.job_mut(label);
                job.failed = false;
                job.result |= finish == Finish::Done;
                self.enter(label, JobState::Completed);
                self.tell_job("job.completed", label);
                self.job_ended(label);
            }
            Finish::Retry => {
                self.fail(label);
                self.job_mut(label).due = Moment::Ahead;
                self.enter(label, JobState::Retryable);
                self.tell_job("job.retrying", label);
            }
            Finish::Discard => self.end_badly(label),
            Finish::Dead => {
                self.job_mut(label).dead = true;
                self.end_badly(label);
            }
            Finish::Return | Finish::ReturnLater => self.give_back(label, finish),
        }
        "Ended"
    }

    fn give_back(&mut self, label: Label, finish: Finish) {
        let job = self.job_mut(label);
        let queue = job.queue;
        job.attempt -= 1;
        job.returns += 1;
        if finish == Finish::Return {
            self.enter(label, JobState::Available);
            self.ring(queue, 1);
            return self.tell_job("job.enqueued", label);
        }
        self.job_mut(label).due = Moment::Ahead;
        self.enter(label, JobState::Retryable);
        self.tell_job("job.retrying", label);
    }

    pub(super) fn fail(&mut self, label: Label) {
        let job = self.job_mut(label);
        job.errors += 1;
        job.failed = true;
        self.tell_job("job.failed", label);
    }

    pub(super) fn end_badly(&mut self, label: Label) {
        self.fail(label);
        self.enter(label, JobState::Discarded);
        self.tell_job("job.discarded", label);
        self.job_ended(label);
    }
}
