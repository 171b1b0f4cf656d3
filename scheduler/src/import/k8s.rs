//! CronJobs of Kubernetes, in YAML: documents one after the other, or a List.

use carillon_shared::cron::Zone;
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::draft::{Draft, Gathering, Import, Job};
use super::{Circumstances, k8s_pod};
use crate::declared::from_yaml;

const REMARKS: [&str; 2] = [
    "Each entry has a job type of its own; its argument is what the container was started with. The worker runs the command",
    "on its own machine (see the handlers), not in the image: what the command needs must be there.",
];

/// What a CronJob can say of itself that is carried over, or told otherwise.
const SPEC: [&str; 8] = [
    "schedule",
    "timeZone",
    "concurrencyPolicy",
    "suspend",
    "startingDeadlineSeconds",
    "jobTemplate",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
];

pub(super) fn read(text: &str, circumstances: &Circumstances) -> Result<Import, String> {
    let mut gathering = Gathering { remarks: REMARKS.map(str::to_owned).to_vec(), ..Gathering::default() };
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        let value = serde_yaml_ng::Value::deserialize(document).and_then(|mut value| {
            value.apply_merge()?;
            Ok(value)
        });
        let value = value.map_err(|error| format!("not YAML: {error}"))?;
        take(&from_yaml(value)?, circumstances, &mut gathering);
    }
    Ok(gathering.finish())
}

fn take(document: &Value, circumstances: &Circumstances, gathering: &mut Gathering) {
    let name = document["metadata"]["name"].as_str().unwrap_or("without a name");
    match document["kind"].as_str() {
        None if document.is_null() => {}
        Some("CronJob") => match draft(document, name, &circumstances.zone) {
            Ok(draft) => gathering.drafts.push(draft),
            Err(problem) => gathering.lose(0, format!("{name} is left out: {problem}")),
        },
        // Lists do not stand within lists.
        Some("List" | "CronJobList") => {
            for item in document["items"].as_array().into_iter().flatten().filter(|item| item["items"].is_null()) {
                take(item, circumstances, gathering);
            }
        }
        kind => gathering.lose(0, format!("{} {name} is no CronJob", kind.unwrap_or("a document"))),
    }
}

fn draft(cron_job: &Value, name: &str, zone: &Zone) -> Result<Draft, String> {
    let spec = cron_job["spec"].as_object().ok_or("it has no spec")?;
    let text = |member: &str| spec.get(member).and_then(Value::as_str);
    let schedule = text("schedule").ok_or("it has no schedule")?;
    let template = &spec.get("jobTemplate").unwrap_or(&Value::Null)["spec"];
    let container = k8s_pod::container(&template["template"]["spec"]);
    let command = container.as_ref().and_then(k8s_pod::Container::command);
    let mut draft = Draft::new(0, name, Job::Own("k8s", command));
    let (zone_in, expression) = zoned(schedule);
    let zone = text("timeZone").or(zone_in).map_or_else(|| zone.to_string(), str::to_owned);
    // In Kubernetes a question mark is a star.
    draft.say("cron", expression.replace('?', "*"));
    draft.say("timezone", zone);
    match text("concurrencyPolicy") {
        None | Some("Allow") => draft.say("overlap_policy", "allow"),
        Some("Forbid") => draft.say("overlap_policy", "skip"),
        Some("Replace") => draft.say("overlap_policy", "cancel_previous"),
        Some(other) => return Err(format!("the concurrencyPolicy {other} is unknown")),
    }
    if spec.get("suspend") == Some(&Value::Bool(true)) {
        draft.say("enabled", false);
    }
    if let Some(seconds) = spec.get("startingDeadlineSeconds").and_then(Value::as_u64) {
        draft.say("deadline", format!("{seconds}s"));
    }
    draft.say("options", options(template));
    if let Some(namespace) = cron_job["metadata"]["namespace"].as_str() {
        draft.say("meta", json!({"k8s_namespace": namespace}));
    }
    match container {
        Some(container) => draft.say("args", json!([container.to_json()])),
        None => draft.lose("there is no container in it"),
    }
    lose(spec, template, &mut draft);
    Ok(draft)
}

/// `TZ=Europe/Berlin 0 3 * * *` names its zone.
fn zoned(schedule: &str) -> (Option<&str>, &str) {
    let rest = schedule.trim();
    let named = rest.strip_prefix("CRON_TZ=").or_else(|| rest.strip_prefix("TZ="));
    match named.and_then(|named| named.split_once(' ')) {
        Some((zone, expression)) => (Some(zone), expression.trim()),
        None => (None, rest),
    }
}

