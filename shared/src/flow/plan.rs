//! A workflow, normalised: steps, which of them wait for which, and which stand within which.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::FlowKind;
use crate::job::{Envelope, Refusal};

/// A workflow that can be begun.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How it was described.
    pub kind: FlowKind,
    /// Its name; may be empty.
    pub name: String,
    /// Its steps, each before those within it, callbacks behind the members of their workflow.
    pub steps: Vec<Step>,
}

/// A step of a workflow.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name among those it stands with.
    pub name: String,
    /// What is done.
    pub work: Work,
    /// The step it stands within, by place; none at the top.
    pub within: Option<usize>,
    /// The steps it waits for, by place, in the order in which it names them. They stand within the same.
    pub depends_on: Vec<usize>,
    /// What it is for.
    pub role: StepRole,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Work {
    /// A job.
    Job(Box<Envelope>),
    /// A workflow, whose steps follow this one.
    Flow(FlowKind),
}

/// What a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepRole {
    /// It is what the workflow does.
    Member,
    /// It runs when all members have ended.
    OnComplete,
    /// It runs when all members have succeeded.
    OnSuccess,
    /// It runs when a member has failed.
    OnFailure,
}

impl StepRole {
    /// The word by which the scripts know a callback; `None` for a member.
    #[must_use]
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Member => None,
            Self::OnComplete => Some("complete"),
            Self::OnSuccess => Some("success"),
            Self::OnFailure => Some("failure"),
        }
    }
}

/// A workflow has at most so many steps, with all that stand within them: they begin in one call.
const STEPS_MAX: usize = 1000;
/// All of its steps together are handed at most so many results: each is kept as a reference with the job.
const HANDED_MAX: usize = 20_000;

impl Step {
    /// Its job, unless it is a workflow.
    #[must_use]
    pub fn envelope(&self) -> Option<&Envelope> {
        match &self.work {
            Work::Job(envelope) => Some(envelope),
            Work::Flow(_) => None,
        }
    }

    /// The type of its job, or the kind of its workflow.
    #[must_use]
    pub fn type_word(&self) -> &str {
        match &self.work {
            Work::Job(envelope) => envelope.job_type.as_str(),
            Work::Flow(kind) => kind.as_str(),
        }
    }

    fn is_member(&self) -> bool {
        self.role == StepRole::Member
    }
}

impl Plan {
    /// The steps that stand within a step, or at the top, by place: members, or callbacks.
    pub fn inside(&self, within: Option<usize>, members: StepSort) -> impl Iterator<Item = usize> + '_ {
        let wanted = move |step: &Step| step.within == within && step.is_member() == (members == StepSort::Members);
        self.steps.iter().enumerate().filter(move |(_, step)| wanted(step)).map(|(place, _)| place)
    }

    /// For each step the steps that wait for it.
    #[must_use]
    pub fn dependents(&self) -> Vec<Vec<usize>> {
        let mut dependents = vec![Vec::new(); self.steps.len()];
        for (place, step) in self.steps.iter().enumerate() {
            for &other in &step.depends_on {
                dependents[other].push(place);
            }
        }
        dependents
    }

    /// Whether a step has to wait when the workflow begins: for others, or because what it stands within waits.
    #[must_use]
    pub fn waits(&self, place: usize) -> bool {
        let step = &self.steps[place];
        !step.depends_on.is_empty() || !step.is_member() || step.within.is_some_and(|within| self.waits(within))
    }

    /// The names of a step and of those it stands within, from the outside, joined by `/`.
    #[must_use]
    pub fn path(&self, place: usize) -> String {
        let step = &self.steps[place];
        step.within.map_or_else(|| step.name.clone(), |within| format!("{}/{}", self.path(within), step.name))
    }

    /// For each step the jobs whose results it is handed, by place: those that come directly before it. For a callback, all
    /// members. A workflow hands on what its last steps do, in order.
    #[must_use]
    pub fn handed(&self) -> Vec<Vec<usize>> {
        let last = self.last_jobs();
        let mut handed: Vec<Vec<usize>> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let of = |places: &mut dyn Iterator<Item = usize>| places.flat_map(|place| last[place].clone()).collect();
            let before = match (step.role, step.depends_on.as_slice()) {
                (StepRole::Member, []) => step.within.map(|within| handed[within].clone()).unwrap_or_default(),
                (StepRole::Member, before) => of(&mut before.iter().copied()),
                _ => of(&mut self.inside(step.within, StepSort::Members)),
            };
            handed.push(before);
        }
        handed
    }

    /// For each step the jobs with which it ends: itself, or those of its members for which no other waits.
    fn last_jobs(&self) -> Vec<Vec<usize>> {
        let dependents = self.dependents();
        let mut last: Vec<Vec<usize>> = vec![Vec::new(); self.steps.len()];
        // From behind, because what stands within a step follows it.
        for (place, step) in self.steps.iter().enumerate().rev() {
            if step.envelope().is_some() {
                last[place] = vec![place];
            }
            if let (Some(within), true, true) = (step.within, step.is_member(), dependents[place].is_empty()) {
                let mine = last[place].clone();
                last[within].splice(0..0, mine);
            }
        }
        last
    }

    /// What is kept of the steps for showing them.
    #[must_use]
    pub fn outline(&self) -> Value {
        let names = |step: &Step| step.depends_on.iter().map(|&i| self.steps[i].name.clone()).collect::<Vec<_>>();
        let step = |step: &Step| {
            let mut outline = json!({"id": step.name, "type": step.type_word(), "depends_on": names(step)});
            if let Some(within) = step.within {
                outline["within"] = within.into();
            }
            outline
        };
        json!(self.steps.iter().map(step).collect::<Vec<_>>())
    }

    /// Refuses a plan that is too large, or has steps that wait for each other.
    pub(super) fn checked(self) -> Result<Self, Refusal> {
        if self.steps.len() > STEPS_MAX {
            let message = format!("a workflow has at most {STEPS_MAX} steps, with all that stand within them");
            return Err(Refusal::field("steps", message));
        }
        let mut names = HashSet::new();
        if let Some(place) = self.steps.iter().position(|step| !names.insert((step.within, step.name.as_str()))) {
            let message = format!("two steps are named `{}`", self.path(place));
            return Err(Refusal::field(format!("steps[{place}].id"), message));
        }
        if let Some(place) = self.on_a_cycle() {
            let message = format!("step `{}` waits for itself, by way of those it depends on", self.path(place));
            return Err(Refusal::field(format!("steps[{place}].depends_on"), message));
        }
        if self.handed().iter().map(Vec::len).sum::<usize>() > HANDED_MAX {
            let message = format!("the steps of a workflow are handed at most {HANDED_MAX} results in all");
            return Err(Refusal::field("steps", message));
        }
        Ok(self)
    }

    /// A step that can never run because it waits for itself. (Kahn: what is left when all that can run have run.)
    fn on_a_cycle(&self) -> Option<usize> {
        let dependents = self.dependents();
        let mut left: Vec<usize> = self.steps.iter().map(|step| step.depends_on.len()).collect();
        let mut ready: Vec<usize> = (0..left.len()).filter(|&i| left[i] == 0).collect();
        let mut ran = vec![false; left.len()];
        while let Some(place) = ready.pop() {
            ran[place] = true;
            for &other in &dependents[place] {
                left[other] -= 1;
                if left[other] == 0 {
                    ready.push(other);
                }
            }
        }
        ran.iter().position(|ran| !ran)
    }
}

/// Which of the steps that stand together are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepSort {
    /// What the workflow does.
    Members,
    /// What runs afterwards.
    Callbacks,
}
