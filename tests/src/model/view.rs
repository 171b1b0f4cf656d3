//! Everything that can be seen of a world, as lines that can be compared.

use std::collections::BTreeMap;

use carillon_shared::job::JobState;

use super::Model;
use super::command::{Label, QUEUES};
use super::job::{Job, Lease};
use super::spec::{Moment, Timeout};

/// Lines by what they are about. The store's world is brought into the same shape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View(pub BTreeMap<String, String>);

impl View {
    /// Adds a line.
    pub fn line(&mut self, about: String, text: String) {
        self.0.insert(about, text);
    }

    /// What differs, one line each: `about: expected | actual`.
    #[must_use]
    pub fn against(&self, actual: &Self) -> Vec<String> {
        let abouts = self.0.keys().chain(actual.0.keys().filter(|about| !self.0.contains_key(*about)));
        let text = |view: &Self, about: &str| view.0.get(about).cloned().unwrap_or_else(|| "nothing".to_owned());
        let differs = |about: &&String| self.0.get(*about) != actual.0.get(*about);
        abouts
            .filter(differs)
            .map(|about| format!("{about}: should be {} but is {}", text(self, about), text(actual, about)))
            .collect()
    }
}

impl Model {
    /// The world as it should look.
    #[must_use]
    pub fn view(&self) -> View {
        let mut view = View::default();
        for (label, job) in &self.jobs {
            view.line(format!("job {label}"), job.shown());
        }
        for queue in 0..QUEUES {
            self.view_queue(queue, &mut view);
        }
        for (about, labels) in self.indexes() {
            if !labels.is_empty() {
                view.line(about.to_owned(), format!("{labels:?}"));
            }
        }
        for (kind, label) in &self.unique {
            view.line(format!("unique u{kind}"), label.to_string());
        }
        for (label, flow) in &self.flows {
            view.line(format!("flow {label}"), flow.shown());
        }
        for (number, entry) in self.entries.iter().filter(|(_, entry)| entry.is_visible()) {
            view.line(format!("entry e{number}"), format!("{} live {:?}", entry.shown(), self.live(*number)));
        }
        view
    }

    fn view_queue(&self, queue: u8, view: &mut View) {
        let Some(known) = self.queues.get(&queue) else { return };
        let counts: Vec<_> = known.counts.iter().filter(|(_, count)| **count > 0).collect();
        let text = format!(
            "ready {:?} bell {} {counts:?}{}{}{} starts {}",
            self.ready(queue),
            known.rung,
            if known.paused { " paused" } else { "" },
            known.concurrency.map(|most| format!(" at most {most}")).unwrap_or_default(),
            known.rate.map(|most| format!(" {most} an hour")).unwrap_or_default(),
            known.starts,
        );
        view.line(format!("queue q{queue}"), text);
    }

    /// Which jobs stand in which index; sorted by label, but where order matters by that.
    fn indexes(&self) -> Vec<(&'static str, Vec<Label>)> {
        let those = |is_meant: &dyn Fn(&Job) -> bool| {
            self.jobs.iter().filter(|(_, job)| is_meant(job)).map(|(label, _)| *label).collect::<Vec<_>>()
        };
        let in_state = |state: JobState| those(&|job| job.state == state && !job.dead);
        vec![
            ("due", those(&|job| matches!(job.state, JobState::Scheduled | JobState::Retryable))),
            (
                "due now",
                self.passed(|job| matches!(job.state, JobState::Scheduled | JobState::Retryable).then_some(job.due)),
            ),
            ("parked", in_state(JobState::Pending)),
            ("leases", in_state(JobState::Active)),
            ("leases over", self.passed(|job| (job.state == JobState::Active).then_some(job.lease_end))),
            ("ended:completed", in_state(JobState::Completed)),
            ("ended:cancelled", in_state(JobState::Cancelled)),
            ("ended:discarded", in_state(JobState::Discarded)),
            ("ended:dead", those(&|job| job.dead)),
            ("expires", those(&|job| job.expires.is_some() && job.waits_for_a_claim())),
            ("timeouts", those(&|job| job.state == JobState::Active && job.timeout == Timeout::Hour)),
        ]
    }
}

impl Job {
    fn shown(&self) -> String {
        let lease = match self.lease {
            Some(Lease::Held(number)) => number.to_string(),
            Some(Lease::Lost(number)) => format!("{number} lost"),
            None => "none".to_owned(),
        };
        let flag = |holds: bool, word: &'static str| if holds { word } else { "" };
        format!(
            "{} q{} p{} #{} lease {lease} of {} crashes {} returns {} was {} errors {}{}{}{}{}{}",
            self.state,
            self.queue,
            self.priority,
            self.attempt,
            self.worker.map_or_else(|| "nobody".to_owned(), |worker| format!("w{worker}")),
            self.crashes,
            self.returns,
            self.previous.map_or("nothing", JobState::as_str),
            self.errors,
            flag(self.result, " result"),
            flag(self.progress, " progress"),
            flag(self.failed, " failed"),
            flag(self.dead, " dead"),
            flag(self.waits, " waits"),
        )
    }
}

impl Moment {
    /// Whether it is over.
    #[must_use]
    pub fn is_past(self) -> bool {
        self != Self::Ahead
    }
}