/// Kubernetes tries six times more unless it is told otherwise.
const BACKOFF_LIMIT: u64 = 6;

fn options(template: &Value) -> Value {
    let retries = template["backoffLimit"].as_u64().unwrap_or(BACKOFF_LIMIT);
    let mut options =
        Map::from_iter([("retry".to_owned(), json!({"max_attempts": retries.saturating_add(1).min(100)}))]);
    if let Some(seconds) = template["activeDeadlineSeconds"].as_u64() {
        options.insert("timeout".to_owned(), seconds.into());
    }
    options.into()
}

fn lose(spec: &Map<String, Value>, template: &Value, draft: &mut Draft) {
    for member in ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        if let Some(value) = spec.get(member) {
            draft.lose(format!("{member} {value}: how long jobs are kept is a setting of the scheduler"));
        }
    }
    for member in spec.keys().filter(|member| !SPEC.contains(&member.as_str())) {
        draft.lose(format!("spec.{member}"));
    }
    if template["activeDeadlineSeconds"].is_u64() {
        draft.lose("activeDeadlineSeconds limits all attempts together; here it limits each");
    }
    let known = ["template", "backoffLimit", "activeDeadlineSeconds"];
    for (member, value) in template.as_object().into_iter().flatten() {
        let means_nothing = ["parallelism", "completions"].contains(&member.as_str()) && value == 1;
        if !known.contains(&member.as_str()) && !means_nothing {
            draft.lose(format!("jobTemplate.spec.{member} {value}"));
        }
    }
    for loss in k8s_pod::losses(&template["template"]["spec"]) {
        draft.lose(loss);
    }
}

#[cfg(test)]
mod tests {
    use carillon_shared::cron::MEMBERS;

    use super::super::Table;
    use super::*;

    fn import(text: &str) -> Import {
        read(text, &Circumstances { zone: Zone::UTC, table: Table::User }).expect("YAML")
    }

    fn said(import: &Import, entry: usize, member: &str) -> Value {
        let members = &import.entries[entry].members;
        members.iter().find(|(name, _)| *name == member).map_or(Value::Null, |(_, value)| value.clone())
    }

    fn cron_job(spec: &str) -> String {
        format!(
            "{{kind: CronJob, metadata: {{name: c}}, spec: {{schedule: '0 3 * * *', {spec} jobTemplate: {{spec: {{\
             template: {{spec: {{containers: [{{name: m, image: i, command: [run, -x]}}]}}}}}}}}}}}}"
        )
    }

    #[test]
    fn each_policy_of_concurrency_has_its_own_of_overlap() {
        for (policy, overlap) in [("Allow", "allow"), ("Forbid", "skip"), ("Replace", "cancel_previous")] {
            let import = import(&cron_job(&format!("concurrencyPolicy: {policy},")));
            assert_eq!(said(&import, 0, "overlap_policy"), overlap);
        }
        assert_eq!(said(&import(&cron_job("")), 0, "overlap_policy"), "allow");
        assert_eq!(import(&cron_job("concurrencyPolicy: Never,")).entries.len(), 0);
    }

    #[test]
    fn zone_suspension_and_deadline_are_carried_over() {
        let import = import(&cron_job("timeZone: Asia/Tokyo, suspend: true, startingDeadlineSeconds: 30,"));
        assert_eq!((said(&import, 0, "timezone"), said(&import, 0, "enabled")), (json!("Asia/Tokyo"), json!(false)));
        if MEMBERS.contains(&"deadline") {
            assert_eq!(said(&import, 0, "deadline"), "30s");
        } else {
            assert!(import.all_losses().iter().any(|loss| loss.what.contains("deadline")));
        }
        assert_eq!(zoned("CRON_TZ=Asia/Tokyo 0 3 * * *"), (Some("Asia/Tokyo"), "0 3 * * *"));
    }

    #[test]
    fn documents_and_lists_are_read_and_other_kinds_named() {
        let list = format!("{{kind: List, items: [{}]}}", cron_job(""));
        let import =
            import(&format!("---\n{}\n---\n{list}\n---\nkind: Service\nmetadata: {{name: s}}\n---\n", cron_job("")));
        let names: Vec<_> = (0..import.entries.len()).map(|entry| said(&import, entry, "name")).collect();
        assert_eq!(names, ["c", "c-2"]);
        assert!(import.losses.iter().any(|loss| loss.what == "Service s is no CronJob"), "{:?}", import.losses);
        assert_eq!(import.commands.len(), 2);
    }
}
