//! One element of a field's list: a star, a value, a range, a step, or a day rule with `L`, `W` or `#`.

use super::dialect::Dialect;
use super::error::{ScheduleError, ScheduleErrorKind as Kind};
use super::field::Field;
use super::name_hint;
use super::special;

/// What one element says, in our own counting of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// `*`
    Every,
    /// `?`
    Unsaid,
    /// A value, a range or a step.
    Span(Span),
    /// `L`, `L-3`
    LastDay { before: u8 },
    /// `LW`, `L-3W`
    LastWorkday { before: u8 },
    /// `15W`
    Nearest { day: u8 },
    /// `5#3`
    Nth { weekday: u8, nth: u8 },
    /// `5L`
    LastWeekday { weekday: u8 },
}

/// Every `step`th value from `from` on, the last at most `length` after it, counted round the field's cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) form: Form,
    pub(super) from: u16,
    pub(super) length: u16,
    pub(super) step: u16,
}

/// How a span was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `5`
    Value,
    /// `5-7`, `5-7/2`
    Range,
    /// `MON-FRI`, `MON-FRI/2`
    NamedRange,
    /// `*/5`
    Star,
    /// `5/15`, which is `5-59/15`
    Open,
}

impl Span {
    pub(super) const fn value(from: u16) -> Self {
        Self { form: Form::Value, from, length: 0, step: 1 }
    }

    /// The values, in the order in which they come.
    pub(super) fn values(self, field: Field) -> impl Iterator<Item = u16> {
        let (first, count) = field.cycle();
        let offset = self.from - first;
        (0..=self.length).step_by(usize::from(self.step)).map(move |ahead| (offset + ahead) % count + first)
    }

    /// The last value it may reach, before it goes round; greater than the field's last one if it does.
    pub(super) const fn end(self) -> u16 {
        self.from + self.length
    }
}

/// Where an element stands, for the errors about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) field: Field,
    pub(super) dialect: Dialect,
    pub(super) offset: usize,
}

impl Place {
    pub(super) fn refuse(self, kind: Kind, problem: &'static str, token: &str) -> ScheduleError {
        ScheduleError::new(kind, problem)
            .token(token)
            .at(self.offset)
            .in_field(self.field)
            .allowed(self.field.allowed(self.dialect))
    }
}

/// Reads one element.
pub(super) fn read(token: &str, place: Place) -> Result<Element, ScheduleError> {
    match token {
        "*" => return Ok(Element::Every),
        "" => return Err(place.refuse(Kind::List, "leaves an element of the list empty", ",")),
        _ => {}
    }
    if token.contains('?') {
        return Err(misplaced_question_mark(token, place));
    }
    if let Some(rule) = special::read(token, place)? {
        return Ok(rule);
    }
    let Some((base, step)) = token.split_once('/') else {
        return read_base(token, token, place).map(Element::Span);
    };
    let step = read_step(step, token, place)?;
    let mut span = if base == "*" { star(place.field) } else { read_base(base, token, place)? };
    if span.form == Form::Value {
        span = Span { form: Form::Open, length: last_value(place) - span.from, ..span };
    }
    Ok(Element::Span(Span { step, ..span }))
}

/// A value or a range, without its step.
fn read_base(base: &str, token: &str, place: Place) -> Result<Span, ScheduleError> {
    let Some((from, to)) = base.split_once('-') else {
        return read_value(base, token, place).map(Span::value);
    };
    if from.is_empty() {
        return Err(place.refuse(Kind::Range, "begins with a sign; numbers have none", token));
    }
    if to.is_empty() {
        return Err(place.refuse(Kind::Range, "is a range without both of its ends", token));
    }
    let form = if to.as_bytes()[0].is_ascii_digit() { Form::Range } else { Form::NamedRange };
    let (from, to) = (read_value(from, token, place)?, read_value(to, token, place)?);
    let length = length_between(from, to, place).ok_or_else(|| reversed(from, to, token, place))?;
    Ok(Span { form, from, length, step: 1 })
}

