//! The words for one field: `minute 5`, `every 2nd hour`, `Monday to Friday`, `the last day of the month`.

use super::element::{Element, Form, Span};
use super::expression::Fields;
use super::field::Field;

/// What a field says that says something.
pub(super) fn part(fields: &Fields, field: Field) -> Option<String> {
    fields.restricts(field).then(|| list(fields, field))
}

/// `minute 5`, `hours 9, 12 and 15`, `every 2nd hour from 8 to 18`, `January to March`
pub(super) fn list(fields: &Fields, field: Field) -> String {
    let words: Vec<_> = fields.of(field).iter().map(|element| element_words(*element, field)).collect();
    let plain = fields.of(field).iter().all(|element| matches!(element, Element::Span(span) if is_plain(*span)));
    let noun = match field {
        Field::Second | Field::Minute | Field::Hour => field.to_string(),
        _ => return and(&words),
    };
    let alone = matches!(fields.of(field), [Element::Span(span)] if span.step > span.length);
    match (plain, alone) {
        (true, true) => format!("{noun} {}", and(&words)),
        (true, false) => format!("{noun}s {}", and(&words)),
        _ => and(&words),
    }
}

fn element_words(element: Element, field: Field) -> String {
    match element {
        Element::Span(span) if span.step > span.length => value(span.from, field),
        Element::Span(Span { form: Form::Star, step, .. }) => format!("every {} {}", ordinal(step), unit(field)),
        Element::Span(span) if span.step == 1 => range(span, field),
        Element::Span(span) => format!("every {} {} from {}", ordinal(span.step), unit(field), range(span, field)),
        Element::LastDay { before } => format!("the {}last day of the month", before_last(before)),
        Element::LastWorkday { before: 0 } => "the last weekday of the month".to_owned(),
        Element::LastWorkday { before } => {
            format!("the weekday nearest to the {}last day of the month", before_last(before))
        }
        Element::Nearest { day } => format!("the weekday nearest to day {day} of the month"),
        Element::Nth { weekday, nth } => {
            format!("the {} {} of the month", ordinal(nth.into()), value(weekday.into(), field))
        }
        Element::LastWeekday { weekday } => format!("the last {} of the month", value(weekday.into(), field)),
        Element::Every | Element::Unsaid => format!("every {}", unit(field)),
    }
}

/// `4th to ` before `last`: `L-3` is the fourth day from the end.
fn before_last(before: u8) -> String {
    match before {
        0 => String::new(),
        1 => "second-to-".to_owned(),
        _ => format!("{} to ", ordinal(u16::from(before) + 1)),
    }
}

fn range(span: Span, field: Field) -> String {
    let (first, count) = field.cycle();
    let last = (span.end() - first) % count + first;
    format!("{} to {}", value(span.from, field), value(last, field))
}

fn unit(field: Field) -> &'static str {
    match field {
        Field::Second => "second",
        Field::Minute => "minute",
        Field::Hour => "hour",
        Field::DayOfMonth => "day",
        Field::Month => "month",
        Field::DayOfWeek => "day of the week",
        Field::Year => "year",
    }
}

/// A value by its name, where it has one.
fn value(value: u16, field: Field) -> String {
    let (first, count) = field.cycle();
    let name = field.names().get(usize::from((value - first) % count));
    name.map_or_else(|| value.to_string(), ToString::to_string)
}

fn ordinal(number: u16) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// A value or a range; a step that reaches the first value only is one as well.
pub(super) const fn is_plain(span: Span) -> bool {
    span.step == 1 || span.step > span.length
}

/// `a, b and c`
pub(super) fn and(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}
