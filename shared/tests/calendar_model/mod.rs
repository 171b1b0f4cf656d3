//! A naive model of the calendar, written apart from it: expressions are generated together with what they mean, and
//! time is walked minute by minute with chrono-tz alone.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A field: its text and its values.
#[derive(Debug, Clone)]
pub(crate) struct ModelField {
    pub(crate) text: String,
    pub(crate) values: Vec<u32>,
}

/// A day rule, in the reading of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    None,
    Last(u32),
    LastWorkday,
    Nearest(u32),
    Nth(u32, u32),
    LastOf(u32),
}

/// A five-field expression and its meaning.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) minutes: ModelField,
    pub(crate) hours: ModelField,
    pub(crate) dom: ModelField,
    pub(crate) dom_rule: Rule,
    pub(crate) months: ModelField,
    pub(crate) dow: ModelField,
    pub(crate) dow_rule: Rule,
}

/// Zones with all the oddities there are: half hours, two hours, negative summer time, midnight gaps, skipped days.
pub(crate) const ZONES: [&str; 20] = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Africa/Casablanca",
    "Africa/Cairo",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "America/Nuuk",
    "Asia/Tehran",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Antarctica/Casey",
    "Pacific/Chatham",
    "America/Asuncion",
];

fn element(range: RangeInclusive<u32>) -> impl Strategy<Value = ModelField> {
    let (low, high) = (*range.start(), *range.end());
    let value = (low..=high).prop_map(|value| ModelField { text: value.to_string(), values: vec![value] });
    let span = (low..=high, low..=high, 1..8_u32, any::<bool>()).prop_map(|(a, b, step, stepped)| {
        let (from, to) = (a.min(b), a.max(b));
        match stepped {
            true => ModelField { text: format!("{from}-{to}/{step}"), values: every(from, to, step) },
            false => ModelField { text: format!("{from}-{to}"), values: every(from, to, 1) },
        }
    });
    let open = (low..=high, 1..40_u32)
        .prop_map(move |(from, step)| ModelField { text: format!("{from}/{step}"), values: every(from, high, step) });
    let star =
        (1..40_u32).prop_map(move |step| ModelField { text: format!("*/{step}"), values: every(low, high, step) });
    prop_oneof![4 => value, 2 => span, 1 => open, 2 => star]
}

fn every(from: u32, to: u32, step: u32) -> Vec<u32> {
    (from..=to).filter(|value| (value - from).is_multiple_of(step)).collect()
}

/// A field: a star or a list.
pub(crate) fn field(range: RangeInclusive<u32>) -> impl Strategy<Value = ModelField> {
    let all = ModelField { text: "*".to_owned(), values: range.clone().collect() };
    let list = prop::collection::vec(element(range), 1..4).prop_map(|elements| ModelField {
        text: elements.iter().map(|element| element.text.as_str()).collect::<Vec<_>>().join(","),
        values: elements.into_iter().flat_map(|element| element.values).collect(),
    });
    prop_oneof![2 => Just(all), 3 => list]
}

fn with_rule(field: ModelField, rule: Rule) -> (ModelField, Rule) {
    const DAYS: [&str; 8] = ["SUN", "mon", "Tue", "WED", "thu", "FRI", "SAT", "SUN"];
    let text = match rule {
        Rule::None => return (field, rule),
        Rule::Last(0) => "L".to_owned(),
        Rule::Last(before) => format!("L-{before}"),
        Rule::LastWorkday => "LW".to_owned(),
        Rule::Nearest(day) => format!("{day}W"),
        Rule::Nth(weekday, nth) => format!("{}#{nth}", DAYS[weekday as usize]),
        Rule::LastOf(weekday) => format!("{weekday}L"),
    };
    (ModelField { text, values: Vec::new() }, rule)
}

/// Any expression of five fields.
pub(crate) fn model() -> impl Strategy<Value = Model> {
    let dom_rule = prop_oneof![
        6 => Just(Rule::None),
        1 => (0..5_u32).prop_map(Rule::Last),
        1 => Just(Rule::LastWorkday),
        1 => (1..32_u32).prop_map(Rule::Nearest),
    ];
    let dow_rule = prop_oneof![
        6 => Just(Rule::None),
        1 => (0..8_u32, 1..6_u32).prop_map(|(weekday, nth)| Rule::Nth(weekday, nth)),
        1 => (0..8_u32).prop_map(Rule::LastOf),
    ];
    let fields = (field(0..=59), field(0..=23), field(1..=31), field(1..=12), field(0..=7));
    (fields, dom_rule, dow_rule).prop_map(|((minutes, hours, dom, months, dow), dom_rule, dow_rule)| {
        let ((dom, dom_rule), (dow, dow_rule)) = (with_rule(dom, dom_rule), with_rule(dow, dow_rule));
        Model { minutes, hours, dom, dom_rule, months, dow, dow_rule }
    })
}

