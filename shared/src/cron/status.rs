//! What becomes of a registered entry, and how the wire shows it.

use serde_json::{Map, Value, json};

use super::definition::Definition;
use super::pause::Pause;
use super::source::Source;
use crate::clock::Timestamp;
use crate::id::JobId;

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
    /// The pause that lasts.
    pub pause: Option<Pause>,
    /// How many jobs its schedule has made, which `max_runs` counts.
    pub scheduled_runs: u64,
    /// Whether its bounds are behind it.
    pub has_ended: bool,
    /// The file that declares it, if one does.
    pub source: Option<Source>,
}

impl EntryStatus {
    /// The status in one word: `active`, `paused`, `disabled`, `ended`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match (self.enabled, self.has_ended, &self.pause) {
            (false, ..) => "disabled",
            (true, true, _) => "ended",
            (true, false, Some(_)) => "paused",
            (true, false, None) => "active",
        }
    }
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
    put("status", status.as_str().into());
    put("paused", status.pause.is_some().into());
    put("pause", json!(status.pause));
    put("last_run_at", at(status.last_run_at));
    put("next_run_at", at(status.next_run_at));
    put("run_count", status.run_count.into());
    put("scheduled_runs", status.scheduled_runs.into());
    put("created_at", at(Some(status.created_at)));
    put("updated_at", at(Some(status.updated_at)));
    put("active_job_ids", status.live.iter().map(ToString::to_string).collect::<Vec<_>>().into());
    put("waiting_runs", status.waiting.into());
    let source = |source: &Source| json!({"owner": source.owner, "file": source.file});
    put("source", status.source.as_ref().map_or(Value::Null, source));
    map
}
