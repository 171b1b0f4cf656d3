//! The day rules: `L`, `L-3`, `LW`, `15W` among days of the month, `5L`, `5#3` among weekdays.

use super::dialect::Dialect;
use super::element::{self, Element, Place, Span};
use super::error::{ScheduleError, ScheduleErrorKind as Kind};
use super::field::Field;

/// The furthest that `L-n` goes back: from the 31st to the 1st.
const BEFORE_LAST_MAX: u8 = 30;

/// The rule that the token writes, or nothing if it is a plain element.
pub(super) fn read(token: &str, place: Place) -> Result<Option<Element>, ScheduleError> {
    match place.field {
        Field::DayOfMonth if looks_special(token) => day_of_month(token, place).map(Some),
        Field::DayOfWeek if token.contains('#') => nth(token, place).map(Some),
        Field::DayOfWeek if ends_in(token, 'L') => last_weekday(token, place).map(Some),
        _ if token.contains('#') => Err(place.refuse(Kind::Special, "uses # where it has no meaning", token)),
        _ => Ok(None),
    }
}

/// Has one of the letters in a place where no name has it.
pub(super) fn looks_special(token: &str) -> bool {
    token.contains('#') || starts_with(token, 'L') || ends_in(token, 'L') || ends_in(token, 'W')
}

fn day_of_month(token: &str, place: Place) -> Result<Element, ScheduleError> {
    let malformed = || place.refuse(Kind::Special, "is none of L, L-3, LW, L-3W, 15W", token);
    if let Some(rest) = strip_first(token, 'L') {
        let (rest, workday) = strip_last(rest, 'W').map_or((rest, false), |rest| (rest, true));
        let before = if rest.is_empty() { 0 } else { before_last(rest).ok_or_else(malformed)? };
        return Ok(if workday { Element::LastWorkday { before } } else { Element::LastDay { before } });
    }
    let day = strip_last(token, 'W').and_then(number).ok_or_else(malformed)?;
    if !(1..=31).contains(&day) {
        return Err(place.refuse(Kind::Value, "is out of range", token));
    }
    Ok(Element::Nearest { day })
}

/// `-3`
fn before_last(rest: &str) -> Option<u8> {
    rest.strip_prefix('-').and_then(number).filter(|before| (1..=BEFORE_LAST_MAX).contains(before))
}

fn nth(token: &str, place: Place) -> Result<Element, ScheduleError> {
    let (weekday, nth) = token.split_once('#').unwrap_or((token, ""));
    let nth = number(nth)
        .filter(|nth| (1..=5).contains(nth))
        .ok_or_else(|| place.refuse(Kind::Special, "needs a number from 1 to 5 after #", token))?;
    weekday_of(weekday, token, place).map(|weekday| Element::Nth { weekday, nth })
}

/// Quartz reads a lone `L` as Saturday, the last day of its week.
fn last_weekday(token: &str, place: Place) -> Result<Element, ScheduleError> {
    match (strip_last(token, 'L'), place.dialect) {
        (Some(""), Dialect::Quartz) => Ok(Element::Span(Span::value(6))),
        (Some(weekday), _) if !weekday.is_empty() => {
            weekday_of(weekday, token, place).map(|weekday| Element::LastWeekday { weekday })
        }
        _ => Err(place.refuse(Kind::Special, "needs a weekday before L", token).suggest(Some("5L"))),
    }
}

fn weekday_of(text: &str, token: &str, place: Place) -> Result<u8, ScheduleError> {
    if text.is_empty() || text.contains('-') || text.contains('*') {
        return Err(place.refuse(Kind::Special, "needs exactly one weekday before its L or #", token));
    }
    element::read_value(text, token, place).map(|weekday| (weekday % 7) as u8)
}

fn number(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn starts_with(token: &str, letter: char) -> bool {
    strip_first(token, letter).is_some()
}

fn ends_in(token: &str, letter: char) -> bool {
    strip_last(token, letter).is_some()
}

fn strip_first(token: &str, letter: char) -> Option<&str> {
    token.strip_prefix(|first: char| first.eq_ignore_ascii_case(&letter))
}

fn strip_last(token: &str, letter: char) -> Option<&str> {
    token.strip_suffix(|last: char| last.eq_ignore_ascii_case(&letter))
}
