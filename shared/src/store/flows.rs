//! Workflows: begun, looked at, cancelled. They advance in the scripts that end their steps.

use serde_json::Value;

use super::connection::Arg;
use super::fields::{Fields, Named as _};
use super::record::{Said, json_value};
use super::{Reply, Store, StoreError, script};
use crate::clock::Timestamp;
use crate::flow::{Plan, StepSort, Work};
use crate::id::{JobId, Partition, nonce};

/// A workflow as it stands.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Its id.
    pub id: JobId,
    /// `chain`, `group`, `batch` or `dag`.
    pub kind: String,
    /// Its name; may be empty.
    pub name: String,
    /// `running`, `completed`, `failed` or `cancelled`.
    pub state: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Members that succeeded.
    pub done: u64,
    /// Members that did not.
    pub failed: u64,
    /// Its steps, each before those that stand within it.
    pub steps: Vec<FlowStep>,
}

/// A step of a workflow as it stands.
#[derive(Debug, Clone)]
pub struct FlowStep {
    /// `{"id", "type", "depends_on"}`, and `within`: the place of the step it stands within, if it does.
    pub outline: Value,
    /// What kind of callback it is, if it is one: `complete`, `success` or `failure`.
    pub callback: Option<String>,
    /// `waiting`, `enqueued`, `completed`, `failed` or `cancelled`.
    pub state: String,
    /// What it does.
    pub work: FlowWork,
}

/// What a step of a workflow does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowWork {
    /// This job.
    Job(JobId),
    /// A workflow, whose steps stand within the step.
    Flow {
        /// Members that succeeded.
        done: u64,
        /// Members that did not.
        failed: u64,
    },
}

impl FlowStep {
    /// Its job, unless it is a workflow.
    #[must_use]
    pub fn job_id(&self) -> Option<JobId> {
        match self.work {
            FlowWork::Job(id) => Some(id),
            FlowWork::Flow { .. } => None,
        }
    }

    /// The place of the step it stands within; none at the top.
    #[must_use]
    pub fn within(&self) -> Option<usize> {
        self.outline.get("within").and_then(Value::as_u64).and_then(|place| usize::try_from(place).ok())
    }
}

/// What became of a cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowCancel {
    /// It is cancelled; these of its jobs had not ended.
    Cancelled(Vec<JobId>),
    /// It had ended already, in this state.
    Ended(String),
    /// There is no such workflow.
    Gone,
}

impl Store {
    /// Begins a workflow in the partition of its steps' queues.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached or takes no more.
    pub async fn begin_flow(&self, id: JobId, plan: &Plan, partition: Partition) -> Result<(), StoreError> {
        let keys = self.key(partition);
        let now = self.clock().now();
        let ids: Vec<JobId> = plan.steps.iter().map(|_| JobId::random(now, partition)).collect();
        let mut names = vec![keys.due(), keys.parked(), keys.expires(), keys.flow(id)];
        let mut args: Vec<Arg<'_>> = vec![id.to_string().into()];
        args.extend(owned(flow_fields(plan, &ids)));
        let handed = plan.handed();
        for (place, (step, job)) in plan.steps.iter().zip(&ids).enumerate() {
            let Some(envelope) = step.envelope() else { continue };
            let queue = &envelope.queue;
            names.extend([keys.job(*job), keys.envelope(*job), keys.ready(queue), keys.queue(queue), keys.bell(queue)]);
            let mut kept = envelope.clone();
            kept.meta.insert("workflow_id".to_owned(), id.to_string().into());
            kept.unknown.insert("step_id".to_owned(), plan.path(place).into());
            let state = if plan.waits(place) { "pending" } else { "available" };
            args.extend([job.to_string().into(), state.into(), kept.to_kept_json().into()]);
            let parents: Vec<String> = handed[place].iter().map(|&other| ids[other].to_string()).collect();
            let mut said = Said::new(envelope);
            said.note("flow", &id.to_string());
            said.note("step", &place.to_string());
            said.note_some("parents", (!parents.is_empty()).then(|| parents.join(",")));
            args.push(said.into_text().into());
        }
        self.run(&script::flow_create, &keys, names, args).await?;
        Ok(())
    }

    /// Looks at a workflow.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a workflow.
    pub async fn flow(&self, id: JobId) -> Result<Option<Flow>, StoreError> {
        for partition in self.keys().partitions_of(id) {
            let key = self.key(partition).flow(id);
            let hash =
                Fields::new(key.clone(), &Reply::new("flow", self.send(redis::cmd("HGETALL").arg(&key)).await?)?)?;
            if !hash.is_empty() {
                return flow(id, &key, &hash).map(Some);
            }
        }
        Ok(None)
    }

