//! Cron entries: what a client registers (OJS scheduling; reference of the dialects it may be spelled in: OJS HTTP binding,
//! cron endpoints) and what the wire shows of them.

use serde_json::{Map, Value, json};

use super::{Dialect, DstFold, FieldCount, Schedule, ScheduleError, ScheduleOptions, Zone};
use crate::clock::Timestamp;
use crate::id::JobId;
use crate::job::{Envelope, Fields, Refusal};
use crate::name::{CronName, JobType};

/// What becomes of an instant that comes while a run of the entry is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverlapPolicy {
    /// No job; the instant is skipped, and says so.
    #[default]
    Skip,
    /// A job all the same.
    Allow,
    /// The live runs are cancelled, then a job.
    CancelPrevious,
    /// A job that waits until the live run has ended.
    Enqueue,
}

impl OverlapPolicy {
    /// The policy as the wire writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Allow => "allow",
            Self::CancelPrevious => "cancel_previous",
            Self::Enqueue => "enqueue",
        }
    }
}

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
    /// Whether it fires; `None` keeps what is stored.
    pub enabled: Option<bool>,
    /// For people.
    pub description: Option<String>,
}

/// The spelling of a registration, which decides the shape of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `cron`, `type`, `args` at the top level.
    Flat,
    /// `expression` or `schedule`, or a `job_template`.
    Template,
}

impl Definition {
    /// Reads a registration, in whichever spelling, and checks all of it: expression, zone, and every job it will make.
    ///
    /// # Errors
    ///
    /// When a member is missing or wrong; the refusal names it.
    pub fn read(value: &Value) -> Result<(Self, Spelling), Refusal> {
        let (definition, spelled, expression_field) = Self::members(value)?;
        definition.schedule(Timestamp::from_ms(0)).map_err(|error| {
            Refusal::field(expression_field, format!("{expression_field}: {error}")).with_details(json!(error))
        })?;
        definition.envelope(Timestamp::from_ms(0), &[])?;
        Ok((definition, spelled))
    }

    /// Reads a definition as it is kept. What it says was checked when it was registered; whoever needs its schedule or its
    /// jobs is told if they cannot be made.
    ///
    /// # Errors
    ///
    /// When a member is missing or wrong; the refusal names it.
    pub fn read_kept(value: &Value) -> Result<Self, Refusal> {
        Self::members(value).map(|(definition, ..)| definition)
    }

    /// Reads the members, and says which of them is the expression.
    fn members(value: &Value) -> Result<(Self, Spelling, &'static str), Refusal> {
        let Value::Object(map) = value else {
            let example = r#"{"name":"tick","cron":"* * * * *","type":"echo"}"#;
            return Err(Refusal::field("", format!("a cron entry is a JSON object, such as {example}")));
        };
        let top = Fields::new(map, "");
        let template_map = top.object("job_template")?;
        let none = Map::new();
        let template = Fields::new(template_map.unwrap_or(&none), "job_template");
        let (expression_field, expression) = expression(&top)?;
        let spelled =
            if template_map.is_some() || expression_field != "cron" { Spelling::Template } else { Spelling::Flat };
        let definition = Self {
            name: top.parsed("name")?.ok_or_else(|| top.refuse("name", "the name of the entry"))?,
            expression,
            dialect: top.parsed("dialect")?.unwrap_or_default(),
            fields: field_count(&top)?,
            zone: top.parsed("timezone")?.unwrap_or(Zone::UTC),
            dst_fold: dst_fold(&top)?,
            job_type: template
                .parsed("type")?
                .or(top.parsed("type")?)
                .ok_or_else(|| top.refuse("type", "a job type"))?,
            args: args(&template)?.or(args(&top)?).unwrap_or_default(),
            meta: meta(&template, &top)?,
            options: template.object("options")?.or(top.object("options")?).cloned().unwrap_or_default(),
            overlap_policy: overlap_policy(&top)?,
            enabled: enabled(&top)?,
            description: top.text("description")?.map(str::to_owned),
        };
        Ok((definition, spelled, expression_field))
    }

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
        let job =
            json!({"type": self.job_type.as_str(), "args": self.args, "meta": self.meta, "options": self.options});
        let mut envelope = Envelope::read(&job, now)?;
        for (name, value) in told {
            envelope.meta.insert((*name).to_owned(), value.clone());
        }
        Ok(envelope)
    }

    /// The definition as it is kept: what [`Definition::read`] reads back.
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
        put("description", self.description.as_deref().map_or(Value::Null, Value::from));
        Value::Object(map)
    }
}

