//! Why an expression, a zone or a request is refused: the field, the token, its position, what is allowed, what was meant.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::ser::SerializeStruct;

use super::field::Field;

/// The kind of mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleErrorKind {
    /// Nothing but white space.
    Empty,
    /// More than 256 bytes.
    TooLong,
    /// A character that no expression has.
    Character,
    /// Too few or too many fields.
    FieldCount,
    /// A number out of range.
    Value,
    /// A word that is no name of this field.
    Name,
    /// A step of 0, or one without its number.
    Step,
    /// A range that lacks an end, or runs backwards.
    Range,
    /// A list with an empty element.
    List,
    /// `L`, `W` or `#` malformed or in a field that has none.
    Special,
    /// `?` where it cannot stand.
    QuestionMark,
    /// Quartz: not exactly one day field is `?`.
    DayFields,
    /// An `@` word that is none of the aliases.
    Alias,
    /// `@every` without a usable duration.
    Every,
    /// A time zone that is not one of the IANA names.
    Zone,
    /// Another part of a request: `after`, `count`, `dialect`, `dst_fold`, `fields`.
    Request,
}

/// An expression, zone or request that is refused, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleError {
    kind: ScheduleErrorKind,
    problem: &'static str,
    field: Option<Field>,
    token: Option<String>,
    position: Option<usize>,
    allowed: Option<Cow<'static, str>>,
    suggestion: Option<Cow<'static, str>>,
}

/// Longer tokens are cut, so that an answer stays as small as a good expression.
const TOKEN_CHARS_MAX: usize = 64;

impl ScheduleError {
    /// `problem` continues the sentence that the token begins: "is out of range".
    pub(super) const fn new(kind: ScheduleErrorKind, problem: &'static str) -> Self {
        Self { kind, problem, field: None, token: None, position: None, allowed: None, suggestion: None }
    }

    pub(super) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.chars().take(TOKEN_CHARS_MAX).flat_map(char::escape_debug).collect());
        self
    }

    /// `offset` counts bytes from 0; every position starts after ASCII only, so it counts characters as well.
    pub(super) fn at(mut self, offset: usize) -> Self {
        self.position = Some(offset + 1);
        self
    }

    pub(super) const fn in_field(mut self, field: Field) -> Self {
        self.field = Some(field);
        self
    }

    pub(super) fn allowed(mut self, allowed: impl Into<Cow<'static, str>>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    pub(super) fn suggest(mut self, suggestion: Option<impl Into<Cow<'static, str>>>) -> Self {
        self.suggestion = suggestion.map(Into::into);
        self
    }

    /// The kind of mistake.
    #[must_use]
    pub const fn kind(&self) -> ScheduleErrorKind {
        self.kind
    }

    /// The field it is in, where it is in one.
    #[must_use]
    pub const fn field(&self) -> Option<Field> {
        self.field
    }

    /// The text that is wrong.
    #[must_use]
    pub fn token_text(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Where that text starts in the expression, counted from 1.
    #[must_use]
    pub const fn position(&self) -> Option<usize> {
        self.position
    }

    /// What may stand there.
    #[must_use]
    pub fn allowed_text(&self) -> Option<&str> {
        self.allowed.as_deref()
    }

    /// What was probably meant.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

impl std::error::Error for ScheduleError {}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.token {
            Some(token) => write!(f, "`{token}`")?,
            None if self.kind == ScheduleErrorKind::Zone => f.write_str("the time zone")?,
            None => f.write_str("the expression")?,
        }
        if let Some(field) = self.field {
            write!(f, " in the {field} field")?;
        }
        if let Some(position) = self.position {
            write!(f, " (position {position})")?;
        }
        write!(f, " {}", self.problem)?;
        if let Some(allowed) = &self.allowed {
            write!(f, "; allowed: {allowed}")?;
        }
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        Ok(())
    }
}

/// The sentence and its parts; what is unknown is null.
impl Serialize for ScheduleError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_struct("ScheduleError", 7)?;
        parts.serialize_field("kind", &self.kind)?;
        parts.serialize_field("message", &self.to_string())?;
        parts.serialize_field("field", &self.field)?;
        parts.serialize_field("token", &self.token)?;
        parts.serialize_field("position", &self.position)?;
        parts.serialize_field("allowed", &self.allowed)?;
        parts.serialize_field("suggestion", &self.suggestion)?;
        parts.end()
    }
}
