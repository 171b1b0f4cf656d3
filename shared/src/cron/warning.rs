//! What is allowed and yet probably not meant, or worth knowing before a clock change makes it known.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDateTime};
use serde::Serialize;

use crate::clock::Timestamp;

use super::dialect::Dialect;
use super::element::{Element, Form, Span};
use super::expression::{Expression, Fields};
use super::field::Field;
use super::schedule::Schedule;
use super::walk::Passes;

/// A remark on an accepted schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Which remark: a word that stays the same.
    pub code: &'static str,
    /// The remark, for people.
    pub message: String,
}

/// How far ahead clock changes are looked for: every zone that changes regularly does so within a year.
const AHEAD_SECS: i64 = 400 * 86_400;

fn warn(code: &'static str, message: impl Into<Cow<'static, str>>) -> Warning {
    Warning { code, message: message.into().into_owned() }
}

/// All remarks on a schedule; one that stays silent needs no other.
pub(super) fn warnings(schedule: &Schedule, now: Timestamp) -> Vec<Warning> {
    let Some(Expression::Fields(fields)) = schedule.read() else {
        return Vec::new();
    };
    if let Some(silence) = silence(schedule, now) {
        return vec![silence];
    }
    let mut warnings = Vec::new();
    for field in Field::ALL {
        for element in fields.of(field) {
            warnings.extend(step(*element, field));
            warnings.extend(rare_day(*element, field));
            warnings.extend(quartz_trap(*element, field, schedule.dialect()));
        }
    }
    warnings.extend(short_months(&fields));
    warnings.extend(union(&fields));
    warnings.extend(clock_changes(schedule, now));
    warnings
}

/// It never fires, or not any more.
fn silence(schedule: &Schedule, now: Timestamp) -> Option<Warning> {
    if schedule.never_fires() {
        return Some(warn("never_fires", "no date matches: this schedule never fires"));
    }
    match schedule.next_fire_after(now) {
        None => Some(warn("no_more_fires", "the last matching date has passed: this schedule will not fire again")),
        Some(_) => None,
    }
}

fn step(element: Element, field: Field) -> Option<Warning> {
    let Element::Span(span @ Span { form, from, length, step }) = element else {
        return None;
    };
    if step > length && form != Form::Value {
        let message = format!("the step {step} in the {field} field is wider than its range: only {from} remains");
        return Some(warn("wide_step", message));
    }
    let (_, count) = field.cycle();
    let uneven = form == Form::Star && field != Field::Year && count % step != 0;
    uneven.then(|| {
        let values: Vec<_> = span.values(field).collect();
        let (first, last) = (values.first().copied().unwrap_or(from), values.last().copied().unwrap_or(from));
        let rest = first + count - last;
        let message = format!(
            "{step} does not divide the {field} field evenly: after {last} comes {first} again, {rest} later instead of {step}"
        );
        warn("uneven_step", message)
    })
}

/// Rules that some months do not meet.
fn rare_day(element: Element, field: Field) -> Option<Warning> {
    match element {
        Element::Nth { nth: 5, .. } => {
            Some(warn("fifth_weekday", "only some months have a fifth such weekday; in the others it does not fire"))
        }
        Element::Nearest { day: day @ 29..=31 } if field == Field::DayOfMonth => Some(warn(
            "short_months",
            format!("months without a day {day} are left out; LW is the last weekday of every month"),
        )),
        _ => None,
    }
}

/// What Quartz itself reads otherwise than it looks.
fn quartz_trap(element: Element, field: Field, dialect: Dialect) -> Option<Warning> {
    let (Dialect::Quartz, Element::Span(span)) = (dialect, element) else {
        return None;
    };
    if span.form == Form::NamedRange && span.step > 1 {
        let message = "the step after a range of names counts here; Quartz ignores it silently";
        return Some(warn("quartz_named_step", message));
    }
    let numbered = field == Field::DayOfWeek && matches!(span.form, Form::Value | Form::Range | Form::Open);
    numbered.then(|| warn("quartz_weekday", "Quartz counts weekdays from Sunday = 1; names such as MON are safer"))
}

/// Days that some months lack, where nothing else would fire in those.
fn short_months(fields: &Fields) -> Option<Warning> {
    if fields.restricts(Field::DayOfWeek) && fields.only(Field::DayOfWeek) != Some(Element::Unsaid) {
        return None;
    }
    let least = fields.of(Field::DayOfMonth).iter().map(|element| match element {
        Element::Span(span) => span.from,
        _ => 1,
    });
    let day = least.min().filter(|day| *day > 28)?;
    Some(warn("short_months", format!("months without a day {day} are left out; L is the last day of every month")))
}

fn union(fields: &Fields) -> Option<Warning> {
    let both = fields.restricts(Field::DayOfMonth) && fields.restricts(Field::DayOfWeek);
    both.then(|| {
        warn("day_union", "both day fields are set: it fires on days that match either of them, not only both")
    })
}

/// The next gap and the next repetition that touch it, within a year or so.
fn clock_changes(schedule: &Schedule, now: Timestamp) -> Vec<Warning> {
    let (mut gap, mut fold) = (None, None);
    let zone = schedule.zone().transitions();
    let until = now.as_secs().max(0).saturating_add(AHEAD_SECS);
    let mut stretch = zone.at(now.as_secs().max(0));
    while stretch.end < until && (gap.is_none() || fold.is_none()) {
        stretch = zone.at(stretch.end);
        let (low, high) = (stretch.offset.min(stretch.offset_before), stretch.offset.max(stretch.offset_before));
        let touched = touched(schedule, stretch.start + low, stretch.start + high);
        if stretch.offset > stretch.offset_before {
            gap = gap.or_else(|| touched.and_then(|first| gap_warning(schedule, first)));
        } else {
            fold = fold.or_else(|| touched.and_then(|first| fold_warning(schedule, first)));
        }
    }
    gap.into_iter().chain(fold).collect()
}

/// The first local time that the schedule names, of those that a change skips or repeats.
fn touched(schedule: &Schedule, from: i64, before: i64) -> Option<NaiveDateTime> {
    let civil = schedule.pattern()?.from(from).filter(|civil| *civil < before)?;
    DateTime::from_timestamp(civil, 0).map(|local| local.naive_utc())
}

fn gap_warning(schedule: &Schedule, first: NaiveDateTime) -> Option<Warning> {
    if schedule.runs_every_hour() {
        return None;
    }
    let (zone, day) = (schedule.zone(), first.date());
    Some(warn(
        "dst_gap",
        format!("on {day} clocks in {zone} go forward: {} does not exist and is skipped", first.time()),
    ))
}

fn fold_warning(schedule: &Schedule, first: NaiveDateTime) -> Option<Warning> {
    let (zone, day, time) = (schedule.zone(), first.date(), first.time());
    let effect = match (schedule.passes(), schedule.runs_every_hour()) {
        (Passes::First, _) => "it fires at the first pass only",
        (Passes::Both, true) => "it keeps its rhythm and fires at both passes",
        (Passes::Both, false) => "it fires at both passes",
    };
    Some(warn("dst_fold", format!("on {day} clocks in {zone} go back: {time} comes twice; {effect}")))
}
