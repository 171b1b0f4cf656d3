//! One trigger of Quartz.

use std::fmt;

use carillon_shared::clock::Timestamp;
use roxmltree::Node;
use serde_json::json;

use super::draft::{Draft, Gathering, Job};
use super::quartz::{JobDetail, data};
use super::{Circumstances, camel, xml};

/// The name and group of a job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JobKey {
    name: String,
    group: String,
}

/// The group of what names none.
const DEFAULT_GROUP: &str = "DEFAULT";

/// What every trigger can say of itself that is carried over or told otherwise.
const CHILDREN: [&str; 16] = [
    "name",
    "group",
    "description",
    "job-name",
    "job-group",
    "job-data-map",
    "priority",
    "calendar-name",
    "start-time",
    "start-time-seconds-in-future",
    "end-time",
    "misfire-instruction",
    "cron-expression",
    "time-zone",
    "repeat-count",
    "repeat-interval",
];

impl JobKey {
    pub(super) fn new(name: &str, group: Option<&str>) -> Self {
        Self { name: name.to_owned(), group: group.unwrap_or(DEFAULT_GROUP).to_owned() }
    }

    /// The job that a trigger refers to.
    pub(super) fn of(trigger: Node<'_, '_>) -> Self {
        Self::new(xml::text(trigger, "job-name").unwrap_or_default(), xml::text(trigger, "job-group"))
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group == DEFAULT_GROUP { f.write_str(&self.name) } else { write!(f, "{}.{}", self.group, self.name) }
    }
}

pub(super) fn read(
    trigger: Node<'_, '_>,
    key: &JobKey,
    job: &JobDetail,
    circumstances: &Circumstances,
    gathering: &mut Gathering,
) {
    let name = match (xml::text(trigger, "name"), xml::text(trigger, "group")) {
        (None, _) => key.to_string(),
        (Some(name), None | Some(DEFAULT_GROUP)) => name.to_owned(),
        (Some(name), Some(group)) => format!("{group}.{name}"),
    };
    let mut draft = Draft::new(xml::line(trigger), &name, Job::Type(camel::job_type(&job.class)));
    let scheduled = match trigger.tag_name().name() {
        "cron" => cron(trigger, circumstances, &mut draft),
        "simple" => simple(trigger, &mut draft),
        other => Err(format!("a trigger of the sort {other} has no counterpart here")),
    };
    if let Err(problem) = scheduled {
        return gathering.lose(xml::line(trigger), format!("{name} is left out: {problem}"));
    }
    if let Some(text) = xml::text(trigger, "description").or(job.description.as_deref()) {
        draft.say("description", text);
    }
    let mut map = job.data.clone();
    map.extend(data(trigger));
    if !map.is_empty() {
        draft.say("args", json!([map]));
    }
    draft.say("meta", json!({"quartz_job": key.to_string()}));
    draft.say("overlap_policy", "allow");
    bounds(trigger, &mut draft);
    lose_the_rest(trigger, &mut draft);
    gathering.drafts.push(draft);
}

fn cron(trigger: Node<'_, '_>, circumstances: &Circumstances, draft: &mut Draft) -> Result<(), String> {
    draft.say("cron", xml::text(trigger, "cron-expression").ok_or("it has no cron-expression")?);
    draft.say("dialect", "quartz");
    let zone = circumstances.zone.to_string();
    draft.say("timezone", xml::text(trigger, "time-zone").unwrap_or(&zone));
    match instruction(trigger).as_deref() {
        None | Some("SMART_POLICY" | "FIRE_ONCE_NOW") => {}
        Some("DO_NOTHING") => draft.say("misfire", "skip"),
        Some("IGNORE_MISFIRE_POLICY") => draft.say("misfire", "all"),
        Some(other) => draft.lose(format!("the misfire instruction {other}")),
    }
    Ok(())
}

