//! Plain elements become bit sets: values, ranges, lists and steps, as the `cron` crate reads them.
//!
//! Our grammar has accepted every element before, so that its rules win; the crate never sees a name, a Sunday of its own
//! counting, a wrapping range, or a step that it would refuse for being wide. A value, a star and its step need no reader: the crate takes
//! longer over a star than over all the rest, and parsing has a limit of two microseconds.

use std::fmt::Write;
use std::str::FromStr;

use cron::TimeUnitSpec;

use super::element::{Element, Form, Span};
use super::expression::Fields;
use super::field::Field;

/// The values of one field: bit n is the n-th value from the first on, for years in the third word as well.
pub(super) type Bits = [u64; 3];

/// The sets of all seven fields, day rules left out.
pub(super) fn sets(fields: &Fields) -> [Bits; 7] {
    let Some(text) = text_for_cron(fields) else {
        return Field::ALL.map(|field| walked(fields, field, |_| true));
    };
    match cron::Schedule::from_str(&text) {
        Ok(read) => merged(fields, &read),
        // The crate has always read what we write for it (a property test says so). Should a release of it stop to, then
        // an accepted schedule must not become an empty one.
        Err(_) => Field::ALL.map(|field| walked(fields, field, |_| true)),
    }
}

/// What the crate read, and beside it what it could not.
fn merged(fields: &Fields, read: &cron::Schedule) -> [Bits; 7] {
    let mut sets = Field::ALL.map(|field| walked(fields, field, |element| !needs_cron(element, field)));
    let foreign = [
        read.seconds().iter(),
        read.minutes().iter(),
        read.hours().iter(),
        read.days_of_month().iter(),
        read.months().iter(),
        read.days_of_week().iter(),
        read.years().iter(),
    ];
    for (field, values) in Field::ALL.into_iter().zip(foreign) {
        if fields.of(field).iter().any(|element| needs_cron(*element, field)) {
            values.for_each(|value| insert(&mut sets[field as usize], from_cron(value, field)));
        }
    }
    sets
}

/// The values of those elements of a field that are asked for, by our own walk.
fn walked(fields: &Fields, field: Field, asked: impl Fn(Element) -> bool) -> Bits {
    let mut bits = [0; 3];
    for element in fields.of(field).iter().filter(|element| asked(**element)) {
        match *element {
            Element::Every | Element::Unsaid => bits = all(field),
            Element::Span(span) => span.values(field).for_each(|value| insert(&mut bits, value - field.cycle().0)),
            _ => {}
        }
    }
    bits
}

/// A range, or a step over one, that does not go round.
fn needs_cron(element: Element, field: Field) -> bool {
    let (first, count) = field.cycle();
    matches!(element, Element::Span(span) if !matches!(span.form, Form::Value | Form::Star) && span.end() < first + count)
}

/// Seven fields with a star for those that the crate need not read; nothing if that is all of them.
fn text_for_cron(fields: &Fields) -> Option<String> {
    let mut text = String::with_capacity(64);
    let mut needed = false;
    for field in Field::ALL {
        let before = text.len();
        for element in fields.of(field) {
            if let Element::Span(span) = *element
                && needs_cron(*element, field)
            {
                text.push_str(if text.len() == before { "" } else { "," });
                write_span(&mut text, span, field);
            }
        }
        needed |= text.len() > before;
        text.push_str(if text.len() > before { " " } else { "* " });
    }
    needed.then_some(text)
}

/// The crate refuses a step wider than the field; such a one reaches the first value only.
fn write_span(text: &mut String, span: Span, field: Field) {
    let shift = u16::from(field == Field::DayOfWeek);
    let from = span.from + shift;
    let written = if span.step > span.length {
        write!(text, "{from}")
    } else if span.step == 1 {
        write!(text, "{from}-{}", span.end() + shift)
    } else {
        write!(text, "{from}-{}/{}", span.end() + shift, span.step)
    };
    debug_assert!(written.is_ok(), "a String takes whatever is written to it");
}

/// The crate counts weekdays from Sunday = 1.
fn from_cron(value: u32, field: Field) -> u16 {
    let first = if field == Field::DayOfWeek { 1 } else { u32::from(field.cycle().0) };
    u16::try_from(value.saturating_sub(first)).unwrap_or(u16::MAX)
}

fn insert(bits: &mut Bits, index: u16) {
    if let Some(word) = bits.get_mut(usize::from(index / 64)) {
        *word |= 1 << (index % 64);
    }
}

/// Years without end are no set: the caller asks whether the field restricts.
fn all(field: Field) -> Bits {
    let (_, count) = field.cycle();
    [0, 1, 2].map(|word| match u32::from(count).saturating_sub(64 * word) {
        0 => 0,
        rest if rest < 64 => (1 << rest) - 1,
        _ => u64::MAX,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cron::dialect::Dialect;
    use crate::cron::expression::{self, Expression};

    fn read(text: &str, dialect: Dialect) -> Fields {
        match expression::read(text, dialect, None) {
            Ok(Expression::Fields(fields)) => fields,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_cron_crate_reads_what_our_own_walk_reads() {
        let ojs = ["*/7 1-20/3,5 1,2,15-31/4 */5 1-5/2", "5/15 * */40 2-11 FRI-SUN", "0-59/59 23 31 12 0-7/2"];
        let quartz =
            ["*/7 48-13/5 22-2 ? NOV-FEB 6-2 2000-2099/7", "5/15 1-2 * 25-4/3 */5 ? 1970/4", "0 0 0 ? * MON-FRI/2"];
        let all =
            ojs.map(|text| read(text, Dialect::Ojs)).into_iter().chain(quartz.map(|text| read(text, Dialect::Quartz)));
        for fields in all {
            let sets = sets(&fields);
            for field in Field::ALL {
                assert_eq!(sets[field as usize], walked(&fields, field, |_| true), "{field} of {fields:?}");
            }
        }
    }
}
