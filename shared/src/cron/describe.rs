//! A schedule in plain English, said from our own reading of it: "At 09:00 on Monday to Friday, New York time".

use crate::clock::Timestamp;

use super::element::{Element, Form, Span};
use super::every::write;
use super::expression::Fields;
use super::field::Field;
use super::phrase::{and, is_plain, list, part};
use super::zone::Zone;

/// More times of day than this are told by their rule instead.
const TIMES_LISTED_MAX: usize = 8;

/// The sentence for fields.
pub(super) fn fields(fields: &Fields, zone: Zone, never: bool) -> String {
    let mut said = times(fields);
    said.push_str(&days(fields));
    if let Some(months) = part(fields, Field::Month) {
        said.push_str(&format!(" in {months}"));
    }
    if let Some(years) = part(fields, Field::Year) {
        said.push_str(&format!(" of {years}"));
    }
    said.push_str(&format!(", {}", clock(zone)));
    if never {
        said.push_str("; no such date exists, so it never fires");
    }
    said
}

/// The sentence for an interval.
pub(super) fn every(secs: u64, anchor: Timestamp) -> String {
    format!("Every {} from {anchor} on", write(secs))
}

/// `New York time`, by the location in the zone's name.
fn clock(zone: Zone) -> String {
    match zone.name().rsplit('/').next() {
        Some("UTC") | None => "UTC".to_owned(),
        Some(location) => format!("{} time", location.replace('_', " ")),
    }
}

fn times(fields: &Fields) -> String {
    listed_times(fields).unwrap_or_else(|| ruled_times(fields))
}

/// `At 09:00 and 17:30`, if all three fields name plain values and these are few.
fn listed_times(fields: &Fields) -> Option<String> {
    let (hours, minutes) = (values(fields, Field::Hour)?, values(fields, Field::Minute)?);
    let seconds = values(fields, Field::Second)?;
    if hours.len() * minutes.len() * seconds.len() > TIMES_LISTED_MAX {
        return None;
    }
    let mut times = Vec::new();
    for hour in &hours {
        for minute in &minutes {
            times.extend(seconds.iter().map(|second| time(*hour, *minute, *second)));
        }
    }
    Some(format!("At {}", and(&times)))
}

fn time(hour: u16, minute: u16, second: u16) -> String {
    match second {
        0 => format!("{hour:02}:{minute:02}"),
        _ => format!("{hour:02}:{minute:02}:{second:02}"),
    }
}

/// The sorted values of a field that has nothing else.
fn values(fields: &Fields, field: Field) -> Option<Vec<u16>> {
    let value = |element: &Element| match element {
        Element::Span(Span { form: Form::Value, from, .. }) => Some(*from),
        _ => None,
    };
    let mut values: Vec<_> = fields.of(field).iter().map(value).collect::<Option<_>>()?;
    values.sort_unstable();
    values.dedup();
    Some(values)
}

/// `Every 15 minutes from 09:00 to 17:59`
fn ruled_times(fields: &Fields) -> String {
    let mut parts = Vec::new();
    for (field, silent_at_zero) in [(Field::Second, true), (Field::Minute, false)] {
        let zero = values(fields, field) == Some(vec![0]);
        let all_above = fields.only(field) == Some(Element::Every) && !parts.is_empty();
        if !(all_above || zero && silent_at_zero) {
            parts.push(rhythm(fields, field));
        }
    }
    let mut said = parts.join(" of ");
    if said.starts_with("every") {
        said.replace_range(..1, "E");
    } else {
        said.insert_str(0, "At ");
    }
    match fields.only(Field::Hour) {
        Some(Element::Every) if parts.last().is_some_and(|last| last.starts_with("every ")) => said,
        Some(Element::Every) => said + " of every hour",
        Some(Element::Span(Span { from, length, step: 1, .. })) if from + length < 24 => {
            format!("{said} from {from:02}:00 to {:02}:59", from + length)
        }
        _ => format!("{said} of {}", list(fields, Field::Hour)),
    }
}

/// `every 15 minutes`, `minutes 5 and 10`
fn rhythm(fields: &Fields, field: Field) -> String {
    match fields.only(field) {
        Some(Element::Every) => format!("every {field}"),
        Some(Element::Span(Span { form: Form::Star, step, .. })) if step > 1 && 60 % step == 0 && step < 60 => {
            format!("every {step} {field}s")
        }
        _ => list(fields, field),
    }
}

/// ` on Monday to Friday`
fn days(fields: &Fields) -> String {
    match (part(fields, Field::DayOfMonth), part(fields, Field::DayOfWeek)) {
        (None, None) if listed_times(fields).is_some() => " every day".to_owned(),
        (None, None) => String::new(),
        (Some(_), None) => format!(" on {}", days_of_month(fields)),
        (None, Some(weekdays)) => format!(" on {weekdays}"),
        (Some(_), Some(weekdays)) => format!(" on {}, or on {weekdays}", days_of_month(fields)),
    }
}

/// `day 1 of the month`, `days 1 and 15 of the month`, `the last day of the month`
fn days_of_month(fields: &Fields) -> String {
    let elements = fields.of(Field::DayOfMonth);
    let words = list(fields, Field::DayOfMonth);
    let plain = elements.iter().all(|element| matches!(element, Element::Span(span) if is_plain(*span)));
    match elements {
        [Element::Span(span)] if span.step > span.length => format!("day {words} of the month"),
        _ if plain => format!("days {words} of the month"),
        _ => words,
    }
}
