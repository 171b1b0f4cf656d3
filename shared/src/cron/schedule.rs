//! A compiled schedule: an expression, read in a dialect, in a zone.

use std::fmt;
use std::iter;
use std::time::Duration;

use crate::clock::Timestamp;

use super::describe;
use super::dialect::{Dialect, DstFold};
use super::error::ScheduleError;
use super::expression::{self, Expression};
use super::interval::Interval;
use super::occurrence::Occurrence;
use super::options::ScheduleOptions;
use super::pattern::Pattern;
use super::walk::{Gaps, Passes, Walk};
use super::warning::{self, Warning};
use super::zone::Zone;

/// When something is to happen: compiled once, asked often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    expression: Box<str>,
    dialect: Dialect,
    zone: Zone,
    dst_fold: DstFold,
    plan: Plan,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Plan {
    Fields(Pattern),
    Every(Interval),
}

impl Schedule {
    /// Reads and compiles an expression.
    ///
    /// # Errors
    ///
    /// Says which part of the expression is wrong, what is allowed there, and what was probably meant. An expression that
    /// never fires is no error: see [`never_fires`](Self::never_fires).
    pub fn parse(expression: &str, options: &ScheduleOptions) -> Result<Self, ScheduleError> {
        let plan = match expression::read(expression, options.dialect, options.fields)? {
            Expression::Fields(fields) => Plan::Fields(Pattern::of(&fields)),
            Expression::Every { interval_secs } => Plan::Every(Interval::new(options.anchor, interval_secs)),
        };
        let ScheduleOptions { dialect, zone, dst_fold, .. } = *options;
        Ok(Self { expression: expression.into(), dialect, zone, dst_fold, plan })
    }

    /// The first occurrence after an instant: a fire, or a gap that swallowed one.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Occurrence> {
        match &self.plan {
            Plan::Fields(pattern) => self.walk(pattern).after(after.as_ms()),
            Plan::Every(every) => every.after(after).map(|at| Occurrence::Fire { at }),
        }
    }

    /// The first fire after an instant. Allocates nothing.
    #[must_use]
    pub fn next_fire_after(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.plan {
            Plan::Fields(pattern) => self.walk(pattern).fire_from(after.as_secs() + 1).map(Timestamp::from_secs),
            Plan::Every(every) => every.after(after),
        }
    }

    /// The last occurrence before an instant.
    #[must_use]
    pub fn previous_before(&self, before: Timestamp) -> Option<Occurrence> {
        match &self.plan {
            Plan::Fields(pattern) => self.walk(pattern).before(before.as_ms()),
            Plan::Every(every) => every.before(before).map(|at| Occurrence::Fire { at }),
        }
    }

    /// All occurrences after an instant, in order.
    pub fn occurrences_after(&self, after: Timestamp) -> impl Iterator<Item = Occurrence> + '_ {
        iter::successors(self.next_after(after), |last| self.next_after(last.at()))
    }

    /// All occurrences before an instant, the latest first.
    pub fn occurrences_before(&self, before: Timestamp) -> impl Iterator<Item = Occurrence> + '_ {
        iter::successors(self.previous_before(before), |last| self.previous_before(last.at()))
    }

    /// The instants after one at which it fires, in order.
    pub fn fires_after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        iter::successors(self.next_fire_after(after), |last| self.next_fire_after(*last))
    }

    /// How many fires are after one instant and not after another, without going through them.
    #[must_use]
    pub fn count_between(&self, after: Timestamp, until: Timestamp) -> u64 {
        match &self.plan {
            Plan::Fields(pattern) => self.walk(pattern).count(after.as_secs() + 1, until.as_secs() + 1),
            Plan::Every(every) => every.count(after, until),
        }
    }

    /// Whether its instants are counted from an anchor, as those of `@every` are.
    #[must_use]
    pub const fn is_anchored(&self) -> bool {
        matches!(self.plan, Plan::Every(_))
    }

    /// Whether it fires at exactly this instant.
    #[must_use]
    pub fn is_due_at(&self, at: Timestamp) -> bool {
        self.next_fire_after(Timestamp::from_ms(at.as_ms() - 1)) == Some(at)
    }

    /// Whether no fire exists at all, such as for a February 30. Answers at once.
    #[must_use]
    pub fn never_fires(&self) -> bool {
        match &self.plan {
            Plan::Fields(pattern) => self.walk(pattern).fire_from(0).is_none(),
            Plan::Every(_) => false,
        }
    }

    /// What someone who registers this schedule would want to know.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Vec<Warning> {
        warning::warnings(self, now)
    }

    /// The schedule in plain English.
    #[must_use]
    pub fn describe(&self) -> String {
        match self.read() {
            Some(Expression::Fields(fields)) => describe::fields(&fields, self.zone, self.never_fires()),
            _ => self.interval().map_or_else(String::new, |every| describe::every(every.as_secs(), self.anchor())),
        }
    }

    /// The expression as it was given.
    #[must_use]
    pub const fn expression(&self) -> &str {
        &self.expression
    }

    /// The zone whose local time the fields mean.
    #[must_use]
    pub const fn zone(&self) -> Zone {
        self.zone
    }

    /// The grammar it was read in.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The rule for repeated local times.
    #[must_use]
    pub const fn dst_fold(&self) -> DstFold {
        self.dst_fold
    }

    /// The interval of `@every`.
    #[must_use]
    pub const fn interval(&self) -> Option<Duration> {
        match &self.plan {
            Plan::Every(every) => Some(Duration::from_secs(every.secs)),
            Plan::Fields(_) => None,
        }
    }

    /// Whether it fires in every hour of its days, and so keeps its rhythm through clock changes.
    #[must_use]
    pub const fn runs_every_hour(&self) -> bool {
        match &self.plan {
            Plan::Fields(pattern) => pattern.times.every_hour(),
            Plan::Every(_) => true,
        }
    }

    /// The expression once more, for what the compiled form has forgotten.
    pub(super) fn read(&self) -> Option<Expression> {
        expression::read(&self.expression, self.dialect, None).ok()
    }

    pub(super) const fn pattern(&self) -> Option<&Pattern> {
        match &self.plan {
            Plan::Fields(pattern) => Some(pattern),
            Plan::Every(_) => None,
        }
    }

    fn anchor(&self) -> Timestamp {
        match &self.plan {
            Plan::Every(every) => every.anchor(),
            Plan::Fields(_) => Timestamp::from_ms(0),
        }
    }

    pub(super) const fn passes(&self) -> Passes {
        match self.dst_fold {
            DstFold::Both => Passes::Both,
            DstFold::Auto if self.runs_every_hour() => Passes::Both,
            DstFold::Auto | DstFold::Once => Passes::First,
        }
    }

    fn walk<'a>(&self, pattern: &'a Pattern) -> Walk<'a> {
        let gaps = if pattern.times.every_hour() { Gaps::Silent } else { Gaps::Reported };
        Walk { pattern, zone: self.zone.transitions(), passes: self.passes(), gaps }
    }
}

/// The canonical text, which reads as the same schedule.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&expression::canonical(&self.expression))
    }
}
