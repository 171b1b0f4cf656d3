//! An expression as it was written: five to seven lists of elements, or `@every` with its interval.

use super::alias::{self, Alias};
use super::dialect::{Dialect, FieldCount};
use super::element::{self, Element, Place, Span};
use super::error::{ScheduleError, ScheduleErrorKind as Kind};
use super::every;
use super::field::Field;
use super::words::Words;

/// The longest expression, in bytes. What is longer is refused before it is looked at.
pub(super) const EXPRESSION_BYTES_MAX: usize = 256;

/// What an expression turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// Fields, or an alias that stands for them.
    Fields(Fields),
    /// `@every`
    Every { interval_secs: u64 },
}

/// The elements of all seven fields, those that are not written included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    elements: Vec<Element>,
    ends: [u16; 7],
}

impl Fields {
    /// The list of one field; never empty.
    pub(super) fn of(&self, field: Field) -> &[Element] {
        let index = field as usize;
        let start = if index == 0 { 0 } else { usize::from(self.ends[index - 1]) };
        &self.elements[start..usize::from(self.ends[index])]
    }

    /// The only element of a field, where there is one.
    pub(super) fn only(&self, field: Field) -> Option<Element> {
        match self.of(field) {
            [element] => Some(*element),
            _ => None,
        }
    }

    /// Neither `*` nor `?`. A list or a step that happens to hold every value does restrict: so says POSIX of `*`.
    pub(super) fn restricts(&self, field: Field) -> bool {
        !matches!(self.only(field), Some(Element::Every | Element::Unsaid))
    }
}

/// Reads an expression of at most 256 bytes.
pub(super) fn read(text: &str, dialect: Dialect, held_to: Option<FieldCount>) -> Result<Expression, ScheduleError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(ScheduleError::new(Kind::TooLong, "is too long").allowed("at most 256 bytes"));
    }
    refuse_foreign_characters(text)?;
    let words = Words::of(text);
    if words.count() == 0 {
        return Err(ScheduleError::new(Kind::Empty, "is empty").suggest(Some("0 * * * *")));
    }
    match words.first() {
        (_, word) if word.starts_with('@') => match alias::read(&words, dialect, held_to)? {
            Alias::Fields(fields) => read_fields(&Words::of(fields), dialect, held_to).map(Expression::Fields),
            Alias::Every { interval_secs } => Ok(Expression::Every { interval_secs }),
        },
        _ => read_fields(&words, dialect, held_to).map(Expression::Fields),
    }
}

/// How an expression is written canonically: single blanks, capital names, small aliases, the shortest duration.
pub(super) fn canonical(text: &str) -> String {
    if text.trim_start().starts_with('@') {
        let lower = text.to_ascii_lowercase();
        let mut words = lower.split_ascii_whitespace();
        return match (words.next(), words.next()) {
            (Some(every), Some(span)) => {
                format!("{every} {}", every::read(span, 0).map_or_else(|_| span.to_owned(), every::write))
            }
            (alias, _) => alias.unwrap_or_default().to_owned(),
        };
    }
    let words: Vec<_> = text.split_ascii_whitespace().collect();
    words.join(" ").to_ascii_uppercase()
}

fn refuse_foreign_characters(text: &str) -> Result<(), ScheduleError> {
    let known = |c: char| {
        matches!(c, '0'..='9' | 'A'..='Z' | 'a'..='z' | ' ' | '\t' | '\r' | '\n')
            || "*,-/?#@.+_:()[]{}|<>=!%&$~^;'\"\\`".contains(c)
    };
    let Some((offset, foreign)) = text.char_indices().find(|&(_, c)| !known(c)) else {
        return Ok(());
    };
    let problem = "is a character that no expression has";
    Err(ScheduleError::new(Kind::Character, problem).token(foreign.encode_utf8(&mut [0; 4])).at(offset))
}

