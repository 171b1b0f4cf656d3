//! Why an entry ran at a time, did not run, or will (not) run: a verdict, a sentence, and the evidence.
//!
//! Everything is decided here, from what was read: the entry, its ledger, who led when, its queue, the workers that were heard
//! of, and the records of the runs concerned. What the ledger says comes first, because it is what was decided; the schedule
//! is asked only about instants that no row tells of.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::id::JobId;

mod asked;
mod cover;
mod facts;
mod future;
mod leadership;
mod past;
mod queued;
mod run;
mod verdict;
mod words;

#[cfg(test)]
mod cases;

pub use asked::{Asked, AskedError, AskedTime};
pub use cover::Covered;
pub use facts::{EntryFacts, Facts, QueueFacts, RateFacts, WorkerFacts};
pub use leadership::{Leadership, Leaderships, Vacancy};
pub use verdict::{Reason, Verdict};

use words::Wall;

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Why {
    /// The instant that it is about.
    pub at: Option<Timestamp>,
    /// What became of it, or will.
    pub verdict: Verdict,
    /// Why, where there is more than one possibility.
    pub reason: Option<Reason>,
    /// All of it for people.
    pub sentence: String,
    /// What it was concluded from.
    pub evidence: Map<String, Value>,
    /// What stands in the way of the next instant, as things are now.
    pub obstacles: Vec<Obstacle>,
    /// The answer on the next instant, if the last one was asked about.
    pub next: Option<Box<Self>>,
}

/// Something that keeps an entry from running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// What it is.
    pub reason: Reason,
    /// The same for people.
    pub sentence: String,
}

impl Why {
    fn new(verdict: Verdict, reason: Option<Reason>, sentence: String) -> Self {
        let (evidence, obstacles) = (Map::new(), Vec::new());
        Self { at: None, verdict, reason, sentence, evidence, obstacles, next: None }
    }

    fn tell(&mut self, name: &str, value: Value) {
        self.evidence.insert(name.to_owned(), value);
    }

    /// Everything that is to be said, a sentence each.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let mut said = vec![self.sentence.clone()];
        let coming = self.next.as_deref();
        said.extend(coming.map(|next| next.sentence.clone()));
        let obstacles = coming.map_or(&self.obstacles, |next| &next.obstacles);
        said.extend(obstacles.iter().map(|obstacle| format!("As things are, {}.", obstacle.sentence)));
        said
    }
}

impl Facts {
    /// The runs whose records are needed for an answer.
    #[must_use]
    pub fn runs_concerned(&self, asked: Asked) -> Vec<JobId> {
        let at = self.time_of(asked);
        let row = at.and_then(|at| self.covered(at)).map(Covered::row);
        let active = row.and_then(|row| match &row.decision {
            super::LedgerDecision::Skipped { active, .. } => *active,
            super::LedgerDecision::Fired(_) => None,
        });
        row.and_then(super::LedgerRow::job).into_iter().chain(active).collect()
    }

    /// Answers.
    #[must_use]
    pub fn answer(&self, asked: Asked) -> Why {
        match (asked, self.time_of(asked)) {
            (Asked::Last, Some(last)) => {
                let next = self.next_instant().map(|next| Box::new(self.judge(next.into())));
                Why { next, ..self.judge(last) }
            }
            (Asked::Last, None) => match self.next_instant() {
                Some(next) => self.judge(next.into()),
                None => self.never(),
            },
            (_, Some(time)) => self.judge(time),
            (_, None) => self.never(),
        }
    }

    fn time_of(&self, asked: Asked) -> Option<AskedTime> {
        match asked {
            Asked::Last => self.last_instant().map(AskedTime::from),
            Asked::Next => self.next_instant().map(AskedTime::from),
            Asked::At(time) => Some(time),
        }
    }

    fn judge(&self, time: AskedTime) -> Why {
        let wall = Wall::new(self.zone(), time.at);
        let mut why = match self.covered(time) {
            Some(covered) => past::recorded(self, time, covered, wall),
            None if time.at > self.now => future::coming(self, time, wall),
            None => past::unrecorded(self, time, wall),
        };
        why.at = Some(time.at);
        if let Some(entry) = &self.entry
            && why.verdict == Verdict::WillRun
        {
            let held = future::obstacles(self, entry, wall).into_iter();
            why.obstacles = held.map(|held| Obstacle { reason: held.reason, sentence: held.clause }).collect();
        }
        self.evidence(&mut why);
        why
    }

    /// What to say of an entry that has no instant to speak of.
    fn never(&self) -> Why {
        let name = &self.name;
        let (verdict, reason, sentence) = match &self.entry {
            None => (Verdict::Removed, None, format!("{name} was removed, and comes no more.")),
            Some(_) => (
                Verdict::WillNotRun,
                Some(Reason::Ended),
                format!("{name} will not run: its schedule has no further instant."),
            ),
        };
        let mut why = Why::new(verdict, reason, sentence);
        self.evidence(&mut why);
        why
    }

    fn evidence(&self, why: &mut Why) {
        if let Some(entry) = &self.entry {
            let schedule = &entry.schedule;
            why.tell(
                "entry",
                json!({
                    "cron": schedule.expression(), "timezone": schedule.zone(), "enabled": entry.enabled,
                    "overlap_policy": entry.overlap_policy.as_str(), "type": entry.job_type.as_str(),
                    "created_at": entry.created_at, "updated_at": entry.updated_at, "active_job_ids": entry.live,
                }),
            );
        }
        why.tell("leader", json!(self.leaderships.leader()));
        let led_then = why.at.and_then(|at| self.leaderships.at(at)).map(|term| term.instance.as_str());
        why.tell("leader_then", json!(led_then));
        why.tell("queue", json!(self.queue));
        why.tell("workers", json!(self.workers));
        let run = self.runs.iter().map(|run| {
            json!({"job_id": run.id, "state": run.state, "attempt": run.attempt, "worker_id": run.worker,
                "started_at": run.started_at, "due_at": run.due_at})
        });
        why.tell("runs", run.collect());
    }
}
