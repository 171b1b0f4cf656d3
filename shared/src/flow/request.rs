//! Reading a workflow in each of the shapes in which clients describe one.
//!
//! - `{"type":"chain","steps":[job…]}`
//! - `{"type":"group"|"batch","jobs":[job…],"callbacks":{"on_complete":job,…}}`
//! - `{"steps":[{"id","type","args","depends_on","options"}…]}`: a graph. Steps named `on-complete`, `on-success`,
//!   `on-failure` (or with `options.callback_type`) that depend on all others are callbacks.
//!
//! Wherever a job may stand, a workflow may: an object with `steps` or `jobs` whose `type` is one of these, or absent.

use serde_json::{Map, Value};

use super::FlowKind;
use super::camel::snake_cased;
use super::plan::{Plan, Step, StepRole, Work};
use crate::clock::Timestamp;
use crate::job::{Envelope, Fields, Refusal};

/// A workflow stands within others at most so often.
const LEVELS_MAX: usize = 10;

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
        let mut reader = Reader { now, steps: Vec::new() };
        let level = Level { map, path: String::new(), within: None, depth: 1 };
        let kind = reader.read(&level)?;
        let name = Fields::new(map, "").text("name")?.unwrap_or_default().to_owned();
        Self { kind, name, steps: reader.steps }.checked()
    }
}

/// A workflow, and where it stands.
struct Level<'a> {
    map: &'a Map<String, Value>,
    path: String,
    within: Option<usize>,
    depth: usize,
}

/// Something that stands in a workflow where a job may stand.
struct Item<'a> {
    value: &'a Value,
    path: String,
    name: String,
    role: StepRole,
}

struct Reader {
    now: Timestamp,
    steps: Vec<Step>,
}

impl Level<'_> {
    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn items(&self, member: &str) -> Result<&[Value], Refusal> {
        let path = self.path_of(member);
        match self.map.get(member) {
            Some(Value::Array(items)) if items.is_empty() => {
                Err(Refusal::field(path, "a workflow has at least one step"))
            }
            Some(Value::Array(items)) => Ok(items),
            _ => Err(Refusal::field(path.as_str(), format!("{path} must be an array of jobs"))),
        }
    }
}

impl Reader {
    fn read(&mut self, level: &Level<'_>) -> Result<FlowKind, Refusal> {
        let fields = Fields::new(level.map, &level.path);
        match fields.text("type")? {
            Some("chain") => self.chain(level),
            Some("group") => self.members(level, "jobs").map(|_| FlowKind::Group),
            Some("batch") => self.batch(level),
            Some("dag") | None => self.graph(level),
            Some(_) => Err(fields.refuse("type", "`chain`, `group`, `batch`, or nothing for a graph of steps")),
        }
    }

    /// The members of a workflow, none of which waits for another yet.
    fn members(&mut self, level: &Level<'_>, member: &str) -> Result<Vec<usize>, Refusal> {
        let word = if member == "steps" { "step" } else { "job" };
        let read = |(place, value): (usize, &Value)| {
            let named = value.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
            let name = named.unwrap_or_else(|| format!("{word}-{place}"));
            let path = level.path_of(&format!("{member}[{place}]"));
            self.step(level, Item { value, path, name, role: StepRole::Member })
        };
        level.items(member)?.iter().enumerate().map(read).collect()
    }

    /// Reads a job or a workflow, and returns its place.
    fn step(&mut self, level: &Level<'_>, item: Item<'_>) -> Result<usize, Refusal> {
        let Item { value, path, name, role } = item;
        let place = self.steps.len();
        let step = |work| Step { name, work, within: level.within, depends_on: Vec::new(), role };
        let Some(map) = flow_of(value) else {
            let envelope = job(value, self.now).map_err(|refusal| refusal.within(&path))?;
            self.steps.push(step(Work::Job(Box::new(envelope))));
            return Ok(place);
        };
        if level.depth == LEVELS_MAX {
            let message = format!("workflows stand within each other at most {LEVELS_MAX} deep");
            return Err(Refusal::field(path, message));
        }
        // What it is for is known when its members are read.
        self.steps.push(step(Work::Flow(FlowKind::Dag)));
        let kind = self.read(&Level { map, path, within: Some(place), depth: level.depth + 1 })?;
        self.steps[place].work = Work::Flow(kind);
        Ok(place)
    }

