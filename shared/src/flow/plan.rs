//! A workflow, normalised: steps, and which of them wait for which.

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
    /// Its steps, callbacks last.
    pub steps: Vec<Step>,
}

/// A step of a workflow.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name within the workflow.
    pub name: String,
    /// Its job.
    pub envelope: Envelope,
    /// The steps it waits for, by place.
    pub depends_on: Vec<usize>,
    /// What it is for.
    pub role: StepRole,
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

/// A workflow has at most so many steps: they begin in one call.
const STEPS_MAX: usize = 1000;

impl Plan {
    /// The members, without callbacks.
    pub fn members(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.steps.iter().enumerate().filter(|(_, step)| step.role == StepRole::Member)
    }

    /// The steps that wait for step `place`.
    pub fn dependents(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        self.steps.iter().enumerate().filter(move |(_, step)| step.depends_on.contains(&place)).map(|(other, _)| other)
    }

    /// What is kept of the steps for showing them.
    #[must_use]
    pub fn outline(&self) -> Value {
        let names = |step: &Step| step.depends_on.iter().map(|&i| self.steps[i].name.clone()).collect::<Vec<_>>();
        let step =
            |step: &Step| json!({"id": step.name, "type": step.envelope.job_type.as_str(), "depends_on": names(step)});
        json!(self.steps.iter().map(step).collect::<Vec<_>>())
    }

    /// Refuses a plan that has no members, too many steps, two of one name, or steps that wait for each other.
    pub(super) fn checked(self) -> Result<Self, Refusal> {
        if self.members().next().is_none() {
            return Err(Refusal::field("steps", "a workflow has at least one step"));
        }
        if self.steps.len() > STEPS_MAX {
            return Err(Refusal::field("steps", format!("a workflow has at most {STEPS_MAX} steps")));
        }
        for (place, step) in self.steps.iter().enumerate() {
            if self.steps[..place].iter().any(|other| other.name == step.name) {
                return Err(Refusal::field(
                    format!("steps[{place}].id"),
                    format!("two steps are named `{}`", step.name),
                ));
            }
        }
        match self.on_a_cycle() {
            Some(place) => {
                let message =
                    format!("step `{}` waits for itself, by way of those it depends on", self.steps[place].name);
                Err(Refusal::field(format!("steps[{place}].depends_on"), message))
            }
            None => Ok(self),
        }
    }

    /// A step that can never run because it waits for itself. (Kahn: what is left when all that can run have run.)
    fn on_a_cycle(&self) -> Option<usize> {
        let mut left: Vec<usize> = self.steps.iter().map(|step| step.depends_on.len()).collect();
        let mut ready: Vec<usize> = (0..left.len()).filter(|&i| left[i] == 0).collect();
        let mut ran = vec![false; left.len()];
        while let Some(place) = ready.pop() {
            ran[place] = true;
            for other in self.dependents(place) {
                left[other] -= 1;
                if left[other] == 0 {
                    ready.push(other);
                }
            }
        }
        ran.iter().position(|ran| !ran)
    }
}
