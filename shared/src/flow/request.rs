//! Reading a workflow in each of the shapes in which clients describe one.
//!
//! - `{"type":"chain","steps":[job…]}`
//! - `{"type":"group"|"batch","jobs":[job…],"callbacks":{"on_complete":job,…}}`
//! - `{"steps":[{"id","type","args","depends_on","options"}…]}`: a graph. Steps named `on-complete`, `on-success`,
//!   `on-failure` (or with `options.callback_type`) that depend on all others are callbacks.

use serde_json::{Map, Value};

use super::FlowKind;
use super::plan::{Plan, Step, StepRole};
use crate::clock::Timestamp;
use crate::job::{Envelope, Fields, Refusal};

impl Plan {
    /// Reads a workflow, and checks every job of it.
    ///
    /// # Errors
    ///
    /// When a member is missing or wrong; the refusal names it.
    pub fn read(value: &Value, now: Timestamp) -> Result<Self, Refusal> {
        let Value::Object(map) = value else {
            return Err(Refusal::field("", "a workflow is a JSON object, such as {\"type\":\"chain\",\"steps\":[…]}"));
        };
        let top = Fields::new(map, "");
        let name = top.text("name")?.unwrap_or_default().to_owned();
        let (kind, steps) = match top.text("type")? {
            Some("chain") => (FlowKind::Chain, chain(&jobs(map, "steps", now)?)),
            Some("group") => (FlowKind::Group, jobs(map, "jobs", now)?),
            Some("batch") => (FlowKind::Batch, batch(&top, map, now)?),
            Some("dag") | None => (FlowKind::Dag, graph(map, now)?),
            Some(_) => return Err(top.refuse("type", "`chain`, `group`, `batch`, or nothing for a graph of steps")),
        };
        Self { kind, name, steps }.checked()
    }
}

/// The jobs of an array, each with no dependency, named by its place.
fn jobs(map: &Map<String, Value>, member: &str, now: Timestamp) -> Result<Vec<Step>, Refusal> {
    let Some(Value::Array(items)) = map.get(member) else {
        return Err(Refusal::field(member, format!("{member} must be an array of jobs")));
    };
    let word = if member == "steps" { "step" } else { "job" };
    let read = |(place, item): (usize, &Value)| {
        let path = format!("{member}[{place}]");
        if item.get("steps").is_some() || item.get("jobs").is_some() {
            return Err(Refusal::field(
                path,
                "a workflow within a workflow is not supported: describe it as a graph of steps",
            ));
        }
        let envelope = job(item, now).map_err(|refusal| refusal.within(&path))?;
        let named = item.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
        let name = named.unwrap_or_else(|| format!("{word}-{place}"));
        Ok(Step { name, envelope, depends_on: Vec::new(), role: StepRole::Member })
    };
    items.iter().enumerate().map(read).collect()
}

/// The job of a step: its `id` names the step, not the job, and `args` may be left out.
fn job(item: &Value, now: Timestamp) -> Result<Envelope, Refusal> {
    let Value::Object(map) = item else { return Err(Refusal::field("", "a step is a JSON object")) };
    let mut map = map.clone();
    for name in ["id", "depends_on", "name"] {
        map.remove(name);
    }
    map.entry("args").or_insert_with(|| Value::Array(Vec::new()));
    let envelope = Envelope::read(&Value::Object(map), now)?;
    if envelope.pending || envelope.scheduled_at.is_some() || envelope.unique.is_some() {
        let message =
            "a step runs when those before it have ended: it has no schedule, is not pending, and is not unique";
        return Err(Refusal::field("options", message));
    }
    Ok(envelope)
}

fn chain(steps: &[Step]) -> Vec<Step> {
    let follow =
        |(place, step): (usize, &Step)| Step { depends_on: place.checked_sub(1).into_iter().collect(), ..step.clone() };
    steps.iter().enumerate().map(follow).collect()
}

fn batch(top: &Fields<'_>, map: &Map<String, Value>, now: Timestamp) -> Result<Vec<Step>, Refusal> {
    let mut steps = jobs(map, "jobs", now)?;
    let Some(callbacks) = top.object("callbacks")? else { return Ok(steps) };
    for (name, item) in callbacks.iter().filter(|(_, item)| !item.is_null()) {
        let path = format!("callbacks.{name}");
        let role = callback(name).ok_or_else(|| {
            Refusal::field(path.as_str(), "a callback is `on_complete`, `on_success` or `on_failure`")
        })?;
        let envelope = job(item, now).map_err(|refusal| refusal.within(&path))?;
        steps.push(Step { name: name.clone(), envelope, depends_on: Vec::new(), role });
    }
    // In the order in which they are let go, whatever the order of the object's members.
    steps.sort_by_key(|step| match step.role {
        StepRole::Member => 0,
        StepRole::OnComplete => 1,
        StepRole::OnSuccess | StepRole::OnFailure => 2,
    });
    Ok(steps)
}

