//! Contributions to the scheduler of Nuxeo: `<schedule id="…"><event>…</event><cronExpression>…</cronExpression></schedule>`.

use carillon_shared::cron::Zone;
use roxmltree::Node;
use serde_json::{Map, Value};

use super::draft::{Draft, Gathering, Import, Job};
use super::{Circumstances, camel, xml};

const REMARKS: [&str; 2] = [
    "An event is a job type, its name and category are in the meta, and whoever it ran as is in run_as.",
    "Each instant fires its event, whether or not the last one has been handled.",
];

/// What a schedule can say of itself that is carried over.
const CHILDREN: [&str; 4] = ["event", "eventCategory", "username", "cronExpression"];
const ATTRIBUTES: [&str; 3] = ["id", "enabled", "timezone"];

pub(super) fn read(text: &str, circumstances: &Circumstances) -> Result<Import, String> {
    let document = xml::parse(text)?;
    let mut gathering = Gathering { remarks: REMARKS.map(str::to_owned).to_vec(), ..Gathering::default() };
    let schedules: Vec<_> = xml::all(document.root(), "schedule").collect();
    for (index, schedule) in schedules.iter().enumerate() {
        let (line, id) = (xml::line(*schedule), schedule.attribute("id"));
        let Some(id) = id else {
            gathering.lose(line, "a schedule without an id is left out");
            continue;
        };
        if schedules[index + 1..].iter().any(|later| later.attribute("id") == Some(id)) {
            gathering.lose(line, format!("{id} is left out: a later contribution of the same id takes its place"));
            continue;
        }
        match draft(*schedule, id, &circumstances.zone) {
            Ok(draft) => gathering.drafts.push(draft),
            Err(problem) => gathering.lose(line, format!("{id} is left out: {problem}")),
        }
    }
    Ok(gathering.finish())
}

fn draft(schedule: Node<'_, '_>, id: &str, zone: &Zone) -> Result<Draft, String> {
    let is_off = schedule.attribute("enabled").is_some_and(|text| text.trim().eq_ignore_ascii_case("false"));
    let Some(expression) = xml::text(schedule, "cronExpression") else {
        return Err(if is_off {
            "it switches off what another file contributes".to_owned()
        } else {
            "it has no cronExpression".to_owned()
        });
    };
    let event = xml::text(schedule, "event").ok_or("it has no event")?;
    let mut draft = Draft::new(xml::line(schedule), id, Job::Type(camel::job_type(event)));
    draft.say("cron", expression);
    draft.say("dialect", "quartz");
    draft.say(
        "timezone",
        schedule.attribute("timezone").map_or_else(|| zone.to_string(), |zone| zone.trim().to_owned()),
    );
    draft.say("meta", meta(schedule, id, event));
    draft.say("overlap_policy", "allow");
    if is_off {
        draft.say("enabled", false);
    }
    if let Some(user) = xml::text(schedule, "username") {
        draft.say("run_as", user);
    }
    for child in xml::others(schedule, &CHILDREN) {
        draft.lose(format!("the element {child}"));
    }
    for attribute in schedule.attributes().filter(|attribute| !ATTRIBUTES.contains(&attribute.name())) {
        draft.lose(format!("the attribute {}", attribute.name()));
    }
    Ok(draft)
}

fn meta(schedule: Node<'_, '_>, id: &str, event: &str) -> Map<String, Value> {
    let mut meta = Map::from_iter([("schedule_id".to_owned(), id.into()), ("event".to_owned(), event.into())]);
    if let Some(category) = xml::text(schedule, "eventCategory") {
        meta.insert("event_category".to_owned(), category.into());
    }
    meta
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Table;
    use super::*;

    fn import(schedules: &str) -> Import {
        let text = format!("<component name='x'><extension point='schedule'>{schedules}</extension></component>");
        read(&text, &Circumstances { zone: Zone::UTC, table: Table::User }).expect("XML")
    }

    fn said(import: &Import, member: &str) -> Value {
        let members = &import.entries[0].members;
        members.iter().find(|(name, _)| *name == member).map_or(Value::Null, |(_, value)| value.clone())
    }

    #[test]
    fn a_contribution_becomes_an_entry_that_fires_its_event() {
        let import = import(
            "<schedule id='monthlyStuff' enabled='false' timezone='Europe/Paris'><event>updateCounters</event>\
             <eventCategory>default</eventCategory><cronExpression>0 15 3 1 * ?</cronExpression></schedule>",
        );
        for (member, value) in [
            ("name", json!("monthlystuff")),
            ("type", json!("update_counters")),
            ("cron", json!("0 15 3 1 * ?")),
            ("dialect", json!("quartz")),
            ("timezone", json!("Europe/Paris")),
            ("enabled", json!(false)),
            ("meta", json!({"schedule_id": "monthlyStuff", "event": "updateCounters", "event_category": "default"})),
        ] {
            assert_eq!(said(&import, member), value, "{member}");
        }
        assert!(import.all_losses().is_empty());
    }

    #[test]
    fn what_is_not_carried_over_is_named() {
        let import = import(
            "<schedule><event>e</event></schedule>\n<schedule id='off' enabled='false'/>\n<schedule id='no-event'>\
             <cronExpression>0 0 0 * * ?</cronExpression></schedule>\n<schedule id='a'><event>old</event>\
             <cronExpression>0 0 0 * * ?</cronExpression></schedule>\n<schedule id='a' jobFactoryClass='X'>\
             <event>new</event><cronExpression>0 0 0 * * ?</cronExpression><extra/></schedule>",
        );
        let losses: Vec<_> = import.all_losses().iter().map(ToString::to_string).collect();
        for (loss, part) in losses.iter().zip([
            "line 1: a schedule without an id",
            "line 2: off is left out: it switches off",
            "line 3: no-event is left out: it has no event",
            "line 4: a is left out: a later",
            "line 5: a: the element extra",
            "line 5: a: the attribute jobFactoryClass",
        ]) {
            assert!(loss.starts_with(part), "{loss}");
        }
        assert_eq!((losses.len(), said(&import, "type")), (6, json!("new")));
    }
}