fn read_fields(words: &Words<'_>, dialect: Dialect, held_to: Option<FieldCount>) -> Result<Fields, ScheduleError> {
    let written = written_fields(words, dialect, held_to)?;
    let mut fields = Fields { elements: Vec::with_capacity(10), ends: [0; 7] };
    for field in Field::ALL {
        match written.iter().position(|candidate| *candidate == field) {
            Some(index) => read_list(words.at(index), field, dialect, &mut fields.elements)?,
            None if field == Field::Second => fields.elements.push(Element::Span(Span::value(0))),
            None => fields.elements.push(Element::Every),
        }
        fields.ends[field as usize] = u16::try_from(fields.elements.len()).unwrap_or(u16::MAX);
    }
    match dialect {
        Dialect::Ojs => Ok(fields),
        Dialect::Quartz => one_day_field_unsaid(fields, words),
    }
}

/// Which fields the words are, told by their number.
fn written_fields(
    words: &Words<'_>,
    dialect: Dialect,
    held_to: Option<FieldCount>,
) -> Result<&'static [Field], ScheduleError> {
    let refuse = |problem, allowed| ScheduleError::new(Kind::FieldCount, problem).allowed(allowed);
    let five = "5 fields: minute hour day-of-month month day-of-week";
    match (words.count(), dialect, held_to) {
        (6, Dialect::Ojs, Some(FieldCount::Five)) => {
            Err(refuse("has a seconds field, which this entry does not take", five)
                .in_field(Field::Second)
                .token(words.at(0).1)
                .at(words.at(0).0)
                .suggest(words.without_first()))
        }
        (count, _, Some(held)) if count != held.as_usize() => Err(refuse(
            "has another number of fields than this entry is held to",
            match held {
                FieldCount::Five => five,
                FieldCount::Six => "6 fields, seconds first",
                FieldCount::Seven => "7 fields, seconds first and the year last",
            },
        )),
        (5, Dialect::Ojs, _) => Ok(&Field::ALL[1..6]),
        (6, _, _) => Ok(&Field::ALL[..6]),
        (7, Dialect::Quartz, _) => Ok(&Field::ALL),
        (7, Dialect::Ojs, _) => {
            Err(refuse("has 7 fields; a year belongs to the quartz dialect", "5 fields, or 6 with seconds first")
                .suggest(words.without_last()))
        }
        (5, Dialect::Quartz, _) => {
            Err(refuse("has 5 fields; the quartz dialect begins with seconds", "6 fields, or 7 with a year last")
                .suggest(Some(format!("0 {}", words.joined()))))
        }
        (_, Dialect::Ojs, _) => Err(refuse("has a wrong number of fields", "5 fields, or 6 with seconds first")),
        (_, Dialect::Quartz, _) => Err(refuse("has a wrong number of fields", "6 fields, or 7 with a year last")),
    }
}

fn read_list(
    (mut offset, word): (usize, &str),
    field: Field,
    dialect: Dialect,
    elements: &mut Vec<Element>,
) -> Result<(), ScheduleError> {
    let days = matches!(field, Field::DayOfMonth | Field::DayOfWeek);
    if word == "?" && dialect == Dialect::Quartz && days {
        elements.push(Element::Unsaid);
        return Ok(());
    }
    for token in word.split(',') {
        elements.push(element::read(token, Place { field, dialect, offset })?);
        offset += token.len() + 1;
    }
    Ok(())
}

/// Quartz cannot combine its day fields: exactly one of them is `?`.
fn one_day_field_unsaid(fields: Fields, words: &Words<'_>) -> Result<Fields, ScheduleError> {
    let unsaid = |field| fields.only(field) == Some(Element::Unsaid);
    let problem = match (unsaid(Field::DayOfMonth), unsaid(Field::DayOfWeek)) {
        (true, true) => "says `?` in both day fields",
        (false, false) => "says something in both day fields, which Quartz cannot combine",
        _ => return Ok(fields),
    };
    let (dom, dow) = (fields.restricts(Field::DayOfMonth), fields.restricts(Field::DayOfWeek));
    let suggestion = match (dom, dow) {
        (true, true) => None,
        (false, true) => Some(words.joined_with(3, "?")),
        _ => Some(words.joined_with(5, "?").replacen("? * ?", "* * ?", 1)),
    };
    Err(ScheduleError::new(Kind::DayFields, problem)
        .in_field(Field::DayOfWeek)
        .token(words.at(5).1)
        .at(words.at(5).0)
        .allowed("`?` in exactly one of day-of-month and day-of-week")
        .suggest(suggestion))
}