fn simple(trigger: Node<'_, '_>, draft: &mut Draft) -> Result<(), String> {
    let number = |name: &str| xml::text(trigger, name).map(str::parse::<i64>).transpose();
    let count = number("repeat-count").map_err(|_| "its repeat-count is no number")?.unwrap_or(0);
    let interval_ms = number("repeat-interval").map_err(|_| "its repeat-interval is no number")?.unwrap_or(0);
    if count == 0 {
        return Err("it fires once: enqueue a job that is scheduled for then".to_owned());
    }
    if interval_ms < 1000 || interval_ms % 1000 != 0 {
        return Err(format!("its interval of {interval_ms} ms is not of whole seconds"));
    }
    draft.say("cron", format!("@every {}s", interval_ms / 1000));
    if count > 0 {
        draft.say("max_runs", count.saturating_add(1));
    }
    if child_is_there(trigger, "start-time") {
        draft.lose("the rhythm counts from when the entry is first applied, not from start-time");
    }
    match instruction(trigger).as_deref() {
        Some("FIRE_NOW") => {}
        None | Some("SMART_POLICY") if count > 0 => {
            draft.lose(
                "after an outage Quartz fires at once and counts what is left anew; here one catch-up counts as one",
            );
        }
        None
        | Some("SMART_POLICY" | "RESCHEDULE_NEXT_WITH_REMAINING_COUNT" | "RESCHEDULE_NEXT_WITH_EXISTING_COUNT") => {
            draft.say("misfire", "skip");
        }
        Some("IGNORE_MISFIRE_POLICY") => draft.say("misfire", "all"),
        Some(other) => draft.lose(format!("the misfire instruction {other}")),
    }
    Ok(())
}

/// The instruction, without the words that say of which sort of trigger it is.
fn instruction(trigger: Node<'_, '_>) -> Option<String> {
    let text = xml::text(trigger, "misfire-instruction")?;
    Some(text.trim_start_matches("MISFIRE_INSTRUCTION_").to_owned())
}

fn bounds(trigger: Node<'_, '_>, draft: &mut Draft) {
    for (element, member) in [("start-time", "starts_at"), ("end-time", "ends_at")] {
        let Some(text) = xml::text(trigger, element) else { continue };
        match text.parse::<Timestamp>() {
            Ok(at) => draft.say(member, at.to_string()),
            Err(_) => draft.lose(format!("{element} {text}, which does not say its offset from UTC")),
        }
    }
}

fn lose_the_rest(trigger: Node<'_, '_>, draft: &mut Draft) {
    for element in ["priority", "calendar-name", "start-time-seconds-in-future"] {
        if let Some(text) = xml::text(trigger, element).filter(|text| (element, *text) != ("priority", "5")) {
            draft.lose(format!("{element} {text}"));
        }
    }
    for other in xml::others(trigger, &CHILDREN) {
        draft.lose(format!("the element {other}"));
    }
}

fn child_is_there(trigger: Node<'_, '_>, name: &str) -> bool {
    xml::child(trigger, name).is_some()
}

#[cfg(test)]
mod tests {
    use carillon_shared::cron::{MEMBERS, Zone};
    use serde_json::Value;

    use super::super::quartz::read;
    use super::super::{Import, Table};
    use super::*;

    fn import(triggers: &str) -> Import {
        let text = format!(
            "<job-scheduling-data xmlns='x'><schedule><job><name>report</name><job-class>com.acme.ReportJob</job-class>\
             <job-data-map><entry><key>kind</key><value>pdf</value></entry></job-data-map></job>{triggers}</schedule>\
             </job-scheduling-data>"
        );
        read(&text, &Circumstances { zone: Zone::UTC, table: Table::User }).expect("XML")
    }

    fn said(import: &Import, member: &str) -> Value {
        let members = &import.entries.first().unwrap_or_else(|| panic!("{:?}", import.losses)).members;
        members.iter().find(|(name, _)| *name == member).map_or(Value::Null, |(_, value)| value.clone())
    }

