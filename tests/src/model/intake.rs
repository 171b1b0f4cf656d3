//! How jobs come into being: one by one, in batches, in place of others, or not at all.

use carillon_shared::job::{JobState, OnConflict};

use super::Model;
use super::command::Label;
use super::job::Job;
use super::spec::{Moment, Period, Spec, Unique};

/// What was decided on one job of a batch.
enum Verdict {
    /// This very request made it before.
    Made,
    /// Another stands for it.
    Ignored(Label),
    /// It is taken in; the other is cancelled, if it is live.
    Taken { replaces: Option<Label>, due: Option<Moment> },
}

impl Model {
    pub(super) fn enqueue(&mut self, specs: &[Spec], request: u64) -> String {
        match self.judge(specs, request) {
            Err(refusal) => refusal,
            Ok(verdicts) => {
                let told = specs.iter().zip(verdicts).map(|(spec, verdict)| self.settle(spec, &verdict, request));
                told.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// All or none: the first that cannot be taken in is the answer.
    fn judge(&self, specs: &[Spec], request: u64) -> Result<Vec<Verdict>, String> {
        let mut verdicts: Vec<Verdict> = Vec::new();
        let mut seen: Vec<(Option<u8>, Label)> = Vec::new();
        for (place, spec) in specs.iter().enumerate() {
            let label = spec.label;
            let there = self.jobs.get(&label);
            let twice = specs[..place].iter().any(|other| other.label == label);
            if twice || there.is_some_and(|job| job.request != request) {
                return Err(format!("exists {label}"));
            }
            let kind = spec.unique.map(|unique| unique.kind);
            if there.is_some() {
                verdicts.push(Verdict::Made);
                seen.push((kind, label));
                continue;
            }
            let before = seen.iter().rev().find(|(other, _)| kind.is_some() && *other == kind).map(|(_, label)| *label);
            let holder = before.or_else(|| spec.unique.and_then(|unique| self.holder(unique)));
            let Some(verdict) = self.verdict(spec, holder, before) else {
                return Err(format!("duplicate of {} at {place}", holder.unwrap_or_default()));
            };
            if !matches!(verdict, Verdict::Ignored(_)) {
                seen.push((kind, label));
            }
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    /// `None` when the job is refused. `before`: the same job, earlier in the batch.
    fn verdict(&self, spec: &Spec, holder: Option<Label>, before: Option<Label>) -> Option<Verdict> {
        let (Some(unique), Some(holder)) = (spec.unique, holder) else {
            return Some(Verdict::Taken { replaces: None, due: None });
        };
        match unique.on_conflict {
            OnConflict::Reject => None,
            OnConflict::Ignore => Some(Verdict::Ignored(holder)),
            OnConflict::Replace | OnConflict::ReplaceExceptSchedule if before.is_some() => None,
            policy => {
                let job = &self.jobs[&holder];
                let keeps = policy == OnConflict::ReplaceExceptSchedule && job.state == JobState::Scheduled;
                let replaces = (!job.state.is_terminal()).then_some(holder);
                Some(Verdict::Taken { replaces, due: keeps.then_some(job.due) })
            }
        }
    }

    fn holder(&self, unique: Unique) -> Option<Label> {
        let label = *self.unique.get(&unique.kind)?;
        let job = self.jobs.get(&label)?;
        let is_over = unique.period == Period::Hour && job.aged;
        (unique.states.contains(&job.state) && !is_over).then_some(label)
    }

    fn settle(&mut self, spec: &Spec, verdict: &Verdict, request: u64) -> String {
        match verdict {
            Verdict::Made => format!("{} {}", spec.label, self.jobs[&spec.label].state),
            Verdict::Ignored(holder) => format!("ignored for {holder}"),
            Verdict::Taken { replaces, due } => {
                if let Some(holder) = replaces.filter(|holder| !self.jobs[holder].state.is_terminal()) {
                    self.cancel_job(holder);
                    self.job_ended(holder);
                }
                let mut job = Job::new(spec, request);
                if let Some(due) = due {
                    job.due = *due;
                    job.state = match due {
                        Moment::Ahead => JobState::Scheduled,
                        Moment::Past(_) => JobState::Available,
                    };
                }
                self.take_in(spec.label, job);
                format!("{} {}", spec.label, self.jobs[&spec.label].state)
            }
        }
    }

    pub(super) fn take_in(&mut self, label: Label, mut job: Job) {
        let queue = job.queue;
        if matches!(job.expires, Some(Moment::Past(_))) {
            job.state = JobState::Discarded;
        }
        job.seq = self.next_seq(queue);
        if let Some(kind) = job.unique {
            self.unique.insert(kind, label);
        }
        let state = job.state;
        self.jobs.insert(label, job);
        self.count(queue, state);
        match state {
            JobState::Available => {
                self.ring(queue, 1);
                self.tell_job("job.enqueued", label);
            }
            JobState::Scheduled => self.tell_job("job.scheduled", label),
            JobState::Discarded => self.tell_job("job.expired", label),
            _ => {}
        }
    }
}
