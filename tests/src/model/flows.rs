//! Workflows of the model: steps that wait for others, and callbacks that wait for all.

use carillon_shared::job::JobState;

use super::Model;
use super::command::{Label, Shape};
use super::job::Job;
use super::spec::{Spec, When};

/// When a callback runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Callback {
    Complete,
    Success,
    Failure,
}

/// A step.
#[derive(Debug, Clone)]
struct Step {
    state: &'static str,
    waits_for: usize,
    dependents: Vec<usize>,
    callback: Option<Callback>,
}

/// A workflow.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    state: &'static str,
    left: usize,
    done: usize,
    failed: usize,
    steps: Vec<Step>,
}

impl Shape {
    /// For each member, those it waits for.
    fn members(self) -> &'static [&'static [usize]] {
        match self {
            Self::Chain => &[&[], &[0], &[1]],
            Self::Group | Self::Batch => &[&[], &[]],
            Self::Diamond => &[&[], &[0], &[0], &[1, 2]],
        }
    }

    fn callbacks(self) -> &'static [Callback] {
        match self {
            Self::Batch => &[Callback::Complete, Callback::Success, Callback::Failure],
            _ => &[],
        }
    }

    /// How many jobs it makes.
    #[must_use]
    pub fn steps(self) -> usize {
        self.members().len() + self.callbacks().len()
    }
}

/// The label of a step.
fn step_label(flow: Label, place: usize) -> Label {
    flow + 1 + Label::try_from(place).expect("a workflow is small")
}

impl Flow {
    fn new(shape: Shape) -> Self {
        let members = shape.members();
        let member = |(place, waits_for): (usize, &&[usize])| Step {
            state: if waits_for.is_empty() { "enqueued" } else { "waiting" },
            waits_for: waits_for.len(),
            dependents: (0..members.len()).filter(|other| members[*other].contains(&place)).collect(),
            callback: None,
        };
        let callback = |callback: &Callback| Step {
            state: "waiting",
            waits_for: 0,
            dependents: Vec::new(),
            callback: Some(*callback),
        };
        let callbacks = shape.callbacks().iter().map(callback);
        let steps = members.iter().enumerate().map(member).chain(callbacks).collect();
        Self { state: "running", left: members.len(), done: 0, failed: 0, steps }
    }

    pub(super) fn shown(&self) -> String {
        let steps: Vec<&str> = self.steps.iter().map(|step| step.state).collect();
        format!("{} left {} done {} failed {} {steps:?}", self.state, self.left, self.done, self.failed)
    }
}

impl Model {
    pub(super) fn begin_flow(&mut self, label: Label, shape: Shape, queue: u8) -> String {
        if self.flows.contains_key(&label) {
            return "begun".to_owned();
        }
        let flow = Flow::new(shape);
        for (place, step) in flow.steps.iter().enumerate() {
            let when = if step.state == "waiting" { When::Pending } else { When::Now };
            let spec = Spec { when, ..Spec::plain(step_label(label, place), queue) };
            let waits_for: Vec<usize> = match shape.members().get(place) {
                Some(members) => members.to_vec(),
                None => (0..shape.members().len()).collect(),
            };
            let parents = waits_for.into_iter().map(|other| step_label(label, other)).collect();
            self.take_in(spec.label, Job { flow: Some((label, place)), parents, ..Job::new(&spec, 0) });
        }
        self.flows.insert(label, flow);
        self.tell("workflow.started", format!("flow {label}"));
        "begun".to_owned()
    }

    pub(super) fn cancel_flow(&mut self, label: Label) -> String {
        let Some(flow) = self.flows.get_mut(&label) else { return "Gone".to_owned() };
        if !["running", "cancelled"].contains(&flow.state) {
            return format!("Ended({})", flow.state);
        }
        let was_running = flow.state == "running";
        flow.state = "cancelled";
        let is_open = |step: &Step| step.state == "waiting" || step.state == "enqueued";
        let open: Vec<Label> = (0..flow.steps.len())
            .filter(|place| is_open(&flow.steps[*place]))
            .map(|place| step_label(label, place))
            .collect();
        for job in &open {
            self.cancel(*job);
        }
        if was_running { format!("Cancelled({open:?})") } else { "Ended(cancelled)".to_owned() }
    }

    /// What the end of a job means to its workflow.
    pub(super) fn step_ended(&mut self, label: Label) {
        let job = &self.jobs[&label];
        let (Some((id, place)), state) = (job.flow, job.state) else { return };
        let Some(flow) = self.flows.get_mut(&id) else { return };
        if !["waiting", "enqueued"].contains(&flow.steps[place].state) {
            return;
        }
        flow.steps[place].state = match state {
            JobState::Completed => "completed",
            JobState::Cancelled => "cancelled",
            _ => "failed",
        };
        if flow.steps[place].callback.is_some() {
            return;
        }
        flow.left -= 1;
        if state == JobState::Completed {
            flow.done += 1
        } else {
            flow.failed += 1
        }
        if flow.state != "running" {
            return;
        }
        for other in flow.steps[place].dependents.clone() {
            if state == JobState::Completed { self.unblock(id, other) } else { self.drop_step(id, other) }
        }
        self.tell("workflow.step_completed", format!("flow {id}"));
        if self.flows[&id].left == 0 {
            self.close(id);
        }
    }

    /// What still runs of them ends alone.
    pub(super) fn trim_flows(&mut self) -> String {
        let before = self.flows.len();
        self.flows.retain(|_, flow| flow.state == "running");
        (before - self.flows.len()).to_string()
    }

    fn step(&mut self, flow: Label, place: usize) -> &mut Step {
        &mut self.flows.get_mut(&flow).expect("the caller saw it").steps[place]
    }

    fn unblock(&mut self, flow: Label, place: usize) {
        self.step(flow, place).waits_for -= 1;
        if self.step(flow, place).waits_for == 0 {
            self.release(flow, place);
        }
    }

    fn release(&mut self, flow: Label, place: usize) {
        if self.step(flow, place).state == "waiting" {
            self.step(flow, place).state = "enqueued";
            self.make_available(step_label(flow, place));
        }
    }

    /// A step that can never run, and those that wait for it.
    fn drop_step(&mut self, flow: Label, place: usize) {
        if self.step(flow, place).state != "waiting" {
            return;
        }
        self.step(flow, place).state = "cancelled";
        if self.step(flow, place).callback.is_none() {
            self.flows.get_mut(&flow).expect("the caller saw it").left -= 1;
        }
        self.cancel_job(step_label(flow, place));
        for other in self.step(flow, place).dependents.clone() {
            self.drop_step(flow, other);
        }
    }

    fn close(&mut self, id: Label) {
        let flow = self.flows.get_mut(&id).expect("the caller saw it");
        let has_failed = flow.failed > 0;
        flow.state = if has_failed { "failed" } else { "completed" };
        let (state, callbacks) = (flow.state, flow.steps.iter().map(|step| step.callback).enumerate());
        let callbacks: Vec<_> = callbacks.filter_map(|(place, callback)| Some((place, callback?))).collect();
        for (place, callback) in callbacks {
            let runs = match callback {
                Callback::Complete => true,
                Callback::Success => !has_failed,
                Callback::Failure => has_failed,
            };
            if runs { self.release(id, place) } else { self.drop_step(id, place) }
        }
        self.tell(&format!("workflow.{state}"), format!("flow {id}"));
    }
}