fn graph(map: &Map<String, Value>, now: Timestamp) -> Result<Vec<Step>, Refusal> {
    let mut steps = jobs(map, "steps", now)?;
    let items = map.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (place, item) in items.iter().enumerate() {
        let path = format!("steps[{place}]");
        let depends_on =
            item.as_object().map(|item| Fields::new(item, &path).texts("depends_on")).transpose()?.flatten();
        for name in depends_on.unwrap_or_default() {
            let other = steps.iter().position(|step| step.name == name).ok_or_else(|| {
                Refusal::field(
                    format!("{path}.depends_on"),
                    format!("{path}.depends_on names `{name}`, which is no step"),
                )
            })?;
            if !steps[place].depends_on.contains(&other) {
                steps[place].depends_on.push(other);
            }
        }
    }
    mark_callbacks(&mut steps, items);
    Ok(steps)
}

/// Steps that depend on all members and say by name or option that they are callbacks wait for the end, not for success.
fn mark_callbacks(steps: &mut [Step], items: &[Value]) {
    let said = |place: usize| {
        let option = items[place].pointer("/options/callback_type").and_then(Value::as_str);
        option.and_then(callback).or_else(|| callback(&steps[place].name))
    };
    let roles: Vec<Option<StepRole>> = (0..steps.len()).map(said).collect();
    let members = roles.iter().filter(|role| role.is_none()).count();
    for (place, role) in roles.iter().enumerate() {
        let on_all = steps[place].depends_on.iter().filter(|&&other| roles[other].is_none()).count() == members;
        if let (Some(role), true) = (role, on_all && members > 0) {
            steps[place].role = *role;
            steps[place].depends_on.clear();
        }
    }
}

fn callback(name: &str) -> Option<StepRole> {
    match name.replace('-', "_").as_str() {
        "on_complete" | "complete" => Some(StepRole::OnComplete),
        "on_success" | "success" => Some(StepRole::OnSuccess),
        "on_failure" | "failure" => Some(StepRole::OnFailure),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: &Value) -> Result<Plan, Refusal> {
        Plan::read(value, Timestamp::from_ms(0))
    }

    fn shape(value: &Value) -> Vec<(String, Vec<usize>, StepRole)> {
        let plan = read(value).expect("a workflow");
        plan.steps.into_iter().map(|step| (step.name, step.depends_on, step.role)).collect()
    }

    #[test]
    fn a_chain_is_one_after_the_other() {
        let steps = shape(&json!({"type": "chain", "steps": [{"type": "a", "args": []}, {"type": "b"}]}));
        let member = StepRole::Member;
        assert_eq!(steps, [("step-0".to_owned(), vec![], member), ("step-1".to_owned(), vec![0], member)]);
    }

    #[test]
    fn a_batch_ends_in_its_callbacks() {
        let steps = shape(&json!({"type": "batch", "jobs": [{"type": "a"}],
            "callbacks": {"on_failure": {"type": "f"}, "on_complete": {"type": "c"}}}));
        let roles: Vec<_> = steps.iter().map(|(_, _, role)| *role).collect();
        assert_eq!(roles, [StepRole::Member, StepRole::OnComplete, StepRole::OnFailure]);
    }

    #[test]
    fn a_graph_with_a_callback_step_is_a_batch_in_another_shape() {
        let steps = shape(&json!({"steps": [{"id": "x", "type": "a"}, {"id": "y", "type": "a", "depends_on": ["x"]},
            {"id": "on-success", "type": "s", "depends_on": ["x", "y"]}]}));
        assert_eq!(steps[1].1, [0]);
        assert_eq!((steps[2].1.len(), steps[2].2), (0, StepRole::OnSuccess));
    }

    #[test]
    fn mistakes_are_refused_by_name() {
        let a = json!({"id": "a", "type": "a", "depends_on": ["b"]});
        for (value, field) in [
            (json!({"type": "chain", "steps": []}), "steps"),
            (json!({"type": "circle", "steps": []}), "type"),
            (json!({"type": "chain"}), "steps"),
            (json!({"type": "chain", "steps": [{"args": []}]}), "steps[0].type"),
            (json!({"steps": [a, {"id": "b", "type": "b", "depends_on": ["a"]}]}), "steps[0].depends_on"),
            (json!({"steps": [a]}), "steps[0].depends_on"),
            (json!({"steps": [{"id": "a", "type": "a"}, {"id": "a", "type": "a"}]}), "steps[1].id"),
            (json!({"type": "batch", "jobs": [{"type": "a"}], "callbacks": {"later": {}}}), "callbacks.later"),
        ] {
            assert_eq!(read(&value).expect_err(field).field, field, "{value}");
        }
    }
}