/// A range may run backwards where the dialect wraps it, and everywhere if it ends on Sunday.
fn length_between(from: u16, to: u16, place: Place) -> Option<u16> {
    let (_, count) = place.field.cycle();
    if from <= to {
        Some(to - from)
    } else if place.field == Field::DayOfWeek && to == 0 {
        Some((7 - from) % 7)
    } else if place.dialect == Dialect::Quartz && place.field != Field::Year {
        Some(to + count - from)
    } else {
        None
    }
}

fn reversed(from: u16, to: u16, token: &str, place: Place) -> ScheduleError {
    let (first, count) = place.field.cycle();
    let last = first + count - 1;
    let split = (place.field != Field::Year && !token.contains('/'))
        .then(|| format!("{},{}", written_range(from, last), written_range(first, to)));
    place.refuse(Kind::Range, "is a range that runs backwards", token).suggest(split)
}

fn written_range(from: u16, to: u16) -> String {
    if from == to { from.to_string() } else { format!("{from}-{to}") }
}

/// A number or a name. `token` is the whole element, which the error shows.
pub(super) fn read_value(text: &str, token: &str, place: Place) -> Result<u16, ScheduleError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return place.field.named(text).ok_or_else(|| no_value(text, token, place));
    }
    let (least, greatest) = place.field.written_range(place.dialect);
    match text.parse::<u16>() {
        Ok(value) if (least..=greatest).contains(&value) => Ok(place.field.counted(value, place.dialect)),
        _ => Err(place.refuse(Kind::Value, "is out of range", token).suggest(wrapped(text, place.field))),
    }
}

/// The writings of other tools for the first value of a cycle.
fn wrapped(text: &str, field: Field) -> Option<&'static str> {
    match (field, text) {
        (Field::Second | Field::Minute, "60") | (Field::Hour, "24") => Some("0"),
        (Field::DayOfMonth | Field::Month, "0" | "00") => Some("1"),
        _ => None,
    }
}

fn no_value(text: &str, token: &str, place: Place) -> ScheduleError {
    if text.starts_with(|c: char| c.is_ascii_digit()) && special::looks_special(text) {
        return place.refuse(Kind::Special, "uses L, W or # where it has no meaning", token);
    }
    if text.is_empty() || text.starts_with('-') || token.starts_with('-') {
        return place.refuse(Kind::Range, "is neither a number nor a range; numbers have no sign", token);
    }
    let problem = if place.field.names().is_empty() { "is not a number" } else { "is neither a number nor a name" };
    place.refuse(Kind::Name, problem, token).suggest(name_hint::meant(token, place.field))
}

fn read_step(text: &str, token: &str, place: Place) -> Result<u16, ScheduleError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(place.refuse(Kind::Step, "has a step that is not a number", token));
    }
    match text.parse::<u16>() {
        Ok(0) => Err(place.refuse(Kind::Step, "has a step of 0; the least is 1", token).suggest(without_step(token))),
        Ok(step) => Ok(step),
        Err(_) => Err(place.refuse(Kind::Step, "has a step beyond 65535", token)),
    }
}

fn without_step(token: &str) -> Option<String> {
    token.split_once('/').map(|(base, _)| base.to_owned())
}

const fn star(field: Field) -> Span {
    let (first, count) = field.cycle();
    Span { form: Form::Star, from: first, length: count - 1, step: 1 }
}

/// `5/2` goes on to the last value that may be written: for a weekday of the OJS dialect that is 7, Sunday.
const fn last_value(place: Place) -> u16 {
    let (_, greatest) = place.field.written_range(place.dialect);
    place.field.counted(greatest, place.dialect)
}

fn misplaced_question_mark(token: &str, place: Place) -> ScheduleError {
    let days = matches!(place.field, Field::DayOfMonth | Field::DayOfWeek);
    let problem = match (place.dialect, days) {
        (Dialect::Quartz, true) => "is no day; `?` stands alone in its field",
        (Dialect::Quartz, false) => "is no value; `?` stands only in a day field",
        (Dialect::Ojs, _) => "is no value; `?` belongs to the quartz dialect",
    };
    place.refuse(Kind::QuestionMark, problem, token).suggest((token == "?").then_some("*"))
}
