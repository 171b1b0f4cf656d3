//! Workflows: begun, looked at, cancelled. They advance in the scripts that end their steps.

use serde_json::Value;

use super::connection::Arg;
use super::jobs::{flattened, record_fields};
use super::record::{Hash, json_value};
use super::{Reply, Store, StoreError, script};
use crate::clock::Timestamp;
use crate::flow::{Plan, StepRole};
use crate::id::{JobId, Partition};

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
    /// Its steps.
    pub steps: Vec<FlowStep>,
}

/// A step of a workflow as it stands.
#[derive(Debug, Clone)]
pub struct FlowStep {
    /// `{"id", "type", "depends_on"}`.
    pub outline: Value,
    /// Whether it is a callback.
    pub is_callback: bool,
    /// `waiting`, `enqueued`, `completed`, `failed` or `cancelled`.
    pub state: String,
    /// Its job.
    pub job_id: JobId,
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
        for (place, (step, job)) in plan.steps.iter().zip(&ids).enumerate() {
            let queue = &step.envelope.queue;
            names.extend([keys.job(*job), keys.envelope(*job), keys.ready(queue), keys.queue(queue), keys.bell(queue)]);
            let waits = !step.depends_on.is_empty() || step.role != StepRole::Member;
            let mut envelope = step.envelope.clone();
            envelope.meta.insert("workflow_id".to_owned(), id.to_string().into());
            let json = Value::Object(envelope.to_json(*job)).to_string();
            args.extend([job.to_string().into(), if waits { "pending" } else { "available" }.into(), Arg::from(json)]);
            let mut fields = record_fields(&step.envelope);
            fields.extend([("flow", id.to_string().into()), ("step", Arg::from(place.to_string()))]);
            fields.extend(parents(plan, place, &ids).map(|parents| ("parents", parents.into())));
            args.extend(flattened(fields));
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
            let hash = Hash::new(key.clone(), &Reply::new("flow", self.send(redis::cmd("HGETALL").arg(&key)).await?)?)?;
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
        for partition in self.keys().partitions_of(id) {
            let keys = self.key(partition);
            let reply = self
                .run(&script::flow_cancel, &keys, vec![keys.flow(id), keys.flows()], vec![id.to_string().into()])
                .await?;
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
    let members = plan.members().count().to_string();
    let mut fields: Vec<(String, String)> = [
        ("kind", plan.kind.as_str().to_owned()),
        ("name", plan.name.clone()),
        ("state", "running".to_owned()),
        ("steps", plan.steps.len().to_string()),
        ("left", members),
        ("done", "0".to_owned()),
        ("failed", "0".to_owned()),
        ("outline", plan.outline().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (place, step) in plan.steps.iter().enumerate() {
        let waits = !step.depends_on.is_empty() || step.role != StepRole::Member;
        fields.push((format!("j:{place}"), ids[place].to_string()));
        fields.push((format!("s:{place}"), if waits { "waiting" } else { "enqueued" }.to_owned()));
        if !step.depends_on.is_empty() {
            fields.push((format!("d:{place}"), step.depends_on.len().to_string()));
        }
        let dependents: Vec<String> = plan.dependents(place).map(|other| other.to_string()).collect();
        if !dependents.is_empty() {
            fields.push((format!("o:{place}"), dependents.join(",")));
        }
        fields.extend(step.role.word().map(|word| (format!("c:{place}"), word.to_owned())));
    }
    fields
}

/// The jobs whose results a step is handed: those it depends on; for a callback, all members.
fn parents(plan: &Plan, place: usize, ids: &[JobId]) -> Option<String> {
    let step = &plan.steps[place];
    let places: Vec<usize> = match step.role {
        StepRole::Member => step.depends_on.clone(),
        _ => plan.members().map(|(place, _)| place).collect(),
    };
    let parents: Vec<String> = places.iter().map(|&place| ids[place].to_string()).collect();
    (!parents.is_empty()).then(|| parents.join(","))
}

fn owned(fields: Vec<(String, String)>) -> Vec<Arg<'static>> {
    let mut args: Vec<Arg<'static>> = vec![i64::try_from(fields.len()).unwrap_or(0).into()];
    args.extend(fields.into_iter().flat_map(|(name, value)| [name.into(), value.into()]));
    args
}

fn flow(id: JobId, key: &str, hash: &Hash) -> Result<Flow, StoreError> {
    let outline = json_value(key, hash.text("outline").unwrap_or("[]"))?;
    let steps = outline.as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate().map(|(place, outline)| {
        Ok(FlowStep {
            outline: outline.clone(),
            is_callback: hash.text(&format!("c:{place}")).is_some(),
            state: hash.required(&format!("s:{place}"))?,
            job_id: hash.required(&format!("j:{place}"))?,
        })
    });
    Ok(Flow {
        id,
        kind: hash.required("kind")?,
        name: hash.text("name").unwrap_or_default().to_owned(),
        state: hash.required("state")?,
        created_at: Timestamp::from_ms(hash.required("created")?),
        ended_at: hash.time("ended")?,
        done: hash.required("done")?,
        failed: hash.required("failed")?,
        steps: steps.collect::<Result<_, StoreError>>()?,
    })
}