/// What the scheduler knows about an entry.
#[derive(Debug, Clone)]
pub struct EntryStatus {
    /// Whether it fires.
    pub enabled: bool,
    /// Its next instant; `None` when it is disabled or has none.
    pub next_run_at: Option<Timestamp>,
    /// When it last made a job.
    pub last_run_at: Option<Timestamp>,
    /// How many jobs it has made.
    pub run_count: u64,
    /// When it was first registered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its live runs.
    pub live: Vec<JobId>,
    /// How many of them wait for their predecessor.
    pub waiting: u64,
}

/// The entry as the wire shows it, to clients of either spelling.
#[must_use]
pub fn to_wire(definition: &Definition, status: &EntryStatus) -> Map<String, Value> {
    let mut map = match definition.to_json() {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let template = json!({"type": map["type"], "args": map["args"], "options": map["options"]});
    let mut put = |name: &str, value: Value| map.insert(name.to_owned(), value);
    let at = |instant: Option<Timestamp>| instant.map_or(Value::Null, |at| at.to_string().into());
    put("expression", definition.expression.as_str().into());
    put("job_template", template);
    put("enabled", status.enabled.into());
    put("status", if status.enabled { "active" } else { "disabled" }.into());
    put("last_run_at", at(status.last_run_at));
    put("next_run_at", at(status.next_run_at));
    put("run_count", status.run_count.into());
    put("created_at", at(Some(status.created_at)));
    put("updated_at", at(Some(status.updated_at)));
    put("active_job_ids", status.live.iter().map(ToString::to_string).collect::<Vec<_>>().into());
    put("waiting_runs", status.waiting.into());
    map
}

fn expression(top: &Fields<'_>) -> Result<(&'static str, String), Refusal> {
    let mut found: Option<(&'static str, &str)> = None;
    for name in ["cron", "expression", "schedule"] {
        // `cron` may be an object in an answer that a client sends back; only text is an expression.
        let Some(text) = top.find(name).and_then(Value::as_str) else { continue };
        match found {
            Some((first, other)) if other != text => {
                return Err(Refusal::field(name, format!("{first} and {name} differ: an entry has one expression")));
            }
            _ => found = found.or(Some((name, text))),
        }
    }
    let (name, text) = found.ok_or_else(|| top.refuse("cron", "a cron expression such as `0 9 * * MON-FRI`"))?;
    Ok((name, text.to_owned()))
}

fn args(fields: &Fields<'_>) -> Result<Option<Vec<Value>>, Refusal> {
    let Some(value) = fields.find("args") else { return Ok(None) };
    value.as_array().map(|args| Some(args.clone())).ok_or_else(|| fields.refuse("args", "an array"))
}

fn meta(template: &Fields<'_>, top: &Fields<'_>) -> Result<Map<String, Value>, Refusal> {
    let mut meta = template.object("meta")?.cloned().unwrap_or_default();
    meta.extend(top.object("meta")?.cloned().unwrap_or_default());
    Ok(meta)
}

fn field_count(top: &Fields<'_>) -> Result<Option<FieldCount>, Refusal> {
    match top.integer("fields", 5, 5)? {
        Some(_) => Ok(Some(FieldCount::Five)),
        None => Ok(None),
    }
}

fn dst_fold(top: &Fields<'_>) -> Result<DstFold, Refusal> {
    match top.text("dst_fold")? {
        None | Some("auto") => Ok(DstFold::Auto),
        Some("once") => Ok(DstFold::Once),
        Some("both") => Ok(DstFold::Both),
        Some(_) => Err(top.refuse("dst_fold", "`auto`, `once` or `both`")),
    }
}

fn overlap_policy(top: &Fields<'_>) -> Result<OverlapPolicy, Refusal> {
    match top.text("overlap_policy")? {
        None | Some("skip") => Ok(OverlapPolicy::Skip),
        Some("allow") => Ok(OverlapPolicy::Allow),
        Some("cancel_previous" | "cancel") => Ok(OverlapPolicy::CancelPrevious),
        Some("enqueue") => Ok(OverlapPolicy::Enqueue),
        Some(_) => Err(top.refuse("overlap_policy", "`skip`, `allow`, `cancel_previous` or `enqueue`")),
    }
}

fn enabled(top: &Fields<'_>) -> Result<Option<bool>, Refusal> {
    if let Some(enabled) = top.boolean("enabled")? {
        return Ok(Some(enabled));
    }
    if top.boolean("paused")? == Some(true) {
        return Ok(Some(false));
    }
    match top.text("status")? {
        Some("paused" | "disabled") => Ok(Some(false)),
        _ => Ok(None),
    }
}