    fn chain(&mut self, level: &Level<'_>) -> Result<FlowKind, Refusal> {
        let places = self.members(level, "steps")?;
        for pair in places.windows(2) {
            self.steps[pair[1]].depends_on = vec![pair[0]];
        }
        Ok(FlowKind::Chain)
    }

    fn batch(&mut self, level: &Level<'_>) -> Result<FlowKind, Refusal> {
        self.members(level, "jobs")?;
        let fields = Fields::new(level.map, &level.path);
        let none = Map::new();
        let mut callbacks = Vec::new();
        for (name, value) in fields.object("callbacks")?.unwrap_or(&none).iter().filter(|(_, item)| !item.is_null()) {
            let path = level.path_of(&format!("callbacks.{name}"));
            let role = callback(name).ok_or_else(|| {
                Refusal::field(path.as_str(), "a callback is `on_complete`, `on_success` or `on_failure`")
            })?;
            callbacks.push(Item { value, path, name: name.clone(), role });
        }
        // In the order in which they are let go, whatever the order of the object's members.
        callbacks.sort_by_key(|item| item.role != StepRole::OnComplete);
        for item in callbacks {
            self.step(level, item)?;
        }
        Ok(FlowKind::Batch)
    }

    fn graph(&mut self, level: &Level<'_>) -> Result<FlowKind, Refusal> {
        let places = self.members(level, "steps")?;
        let items = level.items("steps")?;
        for (&place, (i, item)) in places.iter().zip(items.iter().enumerate()) {
            let path = level.path_of(&format!("steps[{i}]"));
            let names =
                item.as_object().map(|item| Fields::new(item, &path).texts("depends_on")).transpose()?.flatten();
            for name in names.unwrap_or_default() {
                let other = places.iter().copied().find(|&other| self.steps[other].name == name).ok_or_else(|| {
                    let path = format!("{path}.depends_on");
                    Refusal::field(path.as_str(), format!("{path} names `{name}`, which is no step"))
                })?;
                if !self.steps[place].depends_on.contains(&other) {
                    self.steps[place].depends_on.push(other);
                }
            }
        }
        self.mark_callbacks(&places, items);
        Ok(FlowKind::Dag)
    }

    /// Steps that depend on all members and say by name or option that they are callbacks wait for the end, not for success.
    fn mark_callbacks(&mut self, places: &[usize], items: &[Value]) {
        let said = |(&place, item): (&usize, &Value)| {
            let option = item.pointer("/options/callback_type").and_then(Value::as_str);
            option.and_then(callback).or_else(|| callback(&self.steps[place].name)).map(|role| (place, role))
        };
        let roles: Vec<(usize, StepRole)> = places.iter().zip(items).filter_map(said).collect();
        let members = places.len() - roles.len();
        for (place, role) in &roles {
            let is_member = |other: &&usize| !roles.iter().any(|(place, _)| place == *other);
            let step = &mut self.steps[*place];
            if members > 0 && step.depends_on.iter().filter(is_member).count() == members {
                step.role = *role;
                step.depends_on.clear();
            }
        }
    }
}

/// The workflow that stands where a job may stand.
fn flow_of(value: &Value) -> Option<&Map<String, Value>> {
    let map = value.as_object()?;
    let has_steps = ["steps", "jobs"].iter().any(|name| map.get(*name).is_some_and(Value::is_array));
    let is_kind = match map.get("type") {
        None | Some(Value::Null) => true,
        Some(kind) => kind.as_str().is_some_and(|kind| ["chain", "group", "batch", "dag"].contains(&kind)),
    };
    (has_steps && is_kind).then_some(map)
}

