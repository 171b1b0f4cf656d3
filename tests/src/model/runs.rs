//! Runs of cron entries: those that are live, and those that wait behind them.

use carillon_shared::job::JobState;

use super::Model;
use super::command::{Fired, Label, Sight};
use super::job::Job;
use super::spec::Spec;

/// An entry. What became of it outlives its registration.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    is_registered: bool,
    runs: u64,
    rows: u64,
    waiting: Vec<Label>,
}

impl Entry {
    /// Nothing is left of an entry that is gone and never fired.
    pub(super) fn is_visible(&self) -> bool {
        self.is_registered || self.rows > 0
    }

    pub(super) fn shown(&self) -> String {
        let runs = if self.is_registered { format!("runs {} ", self.runs) } else { String::new() };
        format!("{runs}rows {} waiting {:?}", self.rows, self.waiting)
    }
}

impl Model {
    /// `e0` says `skip`, `e1` says `enqueue`, `e2` says `allow`. Of one that is gone nobody knows what it said.
    pub(super) fn is_concurrent(&self, entry: u8) -> bool {
        entry == 2 && self.entries.get(&entry).is_some_and(|entry| entry.is_registered)
    }

    pub(super) fn register(&mut self, entry: u8) -> String {
        let entry = self.entries.entry(entry).or_default();
        if !entry.is_registered {
            entry.is_registered = true;
            entry.runs = 0;
        }
        String::new()
    }

    pub(super) fn remove(&mut self, entry: u8) -> String {
        let was = self.entries.get_mut(&entry).is_some_and(|entry| std::mem::take(&mut entry.is_registered));
        if was { "removed" } else { "gone" }.to_owned()
    }

    /// The runs of an entry that have not ended.
    pub(super) fn live(&self, entry: u8) -> Vec<Label> {
        let is_live = |job: &Job| job.entry == Some(entry) && !job.state.is_terminal();
        self.jobs.iter().filter(|(_, job)| is_live(job)).map(|(label, _)| *label).collect()
    }

    pub(super) fn line_up(&mut self, entry: u8, run: Label) {
        self.entries.entry(entry).or_default().waiting.push(run);
    }

    pub(super) fn fire(&mut self, entry: u8, run: Label, decision: Fired, sight: Sight) -> String {
        if !self.entries.get(&entry).is_some_and(|entry| entry.is_registered) {
            return "Gone".to_owned();
        }
        if decision != Fired::Skip && self.jobs.contains_key(&run) {
            return "Applied".to_owned();
        }
        if sight == Sight::Blurred {
            return "Stale".to_owned();
        }
        if decision == Fired::Instead {
            self.end_all(entry);
        }
        let known = self.entries.get_mut(&entry).expect("it is registered");
        known.rows += 1;
        if decision == Fired::Skip {
            self.tell("cron.skipped", format!("e{entry}"));
            return "Applied".to_owned();
        }
        known.runs += 1;
        self.start_run(entry, run, decision);
        self.tell("cron.triggered", format!("e{entry}"));
        "Applied".to_owned()
    }

    /// Nobody is let go by these ends: the new run takes the place of all of them.
    fn end_all(&mut self, entry: u8) {
        for run in self.live(entry) {
            self.cancel_job(run);
            self.job_mut(run).waits = false;
            self.entries.get_mut(&entry).expect("it is registered").rows += 1;
        }
        self.entries.get_mut(&entry).expect("it is registered").waiting.clear();
    }

    fn start_run(&mut self, entry: u8, run: Label, decision: Fired) {
        let spec = Spec::plain(run, entry);
        let waits = decision == Fired::Behind;
        let mut job = Job { entry: Some(entry), waits, ..Job::new(&spec, 0) };
        job.seq = self.next_seq(spec.queue);
        self.jobs.insert(run, job);
        self.count(spec.queue, JobState::Available);
        if waits {
            self.line_up(entry, run)
        } else {
            self.ring(spec.queue, 1)
        }
        self.tell_job("job.enqueued", run);
    }

    /// What the end of a run means to its entry: a row, and the next in line when no other is at large.
    pub(super) fn run_ended(&mut self, run: Label) {
        let Some(entry) = self.jobs[&run].entry else { return };
        let known = self.entries.get_mut(&entry).expect("it fired");
        known.rows += 1;
        known.waiting.retain(|other| *other != run);
        let is_at_large = |other: &Label| !self.jobs[other].waits;
        if self.live(entry).iter().any(is_at_large) {
            return;
        }
        let known = self.entries.get_mut(&entry).expect("it fired");
        if known.waiting.is_empty() {
            return;
        }
        let next = known.waiting.remove(0);
        let queue = self.jobs[&next].queue;
        self.job_mut(next).waits = false;
        self.ring(queue, 1);
    }
}