    /// Whether something is said, or named as lost where entries cannot say it.
    fn is_carried(import: &Import, member: &str, value: &Value) -> bool {
        if MEMBERS.contains(&member) {
            return said(import, member) == *value;
        }
        import.all_losses().iter().any(|loss| loss.what.ends_with(&format!("cannot say {member} = {value}")))
    }

    fn trigger(kind: &str, body: &str) -> String {
        format!("<trigger><{kind}><name>t</name><job-name>report</job-name>{body}</{kind}></trigger>")
    }

    #[test]
    fn a_cron_trigger_becomes_an_entry_of_its_dialect() {
        let body = "<misfire-instruction>MISFIRE_INSTRUCTION_DO_NOTHING</misfire-instruction><end-time>2030-01-01T00:00:00Z\
            </end-time><job-data-map><entry><key>size</key><value>A4</value></entry></job-data-map>\
            <cron-expression>0 15 3 ? * MON-FRI</cron-expression><time-zone>Europe/Paris</time-zone>";
        let import = import(&trigger("cron", body));
        for (member, value) in [
            ("name", json!("t")),
            ("type", json!("com.acme.report_job")),
            ("cron", json!("0 15 3 ? * MON-FRI")),
            ("dialect", json!("quartz")),
            ("timezone", json!("Europe/Paris")),
            ("args", json!([{"kind": "pdf", "size": "A4"}])),
        ] {
            assert_eq!(said(&import, member), value, "{member}");
        }
        assert!(is_carried(&import, "misfire", &json!("skip")), "{import:?}");
        assert!(is_carried(&import, "ends_at", &json!("2030-01-01T00:00:00Z")), "{import:?}");
    }

    #[test]
    fn a_simple_trigger_is_an_interval_where_that_is_exact() {
        let simple = |count: &str, interval: &str| {
            let body = format!("<repeat-count>{count}</repeat-count><repeat-interval>{interval}</repeat-interval>");
            import(&trigger("simple", &body))
        };
        assert_eq!(said(&simple("-1", "90000"), "cron"), json!("@every 90s"));
        assert!(is_carried(&simple("4", "1000"), "max_runs", &json!(5)));
        for (count, interval) in [("0", "1000"), ("-1", "1500"), ("-1", "10"), ("x", "1000"), ("-1", "-5000")] {
            let import = simple(count, interval);
            assert!(import.entries.is_empty() && import.losses.len() == 1, "{count} {interval}");
        }
    }

    #[test]
    fn what_has_no_counterpart_is_named() {
        let cron = "<cron-expression>0 0 0 * * ?</cron-expression>";
        let text = [
            trigger("cron", &format!("<calendar-name>holidays</calendar-name><priority>9</priority>{cron}")),
            trigger("calendar-interval", "<repeat-interval>1</repeat-interval>"),
            trigger("cron", ""),
            format!("<trigger><cron><job-name>other</job-name>{cron}</cron></trigger>"),
        ];
        let import = import(&text.concat());
        let losses: Vec<_> = import.all_losses().iter().map(|loss| loss.what.clone()).collect();
        for part in
            ["calendar-name holidays", "priority 9", "sort calendar-interval", "no cron-expression", "the job other"]
        {
            assert!(losses.iter().any(|loss| loss.contains(part)), "{part} in {losses:?}");
        }
        assert_eq!(import.entries.len(), 1);
    }

    #[test]
    fn a_list_of_names_and_expressions_is_read_too() {
        let circumstances = Circumstances { zone: Zone::UTC, table: Table::User };
        let import = read("# times\nreport.daily = 0 15 3 * * ?\nnonsense\n", &circumstances).expect("a list");
        assert_eq!((said(&import, "name"), said(&import, "type")), (json!("report.daily"), json!("report.daily")));
        assert_eq!(import.losses.len(), 1);
        assert!(read("nonsense", &circumstances).is_err());
    }
}