/// The job of a step: its `id` names the step, not the job, and `args` may be left out.
fn job(item: &Value, now: Timestamp) -> Result<Envelope, Refusal> {
    let Value::Object(map) = item else { return Err(Refusal::field("", "a step is a JSON object")) };
    let mut map = map.clone();
    for name in ["id", "depends_on", "name"] {
        map.remove(name);
    }
    map.entry("args").or_insert_with(|| Value::Array(Vec::new()));
    if let Some(Value::Object(options)) = map.get("options") {
        map.insert("options".to_owned(), snake_cased(options).into());
    }
    let envelope = Envelope::read(&Value::Object(map), now)?;
    if envelope.pending || envelope.scheduled_at.is_some() || envelope.unique.is_some() {
        let message =
            "a step runs when those before it have ended: it has no schedule, is not pending, and is not unique";
        return Err(Refusal::field("options", message));
    }
    Ok(envelope)
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

    #[test]
    fn workflows_stand_within_each_other_and_hand_their_last_results_on() {
        let group = |name: &str| {
            json!({"type": "group", "jobs": [{"type": "x"}, {"id": name, "type": "chain",
            "steps": [{"type": "y"}, {"type": "z"}]}]})
        };
        let plan =
            read(&json!({"type": "chain", "steps": [{"type": "a"}, group("in"), {"type": "b"}]})).expect("valid");
        let paths: Vec<String> = (0..plan.steps.len()).map(|place| plan.path(place)).collect();
        assert_eq!(
            paths,
            ["step-0", "step-1", "step-1/job-0", "step-1/in", "step-1/in/step-0", "step-1/in/step-1", "step-2"]
        );
        let waits: Vec<bool> = (0..plan.steps.len()).map(|place| plan.waits(place)).collect();
        assert_eq!(waits, [false, true, true, true, true, true, true]);
        // The members of the group are handed what came before it, and the step after it what its members ended with.
        assert_eq!(plan.handed(), [vec![], vec![0], vec![0], vec![0], vec![0], vec![4], vec![2, 5]]);
    }

    #[test]
    fn a_job_of_which_steps_are_data_is_no_workflow() {
        let plan =
            read(&json!({"type": "group", "jobs": [{"type": "recipe.cook", "steps": ["stir"]}]})).expect("valid");
        assert_eq!(plan.steps.len(), 1);
    }

    #[test]
    fn the_size_of_a_workflow_is_bounded_with_all_that_is_in_it() {
        let deep = |levels: usize| {
            (1..levels).fold(json!({"type": "a"}), |inner, _| json!({"type": "chain", "steps": [inner]}))
        };
        assert!(read(&deep(11)).is_ok());
        assert!(read(&deep(12)).expect_err("too deep").message.contains("at most 10 deep"));
        let jobs = |n: usize| json!({"type": "group", "jobs": vec![json!({"type": "a"}); n]});
        assert!(read(&jobs(1000)).is_ok());
        assert!(
            read(&json!({"type": "group", "jobs": [jobs(600), jobs(600)]}))
                .expect_err("too large")
                .message
                .contains("1000")
        );
        let handed = json!({"type": "chain", "steps": [jobs(400), jobs(400)]});
        assert!(read(&handed).expect_err("too much is handed on").message.contains("20000 results"));
    }

    #[test]
    fn a_mistake_within_is_named_with_its_path() {
        let inner = json!({"type": "batch", "jobs": [{"args": []}]});
        assert_eq!(
            read(&json!({"type": "chain", "steps": [inner]})).expect_err("no type").field,
            "steps[0].jobs[0].type"
        );
        let inner = json!({"steps": [{"id": "x", "type": "a", "depends_on": ["outer"]}]});
        let outer = json!({"steps": [{"id": "outer", "type": "a"}, inner]});
        assert_eq!(read(&outer).expect_err("not a sibling").field, "steps[1].steps[0].depends_on");
    }
}
