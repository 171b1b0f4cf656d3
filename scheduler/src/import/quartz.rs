//! Quartz: the XML of jobs and triggers (`job_scheduling_data`), or lines of `name = expression`.

use std::collections::BTreeMap;

use roxmltree::Node;
use serde_json::{Map, Value};

use super::draft::{Draft, Gathering, Import, Job};
use super::quartz_trigger::{self, JobKey};
use super::{Circumstances, camel, xml};

const REMARKS: [&str; 2] = [
    "The class of a job is its type, its data map is its one argument.",
    "Quartz lets runs of a job overlap unless its class forbids it (@DisallowConcurrentExecution): then say overlap_policy.",
];

/// A job as triggers refer to it.
#[derive(Debug)]
pub(super) struct JobDetail {
    pub(super) class: String,
    pub(super) description: Option<String>,
    pub(super) data: Map<String, Value>,
}

/// What a job can say of itself that is carried over, or means nothing here.
const JOB_CHILDREN: [&str; 8] =
    ["name", "group", "description", "job-class", "durability", "recover", "job-data-map", "volatility"];

pub(super) fn read(text: &str, circumstances: &Circumstances) -> Result<Import, String> {
    if !text.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
        return lines(text, circumstances);
    }
    let document = xml::parse(text)?;
    let mut gathering = Gathering { remarks: REMARKS.map(str::to_owned).to_vec(), ..Gathering::default() };
    let jobs = jobs(document.root(), &mut gathering);
    let mut triggered = Vec::new();
    for trigger in xml::all(document.root(), "trigger") {
        for kind in trigger.children().filter(Node::is_element) {
            let key = JobKey::of(kind);
            match jobs.get(&key) {
                None => {
                    gathering.lose(xml::line(kind), format!("a trigger of the job {key}, which is not in this file"))
                }
                Some(job) => quartz_trigger::read(kind, &key, job, circumstances, &mut gathering),
            }
            triggered.push(key);
        }
    }
    for key in jobs.keys().filter(|key| !triggered.contains(key)) {
        gathering.lose(0, format!("the job {key} has no trigger"));
    }
    Ok(gathering.finish())
}

fn jobs(root: Node<'_, '_>, gathering: &mut Gathering) -> BTreeMap<JobKey, JobDetail> {
    let mut jobs = BTreeMap::new();
    for node in root.descendants().filter(|node| xml::child(*node, "job-class").is_some()) {
        let (Some(name), Some(class)) = (xml::text(node, "name"), xml::text(node, "job-class")) else {
            gathering.lose(xml::line(node), "a job without a name or a class is left out");
            continue;
        };
        for other in xml::others(node, &JOB_CHILDREN) {
            gathering.lose(xml::line(node), format!("{name}: the element {other}"));
        }
        let detail = JobDetail {
            class: class.to_owned(),
            description: xml::text(node, "description").map(str::to_owned),
            data: data(node),
        };
        jobs.insert(JobKey::new(name, xml::text(node, "group")), detail);
    }
    jobs
}

/// The data map of a job or a trigger.
pub(super) fn data(node: Node<'_, '_>) -> Map<String, Value> {
    let entries = xml::child(node, "job-data-map").into_iter().flat_map(|map| xml::all(map, "entry"));
    let pair =
        |entry| Some((xml::text(entry, "key")?.to_owned(), xml::text(entry, "value").unwrap_or_default().into()));
    entries.filter_map(pair).collect()
}

/// `name = expression`, a line each, as properties files have them.
fn lines(text: &str, circumstances: &Circumstances) -> Result<Import, String> {
    let mut gathering =
        Gathering { remarks: vec!["The name of an entry is its job type too.".to_owned()], ..Gathering::default() };
    for (index, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let Some((name, expression)) = line.split_once('=') else {
            gathering.lose(index, "is left out: expected name = expression");
            continue;
        };
        let mut draft = Draft::new(index, name.trim(), Job::Type(camel::job_type(name.trim())));
        draft.say("cron", expression.trim());
        draft.say("dialect", "quartz");
        draft.say("timezone", circumstances.zone.to_string());
        gathering.drafts.push(draft);
    }
    if gathering.drafts.is_empty() && !gathering.losses.is_empty() {
        return Err("neither XML nor lines of name = expression".to_owned());
    }
    Ok(gathering.finish())
}