/// An expression that names every day and a few hours early or late in it, when clocks change.
pub(crate) fn nightly() -> impl Strategy<Value = Model> {
    let hours = prop::collection::vec(prop_oneof![4 => 0..5_u32, 1 => 22..24_u32], 1..4);
    let every_hour = prop_oneof![3 => Just(false), 1 => Just(true)];
    (field(0..=59), hours, every_hour).prop_map(|(minutes, hours, every_hour)| {
        let all = |range: RangeInclusive<u32>| ModelField { text: "*".to_owned(), values: range.collect() };
        let text = hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let hours = if every_hour { all(0..=23) } else { ModelField { text, values: hours } };
        let (dom, months, dow) = (all(1..=31), all(1..=12), all(0..=7));
        Model { minutes, hours, dom, dom_rule: Rule::None, months, dow, dow_rule: Rule::None }
    })
}

/// An instant near a clock change of the zone, or anywhere if it has none.
pub(crate) fn near_a_change(zone: Tz, index: Index) -> i64 {
    let days = index.index(47_000) as i64;
    let offset = |day: i64| zone.offset_from_utc_datetime(&at(day * 86_400).naive_utc()).to_string();
    let change = (days..(days + 400).min(47_400)).find(|day| offset(*day) != offset(day + 1));
    change.unwrap_or(days) * 86_400
}

pub(crate) fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(secs, 0).expect("an instant of this millennium")
}

pub(crate) fn zone() -> impl Strategy<Value = &'static str> {
    select(&ZONES[..])
}

impl Model {
    pub(crate) fn text(&self) -> String {
        [&self.minutes, &self.hours, &self.dom, &self.months, &self.dow].map(|field| field.text.as_str()).join(" ")
    }

    pub(crate) fn every_hour(&self) -> bool {
        (0..24).all(|hour| self.hours.values.contains(&hour))
    }

    pub(crate) fn names(&self, local: NaiveDateTime) -> bool {
        self.minutes.values.contains(&local.minute())
            && self.hours.values.contains(&local.hour())
            && self.months.values.contains(&local.month())
            && self.day(local.date())
            && local.second() == 0
    }

    fn day(&self, date: NaiveDate) -> bool {
        let dom = self.dom.values.contains(&date.day()) || holds(self.dom_rule, date);
        let weekday = date.weekday().num_days_from_sunday();
        let in_week = self.dow.values.contains(&weekday) || (weekday == 0 && self.dow.values.contains(&7));
        let dow = in_week || holds(self.dow_rule, date);
        match (self.dom.text == "*", self.dow.text == "*") {
            (false, false) => dom || dow,
            _ => dom && dow,
        }
    }

    /// Whether it fires at an instant: what the local clock shows is named, and it is the first time it shows it, unless
    /// the schedule runs in every hour.
    pub(crate) fn fires(&self, zone: Tz, instant: DateTime<Utc>) -> bool {
        let local = instant.with_timezone(&zone).naive_local();
        self.names(local)
            && (self.every_hour() || zone.from_local_datetime(&local).earliest().is_some_and(|first| first == instant))
    }
}

fn holds(rule: Rule, date: NaiveDate) -> bool {
    let length = u32::from(date.num_days_in_month());
    let weekday = date.weekday().num_days_from_sunday();
    match rule {
        Rule::None => false,
        Rule::Last(before) => date.day() + before == length,
        Rule::LastWorkday => nearest(date, length) == Some(date.day()),
        Rule::Nearest(day) => nearest(date, day) == Some(date.day()),
        Rule::Nth(wanted, nth) => weekday == wanted % 7 && date.day().div_ceil(7) == nth,
        Rule::LastOf(wanted) => weekday == wanted % 7 && date.day() + 7 > length,
    }
}

/// The nearest workday to a day of the month of `date`, looked for outwards.
fn nearest(date: NaiveDate, day: u32) -> Option<u32> {
    let target = date.with_day(day)?;
    let candidates = [0, -1, 1, -2, 2].map(|days| target + TimeDelta::days(days));
    let workday = |candidate: &&NaiveDate| candidate.weekday().num_days_from_monday() < 5;
    let found = candidates.iter().filter(|candidate| candidate.month() == date.month()).find(workday)?;
    Some(found.day())
}
