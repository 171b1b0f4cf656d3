//! Which days of a month a schedule names, worked out for each of the 28 shapes of a month.

use super::days::Masks;
use super::element::Element;
use super::expression::Fields;
use super::field::Field;
use super::plain::Bits;

/// One shape: how long the month is, and the weekday of its first day.
#[derive(Debug, Clone, Copy)]
struct Shape {
    length: u32,
    first: u32,
}

/// The masks of both day fields together: their union if both restrict, as POSIX has it.
pub(super) fn masks(fields: &Fields, sets: &[Bits; 7]) -> Masks {
    let dom = fields.restricts(Field::DayOfMonth);
    let dow = fields.restricts(Field::DayOfWeek);
    let numbers = (sets[Field::DayOfMonth as usize][0] as u32) << 1;
    let weekdays = sets[Field::DayOfWeek as usize][0] as u32;
    let mut masks = [[0; 7]; 4];
    for (row, length) in masks.iter_mut().zip(28..) {
        let valid = (u32::MAX >> (31 - length)) & !1;
        for (mask, first) in row.iter_mut().zip(0..) {
            let shape = Shape { length, first };
            *mask = valid
                & match (dom, dow) {
                    (false, false) => u32::MAX,
                    (true, false) => numbers | rules(fields, Field::DayOfMonth, shape),
                    (false, true) => on_weekdays(weekdays, shape) | rules(fields, Field::DayOfWeek, shape),
                    (true, true) => {
                        let of_month = numbers | rules(fields, Field::DayOfMonth, shape);
                        of_month | on_weekdays(weekdays, shape) | rules(fields, Field::DayOfWeek, shape)
                    }
                };
        }
    }
    masks
}

/// The days that `L`, `W` and `#` name.
fn rules(fields: &Fields, field: Field, shape: Shape) -> u32 {
    let days = fields.of(field).iter().map(|element| match *element {
        Element::LastDay { before } => shape.length.checked_sub(u32::from(before)),
        Element::LastWorkday { before } => {
            shape.length.checked_sub(u32::from(before)).and_then(|day| shape.workday(day))
        }
        Element::Nearest { day } => shape.workday(u32::from(day)),
        Element::Nth { weekday, nth } => Some(shape.first_on(weekday.into()) + 7 * (u32::from(nth) - 1)),
        Element::LastWeekday { weekday } => Some(shape.last_on(weekday.into())),
        Element::Every | Element::Unsaid | Element::Span(_) => None,
    });
    days.flatten().filter(|day| *day <= 31).fold(0, |mask, day| mask | 1 << day)
}

/// All days that fall on the given weekdays.
fn on_weekdays(weekdays: u32, shape: Shape) -> u32 {
    // Bit n of the rotated week is the weekday of day n, for n from 1 to 7.
    let week = (weekdays >> shape.first | weekdays << (7 - shape.first)) & 0x7f;
    (week | week << 7 | week << 14 | week << 21 | week << 28) << 1
}

impl Shape {
    const fn weekday(self, day: u32) -> u32 {
        (self.first + day - 1) % 7
    }

    const fn first_on(self, weekday: u32) -> u32 {
        1 + (weekday + 7 - self.first) % 7
    }

    const fn last_on(self, weekday: u32) -> u32 {
        self.length - (self.weekday(self.length) + 7 - weekday) % 7
    }

    /// The day from Monday to Friday that is nearest to `day`, without leaving the month; none if the month lacks `day`.
    const fn workday(self, day: u32) -> Option<u32> {
        if day == 0 || day > self.length {
            return None;
        }
        match self.weekday(day) {
            6 if day == 1 => Some(3),
            6 => Some(day - 1),
            0 if day == self.length => Some(day - 2),
            0 => Some(day + 1),
            _ => Some(day),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_workday_stays_in_its_month() {
        let saturday_first = Shape { length: 31, first: 6 };
        assert_eq!(saturday_first.workday(1), Some(3));
        assert_eq!(saturday_first.workday(9), Some(10));
        assert_eq!(Shape { length: 30, first: 6 }.workday(30), Some(28));
        assert_eq!(Shape { length: 30, first: 6 }.workday(31), None);
    }

    #[test]
    fn weekdays_repeat_through_the_month() {
        let wednesday_first = Shape { length: 31, first: 3 };
        assert_eq!(on_weekdays(1 << 3, wednesday_first), 1 << 1 | 1 << 8 | 1 << 15 | 1 << 22 | 1 << 29);
        assert_eq!(wednesday_first.last_on(3), 29);
        assert_eq!(wednesday_first.first_on(2), 7);
    }
}
