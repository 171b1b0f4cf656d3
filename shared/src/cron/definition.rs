//! Cron entries: what a client registers. It is read in [`registration`](super::registration).

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::bounds::Bounds;
use super::policy::{Lateness, Misfire, OverlapPolicy};
use super::{Dialect, DstFold, FieldCount, Schedule, ScheduleError, ScheduleOptions, Timetable, Zone, span};
use crate::clock::Timestamp;
use crate::job::{Envelope, Refusal};
use crate::name::{CronName, JobType};

/// An entry as a client describes it. What the client does not know (its counts and times) is in the store.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its name: the key of the entry in the deployment.
    pub name: CronName,
    /// The expression, as written.
    pub expression: String,
    /// The dialect in which the expression is read.
    pub dialect: Dialect,
    /// Whether the expression is held to five fields.
    pub fields: Option<FieldCount>,
    /// The zone in which it is read.
    pub zone: Zone,
    /// What becomes of local times that come twice.
    pub dst_fold: DstFold,
    /// The type of the jobs.
    pub job_type: JobType,
    /// Their arguments.
    pub args: Vec<Value>,
    /// What travels with them.
    pub meta: Map<String, Value>,
    /// Their settings, as registered.
    pub options: Map<String, Value>,
    /// What becomes of an instant that comes too soon.
    pub overlap_policy: OverlapPolicy,
    /// What becomes of instants that are decided on late.
    pub lateness: Lateness,
    /// How long after its instant a run may be made, so that entries which name the same instant are spread.
    pub jitter: Option<Duration>,
    /// Between which instants it fires, and how often.
    pub bounds: Bounds,
    /// The identity its handlers are to act under. It travels with the job, and nowhere else.
    pub run_as: Option<String>,
    /// Whether it fires; `None` keeps what is stored.
    pub enabled: Option<bool>,
    /// For people.
    pub description: Option<String>,
}

/// The member of a job's `meta` in which the identity of its entry travels.
pub(super) const RUN_AS: &str = "run_as";

/// A job of which nothing is said beside its type, arguments and `meta`.
static USUAL: LazyLock<Envelope> = LazyLock::new(|| {
    let usual = Envelope::read(&json!({"type": "usual", "args": []}), Timestamp::from_ms(0));
    usual.expect("a type and arguments make a job")
});

impl Definition {
    /// The compiled schedule. `anchor` is where `@every` counts from.
    ///
    /// # Errors
    ///
    /// When the expression is not valid in its dialect.
    pub fn schedule(&self, anchor: Timestamp) -> Result<Schedule, ScheduleError> {
        let options = ScheduleOptions {
            dialect: self.dialect,
            zone: self.zone,
            dst_fold: self.dst_fold,
            fields: self.fields,
            anchor,
        };
        Schedule::parse(&self.expression, &options)
    }

    /// The instants of the entry. `anchor` is where `@every` counts from, `uid` what draws its jitter.
    ///
    /// # Errors
    ///
    /// When the expression is not valid in its dialect.
    pub fn timetable(&self, anchor: Timestamp, uid: &str) -> Result<Timetable, ScheduleError> {
        Ok(Timetable::new(self.schedule(anchor)?, self.bounds, self.jitter, uid))
    }

    /// Whether both name the same instants, and decide on them at the same times.
    #[must_use]
    pub(super) fn names_the_same_instants(&self, other: &Self) -> bool {
        (&self.expression, self.dialect, self.zone, self.dst_fold)
            == (&other.expression, other.dialect, other.zone, other.dst_fold)
            && self.bounds.admit_the_same(&other.bounds)
    }

    /// The envelope of a run. `told` is what the scheduler adds to its `meta`.
    ///
    /// # Errors
    ///
    /// When the settings do not make a job.
    pub fn envelope(&self, now: Timestamp, told: &[(&str, Value)]) -> Result<Envelope, Refusal> {
        for name in ["scheduled_at", "delay_until", "delay", "pending"] {
            if self.options.contains_key(name) {
                let path = format!("options.{name}");
                let message = format!("{path} has no place in a cron entry: a run is available when its instant comes");
                return Err(Refusal::field(path, message));
            }
        }
        if self.options.contains_key("unique") {
            let message =
                "options.unique has no place in a cron entry: overlap_policy says what becomes of a second run";
            return Err(Refusal::field("options.unique", message));
        }
        let mut envelope = if self.options.is_empty() {
            Envelope {
                job_type: self.job_type.clone(),
                args: self.args.clone(),
                meta: self.meta.clone(),
                ..USUAL.clone()
            }
        } else {
            let job =
                json!({"type": self.job_type.as_str(), "args": self.args, "meta": self.meta, "options": self.options});
            Envelope::read(&job, now)?
        };
        if let Some(run_as) = &self.run_as {
            envelope.meta.insert(RUN_AS.to_owned(), run_as.as_str().into());
        }
        for (name, value) in told {
            envelope.meta.insert((*name).to_owned(), value.clone());
        }
        Ok(envelope)
    }

    /// The whole definition, every default said: what [`Definition::read`] reads back.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
        put("name", self.name.as_str().into());
        put("cron", self.expression.as_str().into());
        put("timezone", self.zone.to_string().into());
        if self.dialect != Dialect::default() {
            put("dialect", self.dialect.to_string().into());
        }
        if self.fields.is_some() {
            put("fields", 5.into());
        }
        if self.dst_fold != DstFold::default() {
            put("dst_fold", json!(self.dst_fold));
        }
        put("type", self.job_type.as_str().into());
        put("args", self.args.clone().into());
        put("meta", self.meta.clone().into());
        put("options", self.options.clone().into());
        put("overlap_policy", self.overlap_policy.as_str().into());
        if self.lateness.misfire != Misfire::default() {
            put("misfire", self.lateness.misfire.as_str().into());
        }
        let mut put_some = |name: &str, value: Option<Value>| value.map(|value| map.insert(name.to_owned(), value));
        put_some("deadline", self.lateness.deadline.map(|deadline| span::write(deadline).into()));
        put_some("jitter", self.jitter.map(|jitter| span::write(jitter).into()));
        put_some("starts_at", self.bounds.starts_at.map(|at| json!(at)));
        put_some("ends_at", self.bounds.ends_at.map(|at| json!(at)));
        put_some("max_runs", self.bounds.max_runs.map(Value::from));
        put_some("run_as", self.run_as.as_deref().map(Value::from));
        let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
        put("description", self.description.as_deref().map_or(Value::Null, Value::from));
        Value::Object(map)
    }
}
