//! Reading a registration, in whichever of the dialects it is spelled (OJS scheduling; OJS HTTP binding, cron endpoints).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::bounds::Bounds;
use super::definition::{Definition, RUN_AS};
use super::policy::{Lateness, Misfire, OverlapPolicy};
use super::{DstFold, FieldCount, Zone, span};
use crate::clock::Timestamp;
use crate::job::{Fields, Refusal};

/// What an entry can say of itself: the members that [`Definition::read`] reads. Old spellings of OJS are not among them.
pub const MEMBERS: &[&str] = &[
    "name",
    "cron",
    "expression",
    "schedule",
    "timezone",
    "dialect",
    "fields",
    "dst_fold",
    "type",
    "args",
    "meta",
    "options",
    "job_template",
    "overlap_policy",
    "misfire",
    "deadline",
    "jitter",
    "starts_at",
    "ends_at",
    "max_runs",
    "run_as",
    "enabled",
    "description",
];

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
        if definition.meta.contains_key(RUN_AS) {
            let message =
                format!("meta.{RUN_AS} would be mistaken for the identity of the entry: say `{RUN_AS}` beside `type`");
            return Err(Refusal::field(format!("meta.{RUN_AS}"), message));
        }
        Ok((definition, spelled))
    }

    /// Reads a definition as it is kept. What it says was checked when it was registered; whoever needs its schedule or its
    /// jobs is told if they cannot be made.
    ///
    /// # Errors
    ///
    /// When a member is missing or wrong; the refusal names it.
    pub(super) fn read_kept(value: &Value) -> Result<Self, Refusal> {
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
            lateness: Lateness { misfire: misfire(&top)?, deadline: span(&top, "deadline")? },
            jitter: span(&top, "jitter")?,
            bounds: bounds(&top)?,
            run_as: run_as(&top)?,
            enabled: enabled(&top)?,
            description: top.text("description")?.map(str::to_owned),
        };
        Ok((definition, spelled, expression_field))
    }
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
    let Some(text) = top.text("overlap_policy")? else { return Ok(OverlapPolicy::default()) };
    let expected = "`skip`, `allow`, `cancel_previous` or `enqueue`";
    OverlapPolicy::of(text).ok_or_else(|| top.refuse("overlap_policy", expected))
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

fn misfire(top: &Fields<'_>) -> Result<Misfire, Refusal> {
    match top.text("misfire")? {
        None | Some("once") => Ok(Misfire::Once),
        Some("skip") => Ok(Misfire::Skip),
        Some("all") => Ok(Misfire::All),
        Some(_) => Err(top.refuse("misfire", "`once`, `skip` or `all`")),
    }
}

fn span(top: &Fields<'_>, name: &str) -> Result<Option<Duration>, Refusal> {
    let Some(text) = top.text(name)? else { return Ok(None) };
    let expected = "a length of whole seconds such as `30s`, `5m` or `PT1H`";
    span::read(text).map(Some).ok_or_else(|| top.refuse(name, expected))
}

fn bounds(top: &Fields<'_>) -> Result<Bounds, Refusal> {
    let bounds = Bounds {
        starts_at: top.parsed("starts_at")?,
        ends_at: top.parsed("ends_at")?,
        max_runs: top.integer("max_runs", 1, i64::MAX)?.map(i64::unsigned_abs),
    };
    match (bounds.starts_at, bounds.ends_at) {
        (Some(starts_at), Some(ends_at)) if ends_at <= starts_at => {
            Err(Refusal::field("ends_at", format!("ends_at must be after starts_at, which is {starts_at}")))
        }
        _ => Ok(bounds),
    }
}

/// The longest name of an identity.
const RUN_AS_BYTES_MAX: usize = 255;

fn run_as(top: &Fields<'_>) -> Result<Option<String>, Refusal> {
    let Some(text) = top.text("run_as")? else { return Ok(None) };
    if text.is_empty() || text.len() > RUN_AS_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(top.refuse("run_as", "an identity of 1 to 255 bytes without control characters"));
    }
    Ok(Some(text.to_owned()))
}