    /// Ends a workflow, then cancels what is left of it.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached; the call may be made again.
    pub async fn cancel_flow(&self, id: JobId, reason: &str) -> Result<FlowCancel, StoreError> {
        let request = nonce();
        for partition in self.keys().partitions_of(id) {
            let keys = self.key(partition);
            let args = vec![id.to_string().into(), request.as_str().into()];
            let reply = self.run(&script::flow_cancel, &keys, vec![keys.flow(id), keys.flows()], args).await?;
            match reply.text(0)?.as_str() {
                "gone" => {}
                code => {
                    let jobs: Vec<JobId> =
                        reply.texts(3.min(reply.len()))?.iter().filter_map(|id| id.parse().ok()).collect();
                    for job in &jobs {
                        self.cancel(*job, "workflow", reason).await?;
                    }
                    let ended = code == "conflict";
                    return Ok(if ended { FlowCancel::Ended(reply.text(2)?) } else { FlowCancel::Cancelled(jobs) });
                }
            }
        }
        Ok(FlowCancel::Gone)
    }
}

/// The fields of a workflow; the scripts know them by these names (see `flow.lua`).
fn flow_fields(plan: &Plan, ids: &[JobId]) -> Vec<(String, String)> {
    let steps = plan.inside(None, StepSort::Members).count().to_string();
    let mut fields: Vec<(String, String)> = [
        ("kind", plan.kind.as_str().to_owned()),
        ("name", plan.name.clone()),
        ("state", "running".to_owned()),
        ("steps", steps),
        ("nodes", plan.steps.len().to_string()),
        ("outline", plan.outline().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    fields.extend(level_fields(plan, None));
    let dependents = plan.dependents();
    for (place, step) in plan.steps.iter().enumerate() {
        let mut put = |name: &str, value: String| fields.push((format!("{name}:{place}"), value));
        put("n", plan.path(place));
        put("s", if plan.waits(place) { "waiting" } else { "enqueued" }.to_owned());
        if let Some(within) = step.within {
            put("u", within.to_string());
        }
        if !step.depends_on.is_empty() {
            put("d", step.depends_on.len().to_string());
        }
        if !dependents[place].is_empty() {
            put("o", listed(dependents[place].iter().copied()));
        }
        if let Some(word) = step.role.word() {
            put("c", word.to_owned());
        }
        match &step.work {
            Work::Job(_) => put("j", ids[place].to_string()),
            Work::Flow(kind) => {
                put("t", kind.as_str().to_owned());
                put("m", listed(plan.inside(Some(place), StepSort::Members)));
                fields.extend(level_fields(plan, Some(place)));
            }
        }
    }
    fields
}

/// The counters of a workflow, or of one within it, and its callbacks.
fn level_fields(plan: &Plan, within: Option<usize>) -> Vec<(String, String)> {
    let node = within.map_or_else(|| "r".to_owned(), |place| place.to_string());
    let callbacks = listed(plan.inside(within, StepSort::Callbacks));
    let left = plan.inside(within, StepSort::Members).count().to_string();
    let mut fields =
        vec![(format!("l:{node}"), left), (format!("f:{node}"), "0".to_owned()), (format!("x:{node}"), "0".to_owned())];
    fields.extend((!callbacks.is_empty()).then(|| (format!("k:{node}"), callbacks)));
    fields
}

fn listed(places: impl Iterator<Item = usize>) -> String {
    places.map(|place| place.to_string()).collect::<Vec<_>>().join(",")
}

fn owned(fields: Vec<(String, String)>) -> Vec<Arg<'static>> {
    let mut args: Vec<Arg<'static>> = vec![i64::try_from(fields.len()).unwrap_or(0).into()];
    args.extend(fields.into_iter().flat_map(|(name, value)| [name.into(), value.into()]));
    args
}

fn flow(id: JobId, key: &str, hash: &Fields) -> Result<Flow, StoreError> {
    let outline = json_value(|| key.to_owned(), hash.text("outline").unwrap_or("[]"))?;
    let outlines = outline.as_array().map(Vec::as_slice).unwrap_or_default();
    let steps = outlines.iter().enumerate().map(|(place, outline)| flow_step(place, outline, hash));
    Ok(Flow {
        id,
        kind: hash.required("kind")?,
        name: hash.text("name").unwrap_or_default().to_owned(),
        state: hash.required("state")?,
        created_at: Timestamp::from_ms(hash.required("created")?),
        ended_at: hash.time("ended")?,
        done: hash.required("f:r")?,
        failed: hash.required("x:r")?,
        steps: steps.collect::<Result<_, StoreError>>()?,
    })
}

fn flow_step(place: usize, outline: &Value, hash: &Fields) -> Result<FlowStep, StoreError> {
    let work = match hash.parsed(&format!("j:{place}"))? {
        Some(job) => FlowWork::Job(job),
        None => FlowWork::Flow {
            done: hash.required(&format!("f:{place}"))?,
            failed: hash.required(&format!("x:{place}"))?,
        },
    };
    Ok(FlowStep {
        outline: outline.clone(),
        callback: hash.text(&format!("c:{place}")).map(str::to_owned),
        state: hash.required(&format!("s:{place}"))?,
        work,
    })
}
